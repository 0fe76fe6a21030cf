//! The rights table of the design, which the tests of authorization and of each adapter check.

use domain::{Operation, Role};

/// The kinds of actor: a user with a session, a user with a key, a service account with a key. The rows of a [`Grid`].
pub const ACTORS: [&str; 3] = ["session", "key", "bot"];
/// The targets: the tenant, or an owner. `ME` is the acting user, `BOT` the acting service account. The columns of a
/// [`Grid`].
pub const COLUMNS: [&str; 5] = ["tenant", "ME", "OTHER", "BOT", "OTHER_BOT"];
/// The roles, in the order of a cell's letters.
pub const ROLES: [Role; 3] = [Role::ReadOnlyUser, Role::User, Role::TenantAdmin];

/// Each cell has one letter for each of [`ROLES`]: `y` allowed, `-` forbidden.
pub type Grid = [[&'static str; 5]; 3];

/// The complete rights table of the design. Operations with the same rights share a grid. A cell that no adapter needs,
/// such as an operation on the tenant with an owner as its target, states the actual answer too.
#[rustfmt::skip]
pub const TABLE: &[(&[Operation], Grid)] = {
    use Operation as O;
    &[
        // A user's own account, with a session or a key.
        (&[
            O::ViewSelf, O::UpdateProfile, O::ListSessions, O::AcceptInvitation,
            O::CreateCalendarFeed, O::RevokeCalendarFeed,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // A user's own account, only with a session.
        (&[
            O::SwitchTenant, O::ChangePassword, O::ConfirmSignIn, O::EndSession, O::EndOtherSessions,
            O::BeginSecondFactor, O::EnableSecondFactor, O::DisableSecondFactor, O::RenewRecoveryCodes,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["---", "---", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // For administrators, only with a session.
        (&[O::UnlockSecondFactor], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "--y", "--y", "--y", "--y"],
            /* key     */ ["---", "---", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // For users who are administrators.
        (&[O::CreateTenant], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "--y", "--y", "--y", "--y"],
            /* key     */ ["--y", "--y", "--y", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "---", "---"],
        ]),
        // To view a key and to stop it: its owner and administrators.
        (&[
            O::ListApiKeys, O::GetApiKey, O::GetApiKeyUsage, O::ListAgents, O::ListFlowRuns, O::SuspendApiKey, O::RevokeApiKey,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "yyy", "--y", "--y", "--y"],
            /* key     */ ["--y", "yyy", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "yyy", "--y"],
        ]),
        // To resume a key: the same, except owners with the role Read only.
        (&[O::ResumeApiKey], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "-yy", "--y", "--y", "--y"],
            /* key     */ ["--y", "-yy", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "-yy", "--y"],
        ]),
        // Changes that don't make a token work longer: the owner and, for service accounts, administrators.
        (&[O::RenameApiKey, O::FinishRoll, O::ChangeKeyScopes, O::ChangeKeyLimits], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "yyy", "---", "--y", "--y"],
            /* key     */ ["---", "yyy", "---", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "yyy", "--y"],
        ]),
        // Changes that create a token or make one work longer: the same, except owners with the role Read only.
        (&[O::CreateApiKey, O::RollApiKey, O::ExtendRoll, O::CancelRoll], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "-yy", "---", "--y", "--y"],
            /* key     */ ["---", "-yy", "---", "--y", "--y"],
            /* bot     */ ["---", "---", "---", "-yy", "--y"],
        ]),
        // For agents, with their own key.
        (&[O::RegisterAgent, O::PollQueue, O::ReportFlowRun], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "---", "---", "---", "---"],
            /* key     */ ["---", "yyy", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "yyy", "---"],
        ]),
        // To let agents run something: whoever could create a key that does the same.
        (&[O::CreateFlowProject, O::RegisterFlow, O::CreateFlowRun, O::CancelFlowRun], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["---", "-yy", "---", "---", "---"],
            /* key     */ ["---", "-yy", "---", "---", "---"],
            /* bot     */ ["---", "---", "---", "-yy", "---"],
        ]),
        // For everyone in the tenant.
        (&[O::GetTenant, O::ListMembers, O::ListKeyPolicies, O::ListScopes, O::ReadFlows], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* key     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
            /* bot     */ ["yyy", "yyy", "yyy", "yyy", "yyy"],
        ]),
        // For administrators, including service accounts.
        (&[
            O::ListServiceAccounts, O::GetServiceAccount, O::CreateServiceAccount, O::RenameServiceAccount,
            O::ChangeServiceAccountRole, O::SuspendServiceAccount, O::ResumeServiceAccount, O::DeleteServiceAccount,
            O::InviteMember, O::ListInvitations, O::CancelInvitation, O::ChangeMemberRole, O::RemoveMember,
            O::RenameTenant, O::PreviewKeyPolicy, O::SetKeyPolicy, O::ClearKeyPolicy, O::SetScope, O::RemoveScope,
            O::GetOverview, O::ListTenantKeys, O::SuspendApiKeys, O::RevokeApiKeys, O::ListAuditLog,
        ], [
            //             tenant ME     OTHER  BOT    OTHER_BOT
            /* session */ ["--y", "--y", "--y", "--y", "--y"],
            /* key     */ ["--y", "--y", "--y", "--y", "--y"],
            /* bot     */ ["--y", "--y", "--y", "--y", "--y"],
        ]),
    ]
};

/// Whether the table allows an operation. `who`: one of [`ACTORS`]; `whose`: one of [`COLUMNS`].
///
/// # Panics
/// If the table has no such cell.
pub fn allows(operation: Operation, who: &str, whose: &str, role: Role) -> bool {
    let place =
        |names: &[&str], name: &str| names.iter().position(|other| *other == name).expect("a name of the table");
    let (_, grid) = TABLE.iter().find(|(operations, _)| operations.contains(&operation)).expect("every operation");
    let letter = ROLES.iter().position(|other| *other == role).expect("every role");
    grid[place(&ACTORS, who)][place(&COLUMNS, whose)].as_bytes()[letter] == b'y'
}
