//! Which operations require a recent sign-in, and how recent it must be. A user in a browser enters the password again
//! before an operation creates, restores or reveals access, so that nobody can do so in an unattended browser.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode, Operation};

use super::actor::Actor;

/// How long after signing in, a user may perform an operation that requires a [`Confirmation`] without entering their
/// password again.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How far the time of a sign-in may be ahead of the clock: the clocks of two servers may differ. A time further ahead
/// comes from a clock that was wrong.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(1);

/// Whether an operation requires a recent sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Never: the operation only reads, only takes access away, or asks for the password itself.
    Never,
    /// Always: the operation creates, restores or reveals access.
    Always,
    /// Only when the change gives somebody more rights, weakens a key policy, or takes a copy of the audit log.
    WhenWidening,
}

/// The table of confirmations: whether an operation requires a recent sign-in. Keys are never asked, because they have
/// no sign-in, and neither is the operator.
pub fn confirmation_for(operation: Operation) -> Confirmation {
    use Operation as O;
    match operation {
        // Access that is created, that works longer than it would have, or that works again.
        O::CreateApiKey
        | O::RollApiKey
        | O::ExtendRoll
        | O::CancelRoll
        | O::ResumeApiKey
        | O::CreateServiceAccount
        | O::ResumeServiceAccount
        | O::CreateTenant
        | O::InviteMember
        | O::CreateCalendarFeed
        // What protects the account itself.
        | O::BeginSecondFactor
        | O::EnableSecondFactor
        | O::DisableSecondFactor
        | O::RenewRecoveryCodes
        // What protects somebody else's.
        | O::UnlockSecondFactor
        // A rule that no longer applies.
        | O::ClearPolicy => Confirmation::Always,
        // A higher role; a weaker policy; an export.
        O::ChangeMemberRole
        | O::ChangeServiceAccountRole
        | O::SetPolicy
        | O::ListAuditLog
        // More scopes; wider limits; a scope that a lower role may hold.
        | O::ChangeKeyScopes
        | O::ChangeKeyLimits
        | O::SetScope => Confirmation::WhenWidening,
        // Access that is taken away.
        O::SuspendApiKey
        | O::SuspendApiKeys
        | O::RevokeApiKey
        | O::RevokeApiKeys
        | O::FinishRoll
        | O::SuspendServiceAccount
        | O::DeleteServiceAccount
        | O::RemoveMember
        | O::CancelInvitation
        | O::RemoveScope
        | O::RevokeCalendarFeed
        | O::EndSession
        | O::EndOtherSessions
        // Names.
        | O::RenameApiKey
        | O::RenameServiceAccount
        | O::RenameTenant
        | O::UpdateProfile
        // Asks for the password itself.
        | O::ChangePassword
        | O::ConfirmSignIn
        // The inviter has confirmed what the link grants, and it grants that only to the invited address.
        | O::AcceptInvitation
        | O::SwitchTenant
        // Only with a key.
        | O::RegisterAgent
        | O::PollQueue
        | O::ReportFlowRun
        // It runs with the key of an agent, which someone has confirmed.
        | O::CreateFlowProject
        | O::RegisterFlow
        | O::CreateFlowRun
        | O::CancelFlowRun
        // Reads.
        | O::ViewSelf
        | O::ListSessions
        | O::ListApiKeys
        | O::GetApiKey
        | O::GetApiKeyUsage
        | O::ListAgents
        | O::ReadFlows
        | O::ListFlowRuns
        | O::ListTenantKeys
        | O::ListServiceAccounts
        | O::GetServiceAccount
        | O::ListInvitations
        | O::ListMembers
        | O::ListPolicies
        | O::PreviewPolicy
        | O::ListScopes
        | O::GetTenant
        | O::GetOverview => Confirmation::Never,
    }
}

/// The rule that a user in a browser must have signed in, or entered their password again, within a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreshSignIn {
    within: TimeDelta,
}

impl FreshSignIn {
    /// Creates the rule with the time that the operator configured, but at most [`CONFIRM_AFTER`].
    pub(crate) fn within(time: TimeDelta) -> Self {
        Self { within: time.min(CONFIRM_AFTER) }
    }

    /// Whether the actor's sign-in is recent enough. Always true for a key, whose rights were decided when it was
    /// created.
    pub(crate) fn is_fresh(self, actor: &Actor, now: DateTime<Utc>) -> bool {
        let age = now - actor.confirmed_at();
        !actor.is_session() || (age <= self.within && age >= -MAX_CLOCK_DIFFERENCE)
    }

    /// Requires a recent sign-in.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`.
    pub(crate) fn require(self, actor: &Actor, now: DateTime<Utc>) -> Result<(), ApiError> {
        if self.is_fresh(actor, now) {
            return Ok(());
        }
        let message = "For security, enter your password again.";
        Err(ApiError::new(ErrorCode::ConfirmationRequired, message))
    }
}

#[cfg(test)]
mod tests {
    use domain::{Role, TenantId, UserId, audit::Channel};
    use uuid::Uuid;

    use super::{super::actor::*, *};

    #[test]
    fn a_sign_in_is_fresh_for_ten_minutes_and_not_before_it_happened() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let client = Client { channel: Channel::Browser, ..Client::command_line() };
        let principal = Principal::User { id: UserId(Uuid::nil()), name: "Ada".to_owned() };
        let fresh = |age| {
            let (principal, tenant) = (principal.clone(), TenantId(Uuid::nil()));
            let actor = Actor::of_session(principal, tenant, Role::TenantAdmin, now - age, client.clone());
            FreshSignIn::within(TimeDelta::hours(1)).is_fresh(&actor, now)
        };
        assert!(fresh(TimeDelta::zero()) && fresh(CONFIRM_AFTER) && fresh(-MAX_CLOCK_DIFFERENCE));
        assert!(!fresh(CONFIRM_AFTER + TimeDelta::seconds(1)));
        assert!(!fresh(-MAX_CLOCK_DIFFERENCE - TimeDelta::seconds(1)), "signed in while the clock was ahead");
    }

    #[test]
    fn operations_that_only_read_need_no_confirmation_except_for_exports() {
        let asked = |operation: &&Operation| confirmation_for(**operation) != Confirmation::Never;
        let reads: Vec<_> = Operation::ALL.iter().filter(asked).filter(|operation| operation.is_read()).collect();
        assert_eq!(reads, [&Operation::ListAuditLog]);
    }
}
