//! How old a sign-in may be when something is created or revealed that lasts.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

use super::actor::Actor;

/// After this time a person confirms that it is them, before anything is made, rolled or revealed that lasts.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(10);

/// The rule: a person at a browser must have signed in, or confirmed that it is them, within this time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreshSignIn {
    within: TimeDelta,
}

impl FreshSignIn {
    /// The time that the operator chose, at most [`CONFIRM_AFTER`].
    pub(crate) fn within(time: TimeDelta) -> Self {
        Self { within: time.min(CONFIRM_AFTER) }
    }

    /// Whether the actor's sign-in is recent enough. A key always is: what it may do was decided when it was created.
    pub(crate) fn is_fresh(self, actor: &Actor, now: DateTime<Utc>) -> bool {
        !actor.is_session() || now - actor.confirmed_at() <= self.within
    }

    /// Refuses to create or reveal what lasts for somebody who may have walked up to an open browser.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`.
    pub(crate) fn require(self, actor: &Actor, now: DateTime<Utc>) -> Result<(), ApiError> {
        if self.is_fresh(actor, now) {
            return Ok(());
        }
        let message = "Confirm that it is you: your last sign-in was too long ago for this.";
        Err(ApiError::new(ErrorCode::ConfirmationRequired, message))
    }
}
