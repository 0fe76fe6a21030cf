//! Who may do what: the only yes or no. No I/O, so that the whole table is tested cell by cell.

use domain::{ApiError, ApiKey, ErrorCode, Membership, Operation, Owner, Role, TenantId};

use super::{
    actor::Actor,
    permit::{ReadPermit, WritePermit},
};

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The tenant as a whole, or its rows of a kind.
    Tenant(TenantId),
    /// What an owner has in a tenant.
    Owner(TenantId, Owner),
}

/// Decides. Whoever may change something may look at it: the permit opens what reads, whatever the operation.
///
/// # Errors
/// `NOT_FOUND` for anything of another tenant, `FORBIDDEN` inside one's own without the right.
pub fn authorize(actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit, ApiError> {
    let (tenant_id, owner) = match target {
        Target::Tenant(tenant) => (tenant, None),
        Target::Owner(tenant, owner) => (tenant, Some(owner)),
    };
    if tenant_id != actor.tenant_id() {
        return Err(ApiError::not_found());
    }
    if is_allowed(actor, operation, owner) {
        Ok(ReadPermit::new(tenant_id, owner, operation))
    } else {
        let own = owner.is_some() && owner == actor.owner();
        Err(ApiError::forbidden(refusal(operation, owner, own)))
    }
}

/// Decides about an operation that changes something.
///
/// # Errors
/// As [`authorize`]; `INTERNAL` for an operation that only reads, which is a fault of the code that asks.
pub fn authorize_write(actor: &Actor, operation: Operation, target: Target) -> Result<WritePermit, ApiError> {
    WritePermit::new(authorize(actor, operation, target)?)
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "This operation changes nothing."))
}

/// Whether to offer an operation, on the tenant that the actor stands in or on what is the actor's own: a question for menus
/// and pages, never a right.
pub fn offers(actor: &Actor, operation: Operation) -> bool {
    let own = actor.owner().map(|owner| Target::Owner(actor.tenant_id(), owner));
    let targets = [Some(Target::Tenant(actor.tenant_id())), own];
    targets.into_iter().flatten().any(|target| authorize(actor, operation, target).is_ok())
}

/// The same in a tenant that the person belongs to, by their role there.
pub fn offers_in(actor: &Actor, membership: &Membership, operation: Operation) -> bool {
    offers(&actor.with_membership(membership.tenant.id, membership.role), operation)
}

/// Whether to offer an operation on a key: a question for menus, never a right. A person's own key in another of their
/// tenants is judged there, when it is done.
pub(crate) fn is_offered(actor: &Actor, operation: Operation, key: &ApiKey) -> bool {
    let elsewhere = Some(key.owner) == actor.owner() && key.tenant_id != actor.tenant_id();
    let stays_stopped = operation == Operation::ResumeApiKey
        && !key.suspension.as_ref().is_some_and(|suspension| suspension.owner_may_resume)
        && !may_lift(actor);
    let target = Target::Owner(key.tenant_id, key.owner);
    elsewhere || (!stays_stopped && authorize(actor, operation, target).is_ok())
}

/// Nobody grants a role above their own.
///
/// # Errors
/// A field error at `role`.
pub(crate) fn check_grant(actor: &Actor, role: Role) -> Result<(), ApiError> {
    if role > actor.role() {
        return Err(ApiError::field("role", "You can't grant a role above your own."));
    }
    Ok(())
}

/// Whether an owner may still make the key that the permit is for, by the role that it has now: it may have been lowered
/// since. Only for who makes a key of its own.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn check_still_makes(permit: &ReadPermit, role: Role) -> Result<(), ApiError> {
    if makes_keys(role) {
        return Ok(());
    }
    Err(ApiError::forbidden(refusal(permit.operation(), permit.owner(), true)))
}

/// Whether an actor may let a key work again that another hand than its owner's has stopped.
pub(crate) fn may_lift(actor: &Actor) -> bool {
    actor.role() == Role::TenantAdmin
}

/// Who sent an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inviter {
    /// The operator, who has no id.
    Unnamed,
    /// A person or a service account, with their role in the tenant now.
    Named(Option<Role>),
}

/// Whether an invitation is still valid: whoever sent it may still send one.
pub(crate) fn inviter_may_still_invite(inviter: Inviter) -> bool {
    matches!(inviter, Inviter::Unnamed | Inviter::Named(Some(Role::TenantAdmin)))
}

/// Whether who has the role may make keys of its own, and what is as good as that.
fn makes_keys(role: Role) -> bool {
    role >= Role::User
}

fn is_allowed(actor: &Actor, operation: Operation, owner: Option<Owner>) -> bool {
    let administers = actor.role() == Role::TenantAdmin;
    let own = owner.is_some() && owner == actor.owner();
    let makes_own = own && makes_keys(actor.role());
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
            makes_own || (administers && of_account)
        }
        Operation::CreateApiKey => match owner {
            Some(Owner::User(_)) => makes_own,
            Some(Owner::ServiceAccount(_)) => makes_own || administers,
            None => false,
        },
        Operation::ListMembers | Operation::GetTenant | Operation::ListPolicies => true,
        // Ending a roll stops a token, and makes none.
        Operation::RenameApiKey | Operation::FinishRoll => own || (administers && of_account),
        Operation::ResumeApiKey => makes_own || administers,
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

/// What is said of service accounts and of their keys.
const OF_ACCOUNTS: &str = "Service accounts are managed by the tenant's administrators.";

/// `own`: whether the owner is who asks.
fn refusal(operation: Operation, owner: Option<Owner>, own: bool) -> &'static str {
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
        Operation::CreateApiKey => match owner {
            _ if own => "With the role Read only you can't create keys. Ask an administrator of the tenant.",
            Some(Owner::User(_)) => {
                "You can create keys for yourself only, and not with the role Read only. Ask an administrator of the tenant."
            }
            _ => OF_ACCOUNTS,
        },
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
        | Operation::ResumeApiKey => match owner {
            Some(Owner::User(_)) => "You can't do this with this key. Ask its owner or an administrator of the tenant.",
            _ => OF_ACCOUNTS,
        },
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
        // Nobody in the tenant is refused these.
        Operation::GetTenant | Operation::ListMembers | Operation::ListPolicies => {
            "This is for the members of the tenant."
        }
        Operation::ListServiceAccounts
        | Operation::GetServiceAccount
        | Operation::CreateServiceAccount
        | Operation::RenameServiceAccount
        | Operation::ChangeServiceAccountRole
        | Operation::SuspendServiceAccount
        | Operation::ResumeServiceAccount
        | Operation::DeleteServiceAccount => OF_ACCOUNTS,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{KeyId, Name, ServiceAccountId, Slug, Tenant, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::access::{
        actor::Principal,
        rights::{ACTORS, ROLES, TABLE},
    };

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

    /// The owner of each column.
    const OWNERS: [Option<Owner>; 5] = [None, Some(ME), Some(OTHER), Some(BOT), Some(OTHER_BOT)];

    fn cell(who: &str, role: Role) -> Actor {
        match who {
            "session" => actor(ME, role, false),
            "key" => actor(ME, role, true),
            _ => actor(BOT, role, true),
        }
    }

    /// What is answered, as a cell's letters.
    fn answers(operation: Operation, who: &str, owner: Option<Owner>) -> String {
        let target = owner.map_or(Target::Tenant(HERE), |owner| Target::Owner(HERE, owner));
        let letter = |role| match authorize(&cell(who, role), operation, target) {
            Ok(_) => 'y',
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Forbidden);
                '-'
            }
        };
        ROLES.into_iter().map(letter).collect()
    }

    #[test]
    fn the_rights_table_holds_cell_by_cell() {
        for (operations, grid) in TABLE {
            for operation in *operations {
                for (who, row) in ACTORS.into_iter().zip(grid) {
                    for (owner, expected) in OWNERS.into_iter().zip(row) {
                        assert_eq!(answers(*operation, who, owner), *expected, "{operation:?} by {who} on {owner:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_operation_stands_in_the_table_once() {
        for operation in Operation::ALL {
            let places = TABLE.iter().flat_map(|(operations, _)| operations.iter()).filter(|one| *one == operation);
            assert_eq!(places.count(), 1, "{operation:?}");
        }
    }

    #[test]
    fn everything_in_another_tenant_is_not_found_for_everybody() {
        for operation in Operation::ALL {
            for who in ACTORS {
                for role in ROLES {
                    for target in [Target::Tenant(THERE), Target::Owner(THERE, ME), Target::Owner(THERE, BOT)] {
                        let error = authorize(&cell(who, role), *operation, target).expect_err("a wall");
                        assert_eq!(error, ApiError::not_found());
                    }
                }
            }
        }
    }

    #[test]
    fn the_operator_has_the_rights_of_an_administrator_in_one_tenant_but_nothing_of_its_own() {
        let operator = Actor::operator(HERE);
        for (operations, grid) in TABLE {
            for operation in *operations {
                let is_personal = grid[2] == ["---"; 5];
                for owner in OWNERS.into_iter().filter(|owner| *owner != Some(ME)) {
                    let target = owner.map_or(Target::Tenant(HERE), |owner| Target::Owner(HERE, owner));
                    let administrator = authorize(&cell("session", Role::TenantAdmin), *operation, target).is_ok();
                    let allowed = authorize(&operator, *operation, target).is_ok();
                    assert_eq!(allowed, administrator && !is_personal, "{operation:?} on {owner:?}");
                }
                let there = authorize(&operator, *operation, Target::Tenant(THERE)).expect_err("a wall");
                assert_eq!(there, ApiError::not_found());
            }
        }
    }

    #[test]
    fn the_operator_who_acts_for_a_person_has_the_persons_rights_to_their_keys() {
        let Owner::User(me) = ME else { unreachable!("a person") };
        let own = [Operation::CreateApiKey, Operation::RollApiKey, Operation::RevokeApiKey, Operation::RegisterAgent];
        for (role, expected) in
            [(Role::ReadOnlyUser, [false, false, true, false]), (Role::User, [true, true, true, false])]
        {
            let operator = Actor::operator_for((me, "me".to_owned()), HERE, role);
            let allowed = own.map(|operation| authorize(&operator, operation, Target::Owner(HERE, ME)).is_ok());
            assert_eq!(allowed, expected, "{role:?}");
            assert!(authorize(&operator, Operation::RevokeApiKey, Target::Owner(HERE, OTHER)).is_err());
            assert!(authorize(&operator, Operation::ChangePassword, Target::Tenant(HERE)).is_err());
        }
    }

    #[test]
    fn pages_offer_what_is_allowed_on_the_tenant_or_on_ones_own() {
        let offered = |role, operation| offers(&cell("session", role), operation);
        for (operation, expected) in [
            (Operation::ListApiKeys, [true, true, true]),
            (Operation::CreateApiKey, [false, true, true]),
            (Operation::ListServiceAccounts, [false, false, true]),
            (Operation::RegisterAgent, [false, false, false]),
        ] {
            assert_eq!(ROLES.map(|role| offered(role, operation)), expected, "{operation:?}");
        }
    }

    #[test]
    fn pages_offer_elsewhere_what_the_role_there_allows() {
        let (name, slug) = (Name::parse("There").unwrap(), Slug::parse("there").unwrap());
        let tenant = Tenant { id: THERE, name, slug, created_at: DateTime::UNIX_EPOCH };
        for here in ROLES {
            let offered = |role| {
                let membership = Membership { tenant: tenant.clone(), role };
                offers_in(&cell("session", here), &membership, Operation::CreateApiKey)
            };
            assert_eq!(ROLES.map(offered), [false, true, true], "{here:?} here");
        }
    }

    #[test]
    fn nobody_grants_a_role_above_their_own() {
        let granted = |own| ROLES.map(|role| check_grant(&cell("session", own), role).is_ok());
        assert_eq!(ROLES.map(granted), [[true, false, false], [true, true, false], [true, true, true]]);
    }

    #[test]
    fn who_may_only_read_by_now_makes_no_key_and_hears_why() {
        for (who, owner) in [("session", ME), ("bot", BOT)] {
            let target = Target::Owner(HERE, owner);
            let permit = authorize(&cell(who, Role::User), Operation::CreateApiKey, target).unwrap();
            assert_eq!(ROLES.map(|role| check_still_makes(&permit, role).is_ok()), [false, true, true]);
            let refused = authorize(&cell(who, Role::ReadOnlyUser), Operation::CreateApiKey, target).unwrap_err();
            assert_eq!(check_still_makes(&permit, Role::ReadOnlyUser), Err(refused));
        }
    }
}
