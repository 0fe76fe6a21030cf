//! How recent a sign-in must be to create or reveal something lasting, such as a key.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

use super::actor::Actor;

/// How long after signing in, a user may create, rotate or reveal something lasting, such as a key, without entering
/// their password again.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(10);

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
        !actor.is_session() || now - actor.confirmed_at() <= self.within
    }

    /// Requires a recent sign-in, so that nobody can use an unattended browser to create or reveal something lasting.
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
