//! Who may do what: the only yes or no. No I/O, so that the whole table is tested cell by cell.

use domain::{ApiError, ApiKey, Operation, Owner, Role, TenantId};

use crate::{Actor, storage::invitations::Inviter};

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The tenant as a whole, or its rows of a kind.
    Tenant(TenantId),
    /// What an owner has in a tenant.
    Owner(TenantId, Owner),
}

/// The proof that an operation was allowed, with the wall that storage puts in every WHERE clause.
/// Made by [`authorize`] alone, and by [`Permit::of_key`] for the service's own hand.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    tenant_id: TenantId,
    owner: Option<Owner>,
    operation: Operation,
}

impl Permit {
    /// For what the service itself does with a key after the key has been verified: a use is the right to it.
    pub(crate) fn of_key(tenant_id: TenantId, owner: Owner, operation: Operation) -> Self {
        Self { tenant_id, owner: Some(owner), operation }
    }

    pub(crate) fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }
}

/// Decides.
///
/// # Errors
/// `NOT_FOUND` for anything of another tenant, `FORBIDDEN` inside one's own without the right.
pub fn authorize(actor: &Actor, operation: Operation, target: Target) -> Result<Permit, ApiError> {
    let (tenant_id, owner) = match target {
        Target::Tenant(tenant) => (tenant, None),
        Target::Owner(tenant, owner) => (tenant, Some(owner)),
    };
    if tenant_id != actor.tenant_id() {
        return Err(ApiError::not_found());
    }
    if is_allowed(actor, operation, owner) {
        Ok(Permit { tenant_id, owner, operation })
    } else {
        Err(ApiError::forbidden(refusal(operation, owner)))
    }
}

/// Whether to offer an operation on a key: a question for menus, never a right. A person's own key in another of their
/// tenants is judged there, when it is done.
pub(crate) fn is_offered(actor: &Actor, operation: Operation, key: &ApiKey) -> bool {
    let elsewhere = key.owner == actor.owner() && key.tenant_id != actor.tenant_id();
    let stays_stopped = operation == Operation::ResumeApiKey && !key.suspended_by_owner && !may_lift(actor);
    let target = Target::Owner(key.tenant_id, key.owner);
    elsewhere || (!stays_stopped && authorize(actor, operation, target).is_ok())
}

/// Whether an actor may let a key work again that another hand than its owner's has stopped.
pub(crate) fn may_lift(actor: &Actor) -> bool {
    actor.role() == Role::TenantAdmin
}

/// Whether an invitation still counts: who sent it may send it still. Nobody's word goes further than their rights do.
pub(crate) fn is_word_good(inviter: Inviter) -> bool {
    matches!(inviter, Inviter::Unnamed | Inviter::Named(Some(Role::TenantAdmin)))
}

fn is_allowed(actor: &Actor, operation: Operation, owner: Option<Owner>) -> bool {
    let administers = actor.role() == Role::TenantAdmin;
    let own = owner == Some(actor.owner());
    let of_account = matches!(owner, Some(Owner::ServiceAccount(_)));
    match operation {
        Operation::ViewSelf
        | Operation::UpdateProfile
        | Operation::ListSessions
        | Operation::AcceptInvitation
        | Operation::CreateCalendarFeed
        | Operation::RevokeCalendarFeed => actor.user_id().is_some(),
        // A key that could take over its owner's sign-in would outlive its own revocation; and it stays in its tenant.
        Operation::SwitchTenant
        | Operation::ChangePassword
        | Operation::ConfirmSignIn
        | Operation::EndSession
        | Operation::EndOtherSessions
        | Operation::BeginSecondFactor
        | Operation::EnableSecondFactor
        | Operation::DisableSecondFactor
        | Operation::RenewRecoveryCodes => actor.is_session(),
        // Who administers nothing here makes no tenants either: an installation is its administrators' matter.
        Operation::CreateTenant => actor.user_id().is_some() && administers,
        Operation::ListApiKeys
        | Operation::GetApiKey
        | Operation::GetApiKeyUsage
        | Operation::RevokeApiKey
        | Operation::SuspendApiKey
        | Operation::ListAgents => own || administers,
        // Making a roll last longer, or giving the old key its own life back, is as good as making a key.
        Operation::RollApiKey | Operation::ExtendRoll | Operation::CancelRoll => {
            (own && actor.role() >= Role::User) || (administers && of_account)
        }
        Operation::CreateApiKey => match owner {
            Some(Owner::User(_)) => own && actor.role() >= Role::User,
            Some(Owner::ServiceAccount(_)) => administers || (own && actor.role() >= Role::User),
            None => false,
        },
        Operation::ListMembers | Operation::GetTenant | Operation::ListPolicies => true,
        // Ending a roll stops a token, and makes none.
        Operation::RenameApiKey | Operation::FinishRoll => own || (administers && of_account),
        Operation::ResumeApiKey => (own && actor.role() >= Role::User) || administers,
        Operation::RegisterAgent | Operation::PollQueue => own && actor.key_id().is_some(),
        Operation::ListServiceAccounts
        | Operation::GetServiceAccount
        | Operation::CreateServiceAccount
        | Operation::RenameServiceAccount
        | Operation::ChangeServiceAccountRole
        | Operation::SuspendServiceAccount
        | Operation::ResumeServiceAccount
        | Operation::DeleteServiceAccount
        | Operation::ListAuditLog
        | Operation::RenameTenant
        | Operation::ListTenantKeys
        | Operation::SuspendApiKeys
        | Operation::RevokeApiKeys
        | Operation::PreviewPolicy
        | Operation::SetPolicy
        | Operation::ClearPolicy
        | Operation::InviteMember
        | Operation::ListInvitations
        | Operation::CancelInvitation
        | Operation::ChangeMemberRole
        | Operation::RemoveMember => administers,
    }
}

fn refusal(operation: Operation, owner: Option<Owner>) -> &'static str {
    match operation {
        Operation::ViewSelf
        | Operation::UpdateProfile
        | Operation::ListSessions
        | Operation::AcceptInvitation
        | Operation::CreateCalendarFeed
        | Operation::RevokeCalendarFeed => "This is a person's own, and not for a service account.",
        Operation::SwitchTenant
        | Operation::ChangePassword
        | Operation::ConfirmSignIn
        | Operation::EndSession
        | Operation::EndOtherSessions
        | Operation::BeginSecondFactor
        | Operation::EnableSecondFactor
        | Operation::DisableSecondFactor
        | Operation::RenewRecoveryCodes => "This is for a person in a browser, not for a key.",
        Operation::CreateApiKey if matches!(owner, Some(Owner::User(_))) => {
            "You can create keys for yourself only, and not with the role Read only. Ask an administrator of the tenant."
        }
        Operation::ListApiKeys
        | Operation::GetApiKey
        | Operation::GetApiKeyUsage
        | Operation::RollApiKey
        | Operation::FinishRoll
        | Operation::ExtendRoll
        | Operation::CancelRoll
        | Operation::RevokeApiKey
        | Operation::RenameApiKey
        | Operation::SuspendApiKey
        | Operation::ResumeApiKey
            if matches!(owner, Some(Owner::User(_))) =>
        {
            "You can't do this with this key. Ask its owner or an administrator of the tenant."
        }
        Operation::RegisterAgent | Operation::PollQueue => {
            "This is for an agent with a key, not for a person in a browser."
        }
        Operation::ListAgents => "The tenant's agents are shown to its administrators; yours, under your keys.",
        Operation::ListAuditLog => "The audit log is shown to the tenant's administrators.",
        Operation::CreateTenant => "Tenants are made by people who administer one already.",
        Operation::ListTenantKeys | Operation::SuspendApiKeys | Operation::RevokeApiKeys => {
            "The inventory of all keys is shown to the tenant's administrators."
        }
        Operation::RenameTenant | Operation::PreviewPolicy | Operation::SetPolicy | Operation::ClearPolicy => {
            "The tenant's settings are made by its administrators."
        }
        Operation::ChangeMemberRole
        | Operation::RemoveMember
        | Operation::InviteMember
        | Operation::ListInvitations
        | Operation::CancelInvitation => "Members are managed by the tenant's administrators.",
        _ => "Service accounts are managed by the tenant's administrators.",
    }
}

#[cfg(test)]
mod tests {
    use domain::{ErrorCode, KeyId, ServiceAccountId, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::Principal;

    const HERE: TenantId = TenantId(Uuid::from_u128(1));
    const THERE: TenantId = TenantId(Uuid::from_u128(2));
    const ME: Owner = Owner::User(UserId(Uuid::from_u128(10)));
    const OTHER: Owner = Owner::User(UserId(Uuid::from_u128(11)));
    const BOT: Owner = Owner::ServiceAccount(ServiceAccountId(Uuid::from_u128(20)));
    const OTHER_BOT: Owner = Owner::ServiceAccount(ServiceAccountId(Uuid::from_u128(21)));

    fn actor(who: Owner, role: Role, by_key: bool) -> Actor {
        let principal = match who {
            Owner::User(id) => Principal::User { id, name: "me".to_owned() },
            Owner::ServiceAccount(id) => Principal::ServiceAccount { id, name: "bot".to_owned() },
        };
        Actor::for_test(principal, HERE, role, by_key.then_some(KeyId(Uuid::from_u128(30))))
    }

    /// The rights table of the design, as letters for [Read only, User, Administrator].
    /// `y` yes, `-` forbidden. One row for each operation × kind of actor × owner.
    #[rustfmt::skip]
    const TABLE: &[(Operation, &str, Option<Owner>, &str)] = {
        use Operation as O;
        &[
            (O::ViewSelf,             "session", None,            "yyy"),
            (O::ViewSelf,             "key",     None,            "yyy"),
            (O::ViewSelf,             "bot",     None,            "---"),
            (O::SwitchTenant,         "session", None,            "yyy"),
            (O::SwitchTenant,         "key",     None,            "---"),
            (O::SwitchTenant,         "bot",     None,            "---"),
            (O::UpdateProfile,        "session", None,            "yyy"),
            (O::UpdateProfile,        "key",     None,            "yyy"),
            (O::UpdateProfile,        "bot",     None,            "---"),
            (O::ChangePassword,       "session", None,            "yyy"),
            (O::ChangePassword,       "key",     None,            "---"),
            (O::ChangePassword,       "bot",     None,            "---"),
            (O::ConfirmSignIn, "session", None, "yyy"),
            (O::ConfirmSignIn, "key", None, "---"),
            (O::ConfirmSignIn, "bot", None, "---"),
            (O::ListSessions, "session", None, "yyy"),
            (O::ListSessions, "key", None, "yyy"),
            (O::ListSessions, "bot", None, "---"),
            (O::EndSession, "session", None, "yyy"),
            (O::EndSession, "key", None, "---"),
            (O::EndSession, "bot", None, "---"),
            (O::EndOtherSessions, "session", None, "yyy"),
            (O::EndOtherSessions, "key", None, "---"),
            (O::EndOtherSessions, "bot", None, "---"),
            (O::BeginSecondFactor, "session", None, "yyy"),
            (O::BeginSecondFactor, "key", None, "---"),
            (O::BeginSecondFactor, "bot", None, "---"),
            (O::EnableSecondFactor, "session", None, "yyy"),
            (O::EnableSecondFactor, "key", None, "---"),
            (O::EnableSecondFactor, "bot", None, "---"),
            (O::DisableSecondFactor, "session", None, "yyy"),
            (O::DisableSecondFactor, "key", None, "---"),
            (O::DisableSecondFactor, "bot", None, "---"),
            (O::RenewRecoveryCodes, "session", None, "yyy"),
            (O::RenewRecoveryCodes, "key", None, "---"),
            (O::RenewRecoveryCodes, "bot", None, "---"),
            (O::ListApiKeys,          "session", Some(ME),        "yyy"),
            (O::ListApiKeys,          "session", Some(OTHER),     "--y"),
            (O::ListApiKeys,          "session", Some(BOT),       "--y"),
            (O::ListApiKeys,          "key",     Some(ME),        "yyy"),
            (O::ListApiKeys,          "key",     Some(BOT),       "--y"),
            (O::ListApiKeys,          "bot",     Some(BOT),       "yyy"),
            (O::ListApiKeys,          "bot",     Some(OTHER_BOT), "--y"),
            (O::ListApiKeys,          "bot",     Some(ME),        "--y"),
            (O::GetApiKey,            "session", Some(ME),        "yyy"),
            (O::GetApiKey,            "session", Some(OTHER),     "--y"),
            (O::GetApiKey,            "session", Some(BOT),       "--y"),
            (O::GetApiKey,            "bot",     Some(BOT),       "yyy"),
            (O::GetApiKey,            "bot",     Some(OTHER_BOT), "--y"),
            (O::CreateApiKey,         "session", Some(ME),        "-yy"),
            (O::CreateApiKey,         "session", Some(OTHER),     "---"),
            (O::CreateApiKey,         "session", Some(BOT),       "--y"),
            (O::CreateApiKey,         "key",     Some(ME),        "-yy"),
            (O::CreateApiKey,         "key",     Some(OTHER),     "---"),
            (O::CreateApiKey,         "key",     Some(BOT),       "--y"),
            (O::CreateApiKey,         "bot",     Some(BOT),       "-yy"),
            (O::CreateApiKey,         "bot",     Some(OTHER_BOT), "--y"),
            (O::CreateApiKey,         "bot",     Some(ME),        "---"),
            (O::CreateApiKey,         "session", None,            "---"),
            (O::RevokeApiKey,         "session", Some(ME),        "yyy"),
            (O::RevokeApiKey,         "session", Some(OTHER),     "--y"),
            (O::RevokeApiKey,         "session", Some(BOT),       "--y"),
            (O::RevokeApiKey,         "key",     Some(ME),        "yyy"),
            (O::RevokeApiKey,         "bot",     Some(BOT),       "yyy"),
            (O::RevokeApiKey,         "bot",     Some(OTHER_BOT), "--y"),
            (O::RenameApiKey,         "session", Some(ME),        "yyy"),
            (O::RenameApiKey,         "session", Some(OTHER),     "---"),
            (O::RenameApiKey,         "session", Some(BOT),       "--y"),
            (O::RenameApiKey,         "bot",     Some(BOT),       "yyy"),
            (O::RenameApiKey,         "bot",     Some(OTHER_BOT), "--y"),
            (O::SuspendApiKey,        "session", Some(ME),        "yyy"),
            (O::SuspendApiKey,        "session", Some(OTHER),     "--y"),
            (O::SuspendApiKey,        "session", Some(BOT),       "--y"),
            (O::SuspendApiKey,        "key",     Some(ME),        "yyy"),
            (O::SuspendApiKey,        "bot",     Some(OTHER_BOT), "--y"),
            (O::ResumeApiKey,         "session", Some(ME),        "-yy"),
            (O::ResumeApiKey,         "session", Some(OTHER),     "--y"),
            (O::ResumeApiKey,         "session", Some(BOT),       "--y"),
            (O::ResumeApiKey,         "bot",     Some(BOT),       "-yy"),
            (O::ResumeApiKey,         "bot",     Some(OTHER_BOT), "--y"),
            (O::GetApiKeyUsage,       "session", Some(ME),        "yyy"),
            (O::GetApiKeyUsage,       "session", Some(OTHER),     "--y"),
            (O::GetApiKeyUsage,       "session", Some(BOT),       "--y"),
            (O::GetApiKeyUsage,       "bot",     Some(BOT),       "yyy"),
            (O::GetApiKeyUsage,       "bot",     Some(OTHER_BOT), "--y"),
            (O::RollApiKey,           "session", Some(ME),        "-yy"),
            (O::RollApiKey,           "session", Some(OTHER),     "---"),
            (O::RollApiKey,           "session", Some(BOT),       "--y"),
            (O::RollApiKey,           "key",     Some(ME),        "-yy"),
            (O::RollApiKey,           "bot",     Some(BOT),       "-yy"),
            (O::RollApiKey,           "bot",     Some(OTHER_BOT), "--y"),
            (O::FinishRoll,           "session", Some(ME),        "yyy"),
            (O::FinishRoll,           "session", Some(OTHER),     "---"),
            (O::FinishRoll,           "session", Some(BOT),       "--y"),
            (O::FinishRoll,           "bot",     Some(BOT),       "yyy"),
            (O::FinishRoll,           "bot",     Some(OTHER_BOT), "--y"),
            (O::ExtendRoll,           "session", Some(ME),        "-yy"),
            (O::ExtendRoll,           "session", Some(OTHER),     "---"),
            (O::ExtendRoll,           "session", Some(BOT),       "--y"),
            (O::ExtendRoll,           "bot",     Some(BOT),       "-yy"),
            (O::ExtendRoll,           "bot",     Some(OTHER_BOT), "--y"),
            (O::CancelRoll,           "session", Some(ME),        "-yy"),
            (O::CancelRoll,           "session", Some(OTHER),     "---"),
            (O::CancelRoll,           "session", Some(BOT),       "--y"),
            (O::CancelRoll,           "bot",     Some(BOT),       "-yy"),
            (O::CancelRoll,           "bot",     Some(OTHER_BOT), "--y"),
            (O::RenameServiceAccount, "session", Some(BOT),       "--y"),
            (O::RenameServiceAccount, "bot",     Some(BOT),       "--y"),
            (O::ChangeServiceAccountRole, "session", Some(BOT),   "--y"),
            (O::ChangeServiceAccountRole, "bot", Some(OTHER_BOT), "--y"),
            (O::SuspendServiceAccount, "session", Some(BOT),      "--y"),
            (O::SuspendServiceAccount, "key",    Some(BOT),       "--y"),
            (O::ResumeServiceAccount, "session", Some(BOT),       "--y"),
            (O::ResumeServiceAccount, "bot",     Some(OTHER_BOT), "--y"),
            (O::ListServiceAccounts,  "session", None,            "--y"),
            (O::ListServiceAccounts,  "bot",     None,            "--y"),
            (O::GetServiceAccount,    "session", Some(BOT),       "--y"),
            (O::GetServiceAccount,    "bot",     Some(OTHER_BOT), "--y"),
            (O::CreateServiceAccount, "session", None,            "--y"),
            (O::CreateServiceAccount, "key",     None,            "--y"),
            (O::CreateServiceAccount, "bot",     None,            "--y"),
            (O::DeleteServiceAccount, "session", Some(BOT),       "--y"),
            (O::DeleteServiceAccount, "bot",     Some(OTHER_BOT), "--y"),
            (O::GetTenant,            "session", None,            "yyy"),
            (O::GetTenant,            "key",     None,            "yyy"),
            (O::GetTenant,            "bot",     None,            "yyy"),
            (O::RegisterAgent,        "session", Some(ME),        "---"),
            (O::RegisterAgent,        "key",     Some(ME),        "yyy"),
            (O::RegisterAgent,        "key",     Some(BOT),       "---"),
            (O::RegisterAgent,        "bot",     Some(BOT),       "yyy"),
            (O::RegisterAgent,        "bot",     Some(OTHER_BOT), "---"),
            (O::PollQueue,            "session", Some(ME),        "---"),
            (O::PollQueue,            "key",     Some(ME),        "yyy"),
            (O::PollQueue,            "bot",     Some(BOT),       "yyy"),
            (O::PollQueue,            "bot",     Some(OTHER_BOT), "---"),
            (O::ListAgents,           "session", None,            "--y"),
            (O::ListAgents,           "session", Some(ME),        "yyy"),
            (O::ListAgents,           "session", Some(OTHER),     "--y"),
            (O::ListAgents,           "session", Some(BOT),       "--y"),
            (O::ListAgents,           "key",     None,            "--y"),
            (O::ListAgents,           "bot",     Some(BOT),       "yyy"),
            (O::ListAgents,           "bot",     Some(OTHER_BOT), "--y"),
            (O::ListAuditLog,         "session", None,            "--y"),
            (O::ListAuditLog,         "key",     None,            "--y"),
            (O::ListAuditLog,         "bot",     None,            "--y"),
            (O::CreateTenant, "session", None, "--y"),
            (O::CreateTenant, "key", None, "--y"),
            (O::CreateTenant, "bot", None, "---"),
            (O::RenameTenant, "session", None, "--y"),
            (O::RenameTenant, "key", None, "--y"),
            (O::RenameTenant, "bot", None, "--y"),
            (O::InviteMember, "session", None, "--y"),
            (O::InviteMember, "key", None, "--y"),
            (O::InviteMember, "bot", None, "--y"),
            (O::ListInvitations, "session", None, "--y"),
            (O::ListInvitations, "key", None, "--y"),
            (O::ListInvitations, "bot", None, "--y"),
            (O::CancelInvitation, "session", None, "--y"),
            (O::CancelInvitation, "key", None, "--y"),
            (O::CancelInvitation, "bot", None, "--y"),
            (O::AcceptInvitation, "session", None, "yyy"),
            (O::AcceptInvitation, "key", None, "yyy"),
            (O::AcceptInvitation, "bot", None, "---"),
            (O::CreateCalendarFeed, "session", None, "yyy"),
            (O::CreateCalendarFeed, "key", None, "yyy"),
            (O::CreateCalendarFeed, "bot", None, "---"),
            (O::RevokeCalendarFeed, "session", None, "yyy"),
            (O::RevokeCalendarFeed, "key", None, "yyy"),
            (O::RevokeCalendarFeed, "bot", None, "---"),
            (O::ListTenantKeys, "session", None, "--y"),
            (O::ListTenantKeys, "key", None, "--y"),
            (O::ListTenantKeys, "bot", None, "--y"),
            (O::SuspendApiKeys, "session", None, "--y"),
            (O::SuspendApiKeys, "key", None, "--y"),
            (O::SuspendApiKeys, "bot", None, "--y"),
            (O::RevokeApiKeys, "session", None, "--y"),
            (O::RevokeApiKeys, "key", None, "--y"),
            (O::RevokeApiKeys, "bot", None, "--y"),
            (O::ListPolicies, "session", None, "yyy"),
            (O::ListPolicies, "key", None, "yyy"),
            (O::ListPolicies, "bot", None, "yyy"),
            (O::PreviewPolicy, "session", None, "--y"),
            (O::PreviewPolicy, "key", None, "--y"),
            (O::PreviewPolicy, "bot", None, "--y"),
            (O::SetPolicy, "session", None, "--y"),
            (O::SetPolicy, "key", None, "--y"),
            (O::SetPolicy, "bot", None, "--y"),
            (O::ClearPolicy, "session", None, "--y"),
            (O::ClearPolicy, "key", None, "--y"),
            (O::ClearPolicy, "bot", None, "--y"),
            (O::ListMembers,          "session", None,            "yyy"),
            (O::ListMembers,          "bot",     None,            "yyy"),
            (O::ChangeMemberRole,     "session", None,            "--y"),
            (O::ChangeMemberRole,     "key",     None,            "--y"),
            (O::ChangeMemberRole,     "bot",     None,            "--y"),
            (O::RemoveMember,         "session", None,            "--y"),
            (O::RemoveMember,         "bot",     None,            "--y"),
        ]
    };

    fn cell(who: &str, role: Role) -> Actor {
        match who {
            "session" => actor(ME, role, false),
            "key" => actor(ME, role, true),
            _ => actor(BOT, role, true),
        }
    }

    #[test]
    fn the_rights_table_holds_cell_by_cell() {
        for (operation, who, owner, row) in TABLE {
            for (role, expected) in [Role::ReadOnlyUser, Role::User, Role::TenantAdmin].into_iter().zip(row.chars()) {
                let target = owner.map_or(Target::Tenant(HERE), |owner| Target::Owner(HERE, owner));
                let outcome = authorize(&cell(who, role), *operation, target);
                let seen = match outcome {
                    Ok(_) => 'y',
                    Err(error) => {
                        assert_eq!(error.code, ErrorCode::Forbidden);
                        '-'
                    }
                };
                assert_eq!(seen, expected, "{operation:?} by {who} as {role:?} on {owner:?}");
            }
        }
    }

    #[test]
    fn everything_in_another_tenant_is_not_found_for_everybody() {
        for operation in Operation::ALL {
            for who in ["session", "key", "bot"] {
                for role in Role::ALL {
                    for target in [Target::Tenant(THERE), Target::Owner(THERE, ME), Target::Owner(THERE, BOT)] {
                        let error = authorize(&cell(who, role), *operation, target).expect_err("a wall");
                        assert_eq!(error, ApiError::not_found());
                    }
                }
            }
        }
    }

    #[test]
    fn the_table_names_every_operation() {
        for operation in Operation::ALL {
            assert!(TABLE.iter().any(|(row, ..)| row == operation), "{operation:?} has no row");
        }
    }
}
