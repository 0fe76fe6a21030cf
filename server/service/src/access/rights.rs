//! The rights table of the design, as the tests of each adapter hold it.

use domain::{Operation, Role};

/// The kinds of actor: a person by session, a person by key, a service account by key. The rows of a [`Grid`].
pub const ACTORS: [&str; 3] = ["session", "key", "bot"];
/// Whose it is: the tenant's, or an owner's; of an actor's own there are a person's, `ME`, and a service account's, `BOT`. The
/// columns of a [`Grid`].
pub const COLUMNS: [&str; 5] = ["tenant", "ME", "OTHER", "BOT", "OTHER_BOT"];
/// The roles in the order of a cell's letters.
pub const ROLES: [Role; 3] = [Role::ReadOnlyUser, Role::User, Role::TenantAdmin];

/// A cell's letters are for [`ROLES`]: `y` yes, `-` forbidden.
pub type Grid = [[&'static str; 5]; 3];

/// The rights table of the design, complete: operations with the same rights share a grid. A person is `ME` and a service
/// account `BOT`. A cell that no adapter asks for, as a tenant's matter with an owner, says what is answered all the same.
#[rustfmt::skip]
pub const TABLE: &[(&[Operation], Grid)] = {
    use Operation as O;
    &[
        // A person's own, by session or key.
        (&[
            O::ViewSelf, O::UpdateProfile, O::ListSessions, O::AcceptInvitation,
            O::CreateCalendarFeed, O::RevokeCalendarFeed,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // A person's own, by session alone.
        (&[
            O::SwitchTenant, O::ChangePassword, O::ConfirmSignIn, O::EndSession, O::EndOtherSessions,
            O::BeginSecondFactor, O::EnableSecondFactor, O::DisableSecondFactor, O::RenewRecoveryCodes,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["---", "---", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // For a person who administers.
        (&[O::CreateTenant], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "--y", "--y", "--y", "--y"],
            /* key     */ ["--y", "--y", "--y", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // To see a key and to stop it: its owner, and who administers.
        (&[
            O::ListApiKeys, O::GetApiKey, O::GetApiKeyUsage, O::ListAgents, O::SuspendApiKey, O::RevokeApiKey,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "yyy", "--y", "--y", "--y"],
            /* key     */ ["--y", "yyy", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "yyy", "--y"],
        ]),
        // To let it work again: the same, but not an owner that may only read.
        (&[O::ResumeApiKey], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "-yy", "--y", "--y", "--y"],
            /* key     */ ["--y", "-yy", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "-yy", "--y"],
        ]),
        // What changes nothing of how long a token works, or shortens it: the owner, and of accounts who administers.
        (&[O::RenameApiKey, O::FinishRoll], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "yyy", "---", "--y", "--y"],
            /* key     */ ["---", "yyy", "---", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "yyy", "--y"],
        ]),
        // What makes a token, or lets one live longer: the same, but not an owner that may only read.
        (&[O::CreateApiKey, O::RollApiKey, O::ExtendRoll, O::CancelRoll], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "-yy", "---", "--y", "--y"],
            /* key     */ ["---", "-yy", "---", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "-yy", "--y"],
        ]),
        // An agent's, by its own key.
        (&[O::RegisterAgent, O::PollQueue], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "---", "---", "---", "---"],
            /* key     */ ["---", "yyy", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "yyy", "---"],
        ]),
        // For everybody in the tenant.
        (&[O::GetTenant, O::ListMembers, O::ListPolicies], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* bot     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
        ]),
        // For who administers, a service account too.
        (&[
            O::ListServiceAccounts, O::GetServiceAccount, O::CreateServiceAccount, O::RenameServiceAccount,
            O::ChangeServiceAccountRole, O::SuspendServiceAccount, O::ResumeServiceAccount, O::DeleteServiceAccount,
            O::InviteMember, O::ListInvitations, O::CancelInvitation, O::ChangeMemberRole, O::RemoveMember,
            O::RenameTenant, O::PreviewPolicy, O::SetPolicy, O::ClearPolicy,
            O::ListTenantKeys, O::SuspendApiKeys, O::RevokeApiKeys, O::ListAuditLog,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "--y", "--y", "--y", "--y"],
            /* key     */ ["--y", "--y", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "--y", "--y"],
        ]),
    ]
};

/// Whether the table allows an operation. `who`: of [`ACTORS`]; `whose`: of [`COLUMNS`].
///
/// # Panics
/// When the table has no such cell.
pub fn allows(operation: Operation, who: &str, whose: &str, role: Role) -> bool {
    let place =
        |names: &[&str], name: &str| names.iter().position(|other| *other == name).expect("a name of the table");
    let (_, grid) = TABLE.iter().find(|(operations, _)| operations.contains(&operation)).expect("every operation");
    let letter = ROLES.iter().position(|other| *other == role).expect("every role");
    grid[place(&ACTORS, who)][place(&COLUMNS, whose)].as_bytes()[letter] == b'y'
}
