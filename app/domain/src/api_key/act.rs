//! What can be done with one key: the only list of these acts. Menus, pages, server functions, refusals and notices read it.

use chrono::{DateTime, Utc};

use super::{
    key::{ApiKey, KeyState, SuspendedBy},
    rotation::GracePeriod,
};
use crate::{ApiError, ErrorCode, Operation, time::date_text};

/// Something that is done with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAct {
    /// Give it another name.
    Rename,
    /// Replace it by a new key; both work during the grace period.
    Roll,
    /// Stop it until it is resumed.
    Suspend,
    /// Let it work again.
    Resume,
    /// Stop it permanently.
    Revoke,
    /// End the grace period of its rotation now.
    FinishRoll,
    /// Prolong the grace period of its rotation.
    ExtendRoll,
    /// Undo its rotation: the replacement is revoked.
    CancelRoll,
}

impl KeyAct {
    /// Every act, in the order menus offer them.
    pub const ALL: [Self; 8] = [
        Self::Rename,
        Self::Roll,
        Self::Suspend,
        Self::Resume,
        Self::Revoke,
        Self::FinishRoll,
        Self::ExtendRoll,
        Self::CancelRoll,
    ];

    /// The last part of the page's path.
    pub fn code(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Roll => "roll",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
            Self::FinishRoll => "finish-roll",
            Self::ExtendRoll => "extend-roll",
            Self::CancelRoll => "cancel-roll",
        }
    }

    /// The act with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    /// The use case.
    pub fn operation(self) -> Operation {
        match self {
            Self::Rename => Operation::RenameApiKey,
            Self::Roll => Operation::RollApiKey,
            Self::Suspend => Operation::SuspendApiKey,
            Self::Resume => Operation::ResumeApiKey,
            Self::Revoke => Operation::RevokeApiKey,
            Self::FinishRoll => Operation::FinishRoll,
            Self::ExtendRoll => Operation::ExtendRoll,
            Self::CancelRoll => Operation::CancelRoll,
        }
    }

    /// The act of a use case.
    pub fn of(operation: Operation) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.operation() == operation)
    }

    /// The label of its menu entry and button.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rename => "Rename",
            Self::Roll => "Rotate",
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Revoke => "Revoke",
            Self::FinishRoll => "End old key now",
            Self::ExtendRoll => "Extend",
            Self::CancelRoll => "Undo rotation",
        }
    }

    /// Whether something stops working by it.
    pub fn stops_something(self) -> bool {
        matches!(self, Self::Suspend | Self::Revoke | Self::FinishRoll | Self::CancelRoll)
    }

    /// What is said after it was done to the key called `name`.
    pub fn notice(self, name: &str) -> String {
        match self {
            Self::Rename => format!("Renamed to “{name}”."),
            Self::Roll => format!("“{name}” rotated."),
            Self::Suspend => format!("“{name}” suspended."),
            Self::Resume => format!("“{name}” resumed."),
            Self::Revoke => format!("“{name}” revoked."),
            Self::FinishRoll => format!("Rotation complete: the old “{name}” key no longer works."),
            Self::ExtendRoll => format!("Grace period of “{name}” extended."),
            Self::CancelRoll => format!("Rotation of “{name}” undone."),
        }
    }

    /// Whether it can be done to the key in its state at `now`. What fits can still be refused: another change may come first.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn fits(self, key: &ApiKey, now: DateTime<Utc>) -> Result<(), Unfit> {
        match self {
            Self::FinishRoll | Self::ExtendRoll | Self::CancelRoll if key.overlap_until(now).is_none() => {
                return Err(Unfit::NotRotating);
            }
            Self::ExtendRoll if !GracePeriod::can_extend(key, now) => return Err(Unfit::LongestGracePeriod),
            Self::FinishRoll | Self::ExtendRoll | Self::CancelRoll => return Ok(()),
            Self::Rename | Self::Roll | Self::Suspend | Self::Resume | Self::Revoke => {}
        }
        let unfit = match (self, key.state(now)) {
            (_, KeyState::Revoked { at, .. }) => Unfit::Revoked { at, needs_new: self == Self::Roll },
            (Self::Suspend | Self::Resume | Self::Roll, KeyState::Expired { at }) => Unfit::Expired { at },
            (Self::Suspend, KeyState::Suspended { by: SuspendedBy::Name(_), .. }) => Unfit::AlreadySuspended,
            (Self::Suspend, KeyState::Suspended { by: SuspendedBy::ServiceAccount, .. }) => {
                Unfit::AlreadySuspendedWithAccount
            }
            (Self::Resume | Self::Roll, KeyState::Suspended { by: SuspendedBy::ServiceAccount, .. }) => {
                Unfit::AccountSuspended
            }
            (Self::Roll, KeyState::Suspended { by: SuspendedBy::Name(_), .. }) => Unfit::SuspendedBeforeRoll,
            (Self::Resume, KeyState::Active | KeyState::ExpiringSoon { .. }) => Unfit::NotSuspended,
            (Self::Roll, KeyState::Active | KeyState::ExpiringSoon { .. }) => match &key.replaced_by {
                Some(new) => Unfit::Rotating { hint: new.hint.clone() },
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        Err(unfit)
    }

    /// Whether it is offered for the key at `now`.
    pub fn is_offered(self, key: &ApiKey, now: DateTime<Utc>) -> bool {
        self.fits(key, now).is_ok()
    }
}

/// Why an act can't be done to a key in its present state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It was revoked; `needs_new`: whether only another key helps.
    #[error("This key was revoked on {}.{}", date_text(*at), if *needs_new { " Create a new one." } else { "" })]
    Revoked {
        /// When.
        at: DateTime<Utc>,
        /// Whether the act would have prolonged its life.
        needs_new: bool,
    },
    /// It has expired.
    #[error("This key expired on {}. Create a new one.", date_text(*at))]
    Expired {
        /// When.
        at: DateTime<Utc>,
    },
    /// It is suspended by itself.
    #[error("This key is already suspended.")]
    AlreadySuspended,
    /// It is suspended because its owner is.
    #[error("This key is suspended because its service account is.")]
    AlreadySuspendedWithAccount,
    /// Only resuming the service account helps.
    #[error("This key is suspended because its service account is. Resume the service account.")]
    AccountSuspended,
    /// It isn't suspended.
    #[error("This key isn't suspended.")]
    NotSuspended,
    /// A suspended key isn't rotated.
    #[error("This key is suspended. Resume it first, or create a new one.")]
    SuspendedBeforeRoll,
    /// It is in the grace period of a rotation.
    #[error("This key is already being replaced by {hint}…. End the old key now or undo that rotation first.")]
    Rotating {
        /// The hint of the key that replaces it.
        hint: String,
    },
    /// It isn't in the grace period of a rotation.
    #[error("This key isn't being rotated.")]
    NotRotating,
    /// No later end of the grace period can be chosen.
    #[error("It already works for the maximum of 7 days.")]
    LongestGracePeriod,
}

impl From<Unfit> for ApiError {
    fn from(unfit: Unfit) -> Self {
        Self::new(ErrorCode::Conflict, unfit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::api_key::key::{
        Successor,
        tests::{key, revocation, suspension},
    };

    #[test]
    fn codes_labels_and_operations_are_distinct() {
        for act in KeyAct::ALL {
            assert_eq!(KeyAct::from_code(act.code()), Some(act));
            assert_eq!(KeyAct::of(act.operation()), Some(act));
            assert!(KeyAct::ALL.iter().all(|other| other == &act || other.label() != act.label()));
            assert!(act.notice("Laptop").contains("“Laptop”"));
        }
        assert_eq!(KeyAct::from_code("delete"), None);
        assert_eq!(KeyAct::of(Operation::ListApiKeys), None);
    }

    /// The acts that fit, by their codes.
    fn fitting(key: &ApiKey, now: DateTime<Utc>) -> Vec<&'static str> {
        KeyAct::ALL.into_iter().filter(|act| act.is_offered(key, now)).map(KeyAct::code).collect()
    }

    #[test]
    fn what_fits_follows_from_the_state() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let later = Some(now + TimeDelta::days(1));
        let new = Successor { id: key().id, hint: "lku_new1".into(), at: now, ends_on_use: false, is_revoked: false };
        let rotating = ApiKey { replaced_by: Some(new), expires_at: later, ..key() };
        for (name, key, expected) in [
            ("active", key(), vec!["rename", "roll", "suspend", "revoke"]),
            ("expired", ApiKey { expires_at: Some(now), ..key() }, vec!["rename", "revoke"]),
            ("suspended", ApiKey { suspension: Some(suspension(now)), ..key() }, vec!["rename", "resume", "revoke"]),
            ("with its account", ApiKey { owner_suspended_at: Some(now), ..key() }, vec!["rename", "revoke"]),
            ("revoked", ApiKey { revocation: Some(revocation(now)), ..key() }, vec![]),
            (
                "rotating",
                rotating.clone(),
                vec!["rename", "suspend", "revoke", "finish-roll", "extend-roll", "cancel-roll"],
            ),
            ("rotated", ApiKey { expires_at: Some(now), ..rotating }, vec!["rename", "revoke"]),
        ] {
            assert_eq!(fitting(&key, now), expected, "{name}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let now = DateTime::UNIX_EPOCH;
        let revoked = ApiKey { revocation: Some(revocation(now)), ..key() };
        let words = |act: KeyAct| ApiError::from(act.fits(&revoked, now).unwrap_err()).message;
        assert_eq!(words(KeyAct::Roll), "This key was revoked on 1 Jan 1970. Create a new one.");
        assert_eq!(words(KeyAct::Revoke), "This key was revoked on 1 Jan 1970.");
    }
}
