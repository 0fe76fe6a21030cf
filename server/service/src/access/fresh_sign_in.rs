//! Which operations require a recent sign-in, and how recent it must be. A user in a browser enters the password again
//! before an operation creates, restores or reveals access, so that nobody can do so in an unattended browser.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

use super::actor::Actor;

/// How long after signing in, a user may perform an operation that requires a [`domain::operation::Confirmation`] without
/// entering their password again.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How far the time of a sign-in may be ahead of the clock: the clocks of two servers may differ. A time further ahead
/// comes from a clock that was wrong.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(1);

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
    use domain::{Operation, Role, TenantId, UserId, audit::Channel, operation::Confirmation};
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
        let asked = |operation: &&Operation| operation.confirmation() != Confirmation::Never;
        let reads: Vec<_> = Operation::ALL.iter().filter(asked).filter(|operation| operation.is_read()).collect();
        assert_eq!(reads, [&Operation::ListAuditLog]);
    }
}
