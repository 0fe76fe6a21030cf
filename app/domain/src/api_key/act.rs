//! The acts on a single key. Menus, pages, server functions, error messages and notices all use this list.

use chrono::{DateTime, Utc};

use super::{
    key::{ApiKey, KeyState, SuspendedBy},
    rotation::GracePeriod,
};
use crate::{ApiError, ErrorCode, act::acts, time::date_text};

acts! {
    /// An act on a single key.
    KeyAct {
        /// Rename the key.
        Rename = "rename" does RenameApiKey, "Rename", "Renamed to “{name}”.";
        /// Change what the key may do.
        Scopes = "scopes" does ChangeKeyScopes, "Change scopes", "Scopes of “{name}” changed.";
        /// Change from which addresses and how often the key may be used.
        Limits = "limits" does ChangeKeyLimits, "Change limits", "Limits of “{name}” changed.";
        /// Replace the key with a new one; both work during the grace period.
        Roll = "roll" does RollApiKey, "Rotate", "“{name}” rotated.";
        /// Suspend the key until it is resumed.
        Suspend = "suspend" does SuspendApiKey, "Suspend", "“{name}” suspended.";
        /// Resume the suspended key.
        Resume = "resume" does ResumeApiKey, "Resume", "“{name}” resumed.";
        /// Revoke the key permanently.
        Revoke = "revoke" does RevokeApiKey, "Revoke", "“{name}” revoked.";
        /// End the grace period of its rotation now.
        FinishRoll = "finish-roll" does FinishRoll, "End old key now",
            "Rotation complete: the old “{name}” key no longer works.";
        /// Extend the grace period of its rotation.
        ExtendRoll = "extend-roll" does ExtendRoll, "Extend", "Grace period of “{name}” extended.";
        /// Undo its rotation: the new key is revoked.
        CancelRoll = "cancel-roll" does CancelRoll, "Undo rotation", "Rotation of “{name}” undone.";
    }
}

impl KeyAct {
    /// Returns whether a key stops working as a result.
    pub fn stops_something(self) -> bool {
        matches!(self, Self::Suspend | Self::Revoke | Self::FinishRoll | Self::CancelRoll)
    }

    /// Checks whether the key's state at `now` allows the act. It can still fail if the key changes in the meantime.
    ///
    /// # Errors
    /// The reason why the state doesn't allow it.
    pub fn fits(self, key: &ApiKey, now: DateTime<Utc>) -> Result<(), Unfit> {
        match self {
            Self::FinishRoll | Self::ExtendRoll | Self::CancelRoll if key.overlap_until(now).is_none() => {
                return Err(Unfit::NotRotating);
            }
            Self::ExtendRoll if !GracePeriod::can_extend(key, now) => return Err(Unfit::LongestGracePeriod),
            Self::FinishRoll | Self::ExtendRoll | Self::CancelRoll => return Ok(()),
            Self::Rename | Self::Scopes | Self::Limits | Self::Roll | Self::Suspend | Self::Resume | Self::Revoke => {}
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
            (Self::Resume, KeyState::Active | KeyState::ExpiringSoon { .. } | KeyState::Rotating { .. }) => {
                Unfit::NotSuspended
            }
            (Self::Roll, KeyState::Active | KeyState::ExpiringSoon { .. } | KeyState::Rotating { .. }) => {
                match &key.replaced_by {
                    Some(new) => Unfit::Rotating { hint: new.hint.clone() },
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        Err(unfit)
    }

    /// Returns whether to offer the act for the key at `now`.
    pub fn is_offered(self, key: &ApiKey, now: DateTime<Utc>) -> bool {
        self.fits(key, now).is_ok()
    }
}

/// Why the current state of a key doesn't allow an act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The key was revoked.
    #[error("This key was revoked on {}.{}", date_text(*at), if *needs_new { " Create a new one." } else { "" })]
    Revoked {
        /// When it was revoked.
        at: DateTime<Utc>,
        /// Whether the caller has to create a new key instead.
        needs_new: bool,
    },
    /// The key has expired.
    #[error("This key expired on {}. Create a new one.", date_text(*at))]
    Expired {
        /// When it expired.
        at: DateTime<Utc>,
    },
    /// The key itself is already suspended.
    #[error("This key is already suspended.")]
    AlreadySuspended,
    /// The key is already suspended, because its service account is.
    #[error("This key is suspended because its service account is.")]
    AlreadySuspendedWithAccount,
    /// The key is suspended because its service account is, which has to be resumed first.
    #[error("This key is suspended because its service account is. Resume the service account.")]
    AccountSuspended,
    /// The key isn't suspended.
    #[error("This key isn't suspended.")]
    NotSuspended,
    /// A suspended key can't be rotated.
    #[error("This key is suspended. Resume it first, or create a new one.")]
    SuspendedBeforeRoll,
    /// The key is already being rotated.
    #[error("This key is already being replaced by {hint}…. End the old key now or undo that rotation first.")]
    Rotating {
        /// The hint of the key that replaces it.
        hint: String,
    },
    /// The key isn't in the grace period of a rotation.
    #[error("This key isn't being rotated.")]
    NotRotating,
    /// The grace period already has its maximum length.
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
        for &act in KeyAct::ALL {
            assert_eq!(KeyAct::from_code(act.code()), Some(act));
            assert_eq!(KeyAct::of(act.operation()), Some(act));
            assert!(KeyAct::ALL.iter().all(|other| other == &act || other.label() != act.label()));
            assert!(act.notice("Laptop").contains("“Laptop”"));
        }
        assert_eq!(KeyAct::from_code("delete"), None);
        assert_eq!(KeyAct::of(crate::Operation::ListApiKeys), None);
    }

    /// Returns the codes of the acts that the state allows.
    fn fitting(key: &ApiKey, now: DateTime<Utc>) -> Vec<&'static str> {
        KeyAct::ALL.iter().copied().filter(|act| act.is_offered(key, now)).map(KeyAct::code).collect()
    }

    #[test]
    fn the_state_decides_which_acts_are_offered() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let later = Some(now + TimeDelta::days(1));
        let new = Successor { id: key().id, hint: "lku_new1".into(), at: now, ends_on_use: false, is_revoked: false };
        let rotating = ApiKey { replaced_by: Some(new), expires_at: later, ..key() };
        for (name, key, expected) in [
            ("active", key(), vec!["rename", "scopes", "limits", "roll", "suspend", "revoke"]),
            ("expired", ApiKey { expires_at: Some(now), ..key() }, vec!["rename", "scopes", "limits", "revoke"]),
            (
                "suspended",
                ApiKey { suspension: Some(suspension(now)), ..key() },
                vec!["rename", "scopes", "limits", "resume", "revoke"],
            ),
            (
                "with its account",
                ApiKey { owner_suspended_at: Some(now), ..key() },
                vec!["rename", "scopes", "limits", "revoke"],
            ),
            ("revoked", ApiKey { revocation: Some(revocation(now)), ..key() }, vec![]),
            (
                "rotating",
                rotating.clone(),
                vec!["rename", "scopes", "limits", "suspend", "revoke", "finish-roll", "extend-roll", "cancel-roll"],
            ),
            ("rotated", ApiKey { expires_at: Some(now), ..rotating }, vec!["rename", "scopes", "limits", "revoke"]),
        ] {
            assert_eq!(fitting(&key, now), expected, "{name}");
        }
    }

    #[test]
    fn an_error_message_says_what_to_do() {
        let now = DateTime::UNIX_EPOCH;
        let revoked = ApiKey { revocation: Some(revocation(now)), ..key() };
        let words = |act: KeyAct| ApiError::from(act.fits(&revoked, now).unwrap_err()).message;
        assert_eq!(words(KeyAct::Roll), "This key was revoked on 1 Jan 1970. Create a new one.");
        assert_eq!(words(KeyAct::Revoke), "This key was revoked on 1 Jan 1970.");
    }
}
