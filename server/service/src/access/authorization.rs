//! Authorization: who may do what. Does no I/O, so that the whole rights table can be tested cell by cell.

use domain::{
    ApiError, ApiKey, ErrorCode, Membership, Operation, Owner, Role, TenantId, audit::ActionGroup, operation::Right,
};

use super::{
    actor::Actor,
    own_scopes,
    permit::{ReadPermit, WritePermit},
};

/// What an operation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The tenant as a whole, or all its records of one kind.
    Tenant(TenantId),
    /// An owner's keys, or the owner itself, in a tenant.
    Owner(TenantId, Owner),
    /// What all tenants share, as an actor in the first tenant sees it. The second is the tenant whose members may have
    /// the right to change it; `None` if that is the operator alone.
    Shared(TenantId, Option<TenantId>),
}

/// Decides whether an actor may perform an operation. The permit allows reading the target, whatever the operation,
/// because anyone who may change something may also read it.
///
/// # Errors
/// `NOT_FOUND` for a target in another tenant; `FORBIDDEN` without the right.
pub fn authorize(actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit, ApiError> {
    let (tenant_id, owner) = match target {
        Target::Tenant(tenant) | Target::Shared(tenant, _) => (tenant, None),
        Target::Owner(tenant, owner) => (tenant, Some(owner)),
    };
    if tenant_id != actor.tenant_id() {
        return Err(ApiError::not_found());
    }
    own_scopes::check(actor, operation)?;
    if let Target::Shared(tenant, editor) = target
        && !operation.is_read()
        && editor != Some(tenant)
    {
        return Err(ApiError::forbidden(OF_THE_OPERATOR));
    }
    if is_allowed(actor, operation, owner) {
        Ok(ReadPermit::new(tenant_id, owner, operation))
    } else {
        let own = owner.is_some() && owner == actor.owner();
        let by_operator = own && actor.acting_for().is_some();
        let message = if by_operator { OF_READ_ONLY_OWNER } else { refusal(operation, owner, own) };
        Err(ApiError::forbidden(message))
    }
}

/// Like [`authorize`], for an operation that changes something.
///
/// # Errors
/// As [`authorize`]; `INTERNAL` for an operation that only reads, which is a bug in the calling code.
pub fn authorize_write(actor: &Actor, operation: Operation, target: Target) -> Result<WritePermit, ApiError> {
    WritePermit::new(authorize(actor, operation, target)?)
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "This operation only reads."))
}

/// Whether pages and menus should offer an operation on the actor's tenant or on the actor's own keys. Only for
/// display: grants nothing.
pub fn offers(actor: &Actor, operation: Operation) -> bool {
    let own = actor.owner().map(|owner| Target::Owner(actor.tenant_id(), owner));
    let targets = [Some(Target::Tenant(actor.tenant_id())), own];
    targets.into_iter().flatten().any(|target| authorize(actor, operation, target).is_ok())
}

/// Like [`offers`], in another tenant of the user, with their role there.
pub fn offers_in(actor: &Actor, membership: &Membership, operation: Operation) -> bool {
    offers(&actor.with_membership(membership.tenant.id, membership.role), operation)
}

/// Whether menus should offer an operation on a key. Only for display: grants nothing. A user's own key in another of
/// their tenants can only be read: see [`crate::ApiKeys`].
pub(crate) fn is_offered(actor: &Actor, operation: Operation, key: &ApiKey) -> bool {
    let elsewhere = Some(key.owner) == actor.owner() && key.tenant_id != actor.tenant_id();
    let stays_stopped = operation == Operation::ResumeApiKey
        && !key.suspension.as_ref().is_some_and(|suspension| suspension.owner_may_resume)
        && !may_resume_for_others(actor);
    let stays_stopped =
        stays_stopped || (operation == Operation::ResumeApiKey && check_exposed(actor, key, "resume it").is_err());
    let target = Target::Owner(key.tenant_id, key.owner);
    if elsewhere { operation.is_read() } else { !stays_stopped && authorize(actor, operation, target).is_ok() }
}

/// Refuses to grant a role above the actor's own.
///
/// # Errors
/// A field error at `role`.
pub(crate) fn check_grant(actor: &Actor, role: Role) -> Result<(), ApiError> {
    if role > actor.role() {
        return Err(ApiError::field("role", "You can't grant a role above your own."));
    }
    Ok(())
}

/// Checks that an owner may still create the key that the permit is for. `role`: its current role, which may have been
/// lowered since the permit was issued. Only for owners that create a key for themselves.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn check_still_creates(permit: &ReadPermit, role: Role) -> Result<(), ApiError> {
    if may_create_keys(role) {
        return Ok(());
    }
    Err(ApiError::forbidden(refusal(permit.operation(), permit.owner(), true)))
}

/// Whether an actor may resume a key that was suspended by someone other than its owner.
pub(crate) fn may_resume_for_others(actor: &Actor) -> bool {
    actor.role() == Role::TenantAdmin
}

/// Refuses to widen what an exposed key may do by a key: whoever has found the one may have found the other. `act`: what
/// is refused, such as "resume it".
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn check_exposed(actor: &Actor, key: &ApiKey, act: &str) -> Result<(), ApiError> {
    if key.exposure.is_some() && actor.key_id().is_some() {
        return Err(ApiError::forbidden(format!("This key was exposed. Only a signed-in user can {act}.")));
    }
    Ok(())
}

/// Who sent an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inviter {
    /// The operator, who has no id.
    Unnamed,
    /// A user or a service account, with its current role in the tenant; `None` if it no longer has one.
    Named(Option<Role>),
}

/// Whether an invitation is still valid: only while its inviter may send invitations.
pub(crate) fn inviter_may_still_invite(inviter: Inviter) -> bool {
    matches!(inviter, Inviter::Unnamed | Inviter::Named(Some(Role::TenantAdmin)))
}

/// Whether an owner with the role may create keys for itself, or do something equivalent.
fn may_create_keys(role: Role) -> bool {
    role >= Role::User
}

fn is_allowed(actor: &Actor, operation: Operation, owner: Option<Owner>) -> bool {
    let administers = actor.role() == Role::TenantAdmin;
    let own = owner.is_some() && owner == actor.owner();
    let makes_own = own && may_create_keys(actor.role());
    let of_account = matches!(owner, Some(Owner::ServiceAccount(_)));
    match operation.right() {
        Right::OwnAccount => actor.user_id().is_some(),
        Right::OwnSession => actor.is_session(),
        Right::AdministerInSession => actor.is_session() && administers,
        Right::AdministerAsUser => actor.user_id().is_some() && administers,
        Right::ViewOrStopKey => own || administers,
        Right::ResumeKey => makes_own || administers,
        Right::ChangeKey => own || (administers && of_account),
        Right::IssueKey => makes_own || (administers && of_account),
        Right::OwnAgent => own && actor.key_id().is_some(),
        Right::RunFlows => makes_own,
        Right::Belong => true,
        Right::Administer => administers,
    }
}

/// The refusal for what all tenants share.
const OF_THE_OPERATOR: &str =
    "All tenants share the scope catalogue. Ask the operator, who can change it at the command line.";

/// The refusal that the operator reads who acts for a user. Operators are refused nothing else.
const OF_READ_ONLY_OWNER: &str =
    "The user has the role Read only, which doesn't allow this. Change it with latchkey admin set-role.";

/// The refusal for service accounts and their keys.
const OF_ACCOUNTS: &str = "Ask an administrator to manage service accounts.";

/// The refusal for the keys of the whole tenant.
const OF_ALL_KEYS: &str = "Only administrators can view and manage all keys in the tenant.";

/// `own`: whether the actor is the owner.
fn refusal(operation: Operation, owner: Option<Owner>, own: bool) -> &'static str {
    let of_user = matches!(owner, Some(Owner::User(_)));
    match (operation.right(), operation) {
        (Right::OwnAccount, _) => "Service accounts can't do this. Use a personal key.",
        (Right::OwnSession, _) => "API keys can't do this. Sign in to the dashboard.",
        (Right::AdministerInSession, _) => "Ask an administrator to unlock two-factor codes in the dashboard.",
        (Right::AdministerAsUser, _) => "Only users with the role Administrator can create tenants.",
        (_, Operation::ListAgents) => "Only administrators can view all agents. Yours are listed with your keys.",
        (_, Operation::ListFlowRuns) => "Only administrators can view all flow runs. Yours are listed with your keys.",
        (_, Operation::CreateApiKey) if own => {
            "You can't create keys with the role Read only. Ask an administrator to change it."
        }
        (Right::ResumeKey | Right::IssueKey, _) if own => {
            "You can't do this with the role Read only. Ask an administrator to change it."
        }
        (_, Operation::CreateApiKey) if of_user => {
            "You can't create keys for another user. They have to create their own."
        }
        (Right::ViewOrStopKey | Right::ResumeKey | Right::ChangeKey | Right::IssueKey, _) if of_user => {
            "You can't do this with this key. Ask its owner or an administrator."
        }
        (Right::ViewOrStopKey | Right::ResumeKey | Right::ChangeKey | Right::IssueKey, _) => OF_ACCOUNTS,
        (Right::OwnAgent, _) => "Only an agent can do this, with its API key.",
        (Right::RunFlows, _) => {
            "You can't let agents run flows with the role Read only. Ask an administrator to change it."
        }
        // Never refused inside the tenant.
        (Right::Belong, _) => "Only members of the tenant can view this.",
        (Right::Administer, Operation::GetOverview) => OF_ALL_KEYS,
        (Right::Administer, _) => match operation.group() {
            ActionGroup::Keys => OF_ALL_KEYS,
            ActionGroup::ServiceAccounts => OF_ACCOUNTS,
            ActionGroup::Members | ActionGroup::Invitations => "Ask an administrator to manage members.",
            ActionGroup::Scopes => "Only administrators can change the scope catalogue.",
            ActionGroup::AuditLog => "Only administrators can view the audit log.",
            _ => "Only administrators can manage the tenant's settings.",
        },
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

    /// The answers for all roles, as the letters of a cell.
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
    fn everything_in_another_tenant_is_not_found_for_everybody() {
        for operation in Operation::ALL {
            for who in ACTORS {
                for role in ROLES {
                    for target in [Target::Tenant(THERE), Target::Owner(THERE, ME), Target::Owner(THERE, BOT)] {
                        let error = authorize(&cell(who, role), *operation, target).expect_err("another tenant");
                        assert_eq!(error, ApiError::not_found());
                    }
                }
            }
        }
    }

    #[test]
    fn what_all_tenants_share_is_changed_in_one_tenant_and_viewed_in_all() {
        let administrator = cell("session", Role::TenantAdmin);
        for (editor, expected) in [(Some(HERE), true), (Some(THERE), false), (None, false)] {
            let target = Target::Shared(HERE, editor);
            assert_eq!(authorize(&administrator, Operation::SetScope, target).is_ok(), expected, "{editor:?}");
            assert!(authorize(&administrator, Operation::ListScopes, target).is_ok());
            assert!(authorize(&cell("session", Role::User), Operation::SetScope, target).is_err());
            let elsewhere = authorize(&administrator, Operation::SetScope, Target::Shared(THERE, editor));
            assert_eq!(elsewhere.unwrap_err(), ApiError::not_found());
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
                let there = authorize(&operator, *operation, Target::Tenant(THERE)).expect_err("another tenant");
                assert_eq!(there, ApiError::not_found());
            }
        }
    }

    #[test]
    fn the_operator_acting_for_a_user_has_the_users_rights_to_their_keys() {
        let Owner::User(me) = ME else { unreachable!("a user") };
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
    fn a_role_lowered_to_read_only_creates_no_key_and_says_why() {
        for (who, owner) in [("session", ME), ("bot", BOT)] {
            let target = Target::Owner(HERE, owner);
            let permit = authorize(&cell(who, Role::User), Operation::CreateApiKey, target).unwrap();
            assert_eq!(ROLES.map(|role| check_still_creates(&permit, role).is_ok()), [false, true, true]);
            let refused = authorize(&cell(who, Role::ReadOnlyUser), Operation::CreateApiKey, target).unwrap_err();
            assert_eq!(check_still_creates(&permit, Role::ReadOnlyUser), Err(refused));
        }
    }
}
