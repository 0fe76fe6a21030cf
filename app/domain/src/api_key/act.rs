//! The acts on a single key. Menus, pages, server functions, error messages and notices all use this list.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    expiry::ExpiryError,
    input::reveal,
    key::{ApiKey, KeyState, SuspendedBy},
    limits::KeyLimits,
    rotation::{GracePeriod, GracePeriodError},
    view::CreatedKey,
};
use crate::{
    ApiError, ErrorCode, KeyId, Name, ScopeGrant,
    act::acts,
    input::{Act, Changed, forms, refuse, wrong},
    outcome::{Notice, Outcome},
    scope::{ScopeOption, ScopeRequest},
    time::{date_text, parse_instant},
};

acts! {
    /// An act on a single key.
    KeyAct {
        /// Rename the key.
        Rename = "rename" does RenameApiKey, "Rename", "Rename “{name}”", "Renamed to “{name}”.";
        /// Change what the key may do.
        Scopes = "scopes" does ChangeKeyScopes, "Change scopes", "Change scopes of “{name}”",
            "Scopes of “{name}” changed.";
        /// Change from which addresses and how often the key may be used.
        Limits = "limits" does ChangeKeyLimits, "Change limits", "Change limits of “{name}”",
            "Limits of “{name}” changed.";
        /// Replace the key with a new one; both work during the grace period.
        Roll = "roll" does RollApiKey, "Rotate", "Rotate “{name}”", "“{name}” rotated.";
        /// Suspend the key until it is resumed.
        Suspend = "suspend" does SuspendApiKey, "Suspend", "Suspend “{name}”",
            "“{name}” suspended.";
        /// Resume the suspended key.
        Resume = "resume" does ResumeApiKey, "Resume", "Resume “{name}”", "“{name}” resumed.";
        /// Revoke the key permanently.
        Revoke = "revoke" does RevokeApiKey, "Revoke", "Revoke “{name}”", "“{name}” revoked.";
        /// End the grace period of its rotation now.
        FinishRoll = "finish-roll" does FinishRoll, "End old key now", "End the old “{name}” key",
                        "Rotation complete: the old “{name}” key no longer works.";
        /// Extend the grace period of its rotation.
        ExtendRoll = "extend-roll" does ExtendRoll, "Extend", "Extend the grace period of “{name}”",
            "Grace period of “{name}” extended.";
        /// Undo its rotation: the new key is revoked.
        CancelRoll = "cancel-roll" does CancelRoll, "Undo rotation", "Undo the rotation of “{name}”",
            "Rotation of “{name}” undone.";
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
            _ => {}
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

forms! {
    /// Rotates a key: creates a new one that replaces it.
    RollKey for RollApiKey -> CreatedKey {
        /// The old key.
        key: KeyId,
        /// The code of the grace period, from [`GracePeriod::CHOICES`]. Empty for [`GracePeriod::DEFAULT`].
        overlap: String,
        /// For `first_use`: the days after which the old key expires in any case, limited to 1–90. Takes precedence
        /// over `deadline`.
        wait: Option<u16>,
        /// For `first_use`: when the old key expires in any case. RFC 3339 with a UTC offset.
        deadline: Option<String>,
        /// A UUID. Repeating a request with the same one doesn't create another key.
        idempotency_key: Option<String>,
    }
    /// Renames a key.
    RenameKey for RenameApiKey -> Changed {
        /// The key.
        key: KeyId,
        /// The new name: see [`Name`].
        name: String,
    }
    /// Changes what a key may do.
    ChangeKeyScopes for ChangeKeyScopes -> Changed {
        /// The key.
        key: KeyId,
        /// The choice of a form for what the key may do.
        access: Option<ScopeOption>,
        /// The scopes that it holds from now on, separated by spaces or commas: see [`ScopeRequest::parse`].
        scopes: Option<String>,
        /// What a form showed: see [`ScopeGrant::text`]. If the key holds others by now, nothing changes.
        before: Option<String>,
    }
    /// Changes from which addresses and how often a key may be used. An empty field removes the limit, and a missing one
    /// changes nothing.
    ChangeKeyLimits for ChangeKeyLimits -> Changed {
        /// The key.
        key: KeyId,
        /// The addresses and networks, separated by spaces or commas.
        allowed_addresses: Option<String>,
        /// How many requests are accepted per window.
        rate_limit: Option<String>,
        /// The window: see [`super::limits::RateLimit::parse`].
        rate_window: Option<String>,
        /// Whether the addresses may leave out that of the request, if it is made with the key or in the dashboard.
        allow_lockout: bool,
        /// Whether a missing field removes the limit, too. A form doesn't always send empty fields.
        replace_all: bool,
        /// What a form showed: see [`KeyLimits::text`]. If the key has others by now, nothing changes.
        before: Option<String>,
    }
    /// Suspends a key until it is resumed.
    SuspendKey for SuspendApiKey -> Changed {
        /// The key.
        key: KeyId,
    }
    /// Resumes a suspended key.
    ResumeKey for ResumeApiKey -> Changed {
        /// The key.
        key: KeyId,
    }
    /// Revokes a key permanently.
    RevokeKey for RevokeApiKey -> Changed {
        /// The key.
        key: KeyId,
        /// Whether to also revoke the keys that were created with this key, and those created with them.
        and_created: bool,
    }
    /// Ends the grace period of a rotation now.
    FinishRoll for FinishRoll -> Changed {
        /// The old key.
        key: KeyId,
    }
    /// Extends the grace period of a rotation.
    ExtendRoll for ExtendRoll -> Changed {
        /// The old key.
        key: KeyId,
        /// The new length, counted from now: a code from [`GracePeriod::extensions`].
        overlap: String,
    }
    /// Undoes a rotation.
    CancelRoll for CancelRoll -> Changed {
        /// The old key.
        key: KeyId,
    }
}

impl RollKey {
    /// Returns how long the old key keeps working.
    ///
    /// # Errors
    /// A field error at `overlap` or `deadline`.
    pub fn grace_period(&self, now: DateTime<Utc>) -> Result<GracePeriod, ApiError> {
        let code = if self.overlap.is_empty() { GracePeriod::DEFAULT } else { &self.overlap };
        let malformed = || ApiError::field("deadline", ExpiryError::Malformed.to_string());
        let deadline = match (self.wait, self.deadline.as_deref()) {
            (Some(days), _) => Some(now + TimeDelta::days(i64::from(days.clamp(1, 90)))),
            (None, Some(text)) => Some(parse_instant(text).ok_or_else(malformed)?),
            (None, None) => None,
        };
        GracePeriod::parse(code, deadline, now).map_err(|error| {
            let field = if error == GracePeriodError::Deadline { "deadline" } else { "overlap" };
            ApiError::field(field, error.to_string())
        })
    }
}

impl Act for RollKey {
    fn check(&self, now: DateTime<Utc>) -> Result<(), ApiError> {
        self.grace_period(now).map(drop)
    }

    fn outcome(created: &CreatedKey) -> Outcome {
        reveal(created)
    }
}

impl ChangeKeyScopes {
    /// Returns what the key is to be given.
    ///
    /// # Errors
    /// A field error at `scopes`, also if nothing was chosen: a missing value must not give the key everything.
    pub fn request(&self) -> Result<ScopeRequest, ApiError> {
        if self.access.is_none() && self.scopes.is_none() {
            return Err(ApiError::field("scopes", "Choose what the key may do."));
        }
        ScopeRequest::parse(self.access, self.scopes.as_deref())
    }

    /// Checks that a key still holds what the form showed.
    ///
    /// # Errors
    /// `CONFLICT` if it doesn't.
    pub fn check_before(&self, now: &ScopeGrant) -> Result<(), ApiError> {
        check_before(self.before.as_deref(), &now.text(), "scopes")
    }
}

/// Refuses a form that shows what `name` was before somebody else changed it.
fn check_before(before: Option<&str>, now: &str, name: &str) -> Result<(), ApiError> {
    if before.is_none_or(|before| before == now) {
        return Ok(());
    }
    let message =
        format!("Somebody else changed the {name} of this key meanwhile. Open the form again, and check them first.");
    Err(ApiError::new(ErrorCode::Conflict, message))
}

impl Act for ChangeKeyScopes {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        self.request().map(drop)
    }

    fn outcome(key: &Changed) -> Outcome {
        noticed(KeyAct::Scopes, key)
    }
}

impl ChangeKeyLimits {
    /// Returns the new limits of a key with the limits `before`.
    ///
    /// # Errors
    /// Field errors at `allowed_addresses` and `rate_limit`; at `allowed_addresses` also if nothing is to be changed.
    pub fn limits(&self, before: &KeyLimits) -> Result<KeyLimits, ApiError> {
        let missing = self.replace_all.then_some("");
        let (addresses, requests) =
            (self.allowed_addresses.as_deref().or(missing), self.rate_limit.as_deref().or(missing));
        if addresses.is_none() && requests.is_none() {
            return Err(ApiError::field("allowed_addresses", "Choose which limit to change."));
        }
        let after = KeyLimits::parse(addresses, requests, self.rate_window.as_deref())?;
        Ok(KeyLimits {
            addresses: addresses.map_or_else(|| before.addresses.clone(), |_| after.addresses),
            rate: requests.map_or(before.rate, |_| after.rate),
        })
    }

    /// Checks that a key still has the limits that the form showed.
    ///
    /// # Errors
    /// `CONFLICT` if it doesn't.
    pub fn check_before(&self, now: &KeyLimits) -> Result<(), ApiError> {
        check_before(self.before.as_deref(), &now.text(), "limits")
    }
}

impl Act for ChangeKeyLimits {
    fn outcome(key: &Changed) -> Outcome {
        noticed(KeyAct::Limits, key)
    }
}

fn noticed(act: KeyAct, key: &Changed) -> Outcome {
    Notice::named(act.operation(), key.name.clone()).on(key.page.clone()).into()
}

/// Implements [`Act`] for the inputs that need no check, or only that of a name.
macro_rules! plain_acts {
    ($($input:ident $(($name:ident))? is $act:ident),* $(,)?) => {$(
        impl Act for $input {
            fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
                refuse([$(wrong(stringify!($name), Name::parse(&self.$name)))?])
            }

            fn outcome(key: &Changed) -> Outcome {
                noticed(KeyAct::$act, key)
            }
        }
    )*};
}

plain_acts! {
    RenameKey(name) is Rename,
    SuspendKey is Suspend,
    ResumeKey is Resume,
    RevokeKey is Revoke,
    FinishRoll is FinishRoll,
    ExtendRoll is ExtendRoll,
    CancelRoll is CancelRoll,
}

/// Passes a macro all acts on a single key: the operation and its code, the name of the server function, the input and the
/// result. `with_key_acts!({path::of_macro}, more)` passes `more;` before them.
#[macro_export]
macro_rules! with_key_acts {
    ({ $($give:tt)+ } $(, $($more:tt)*)?) => {
        $($give)+! {
            $($($more)*;)?
            RenameApiKey "rename_api_key" rename_api_key: RenameKey -> Changed;
            ChangeKeyScopes "change_api_key_scopes" change_key_scopes: ChangeKeyScopes -> Changed;
            ChangeKeyLimits "change_api_key_limits" change_key_limits: ChangeKeyLimits -> Changed;
            RollApiKey "roll_api_key" roll_api_key: RollKey -> CreatedKey;
            SuspendApiKey "suspend_api_key" suspend_api_key: SuspendKey -> Changed;
            ResumeApiKey "resume_api_key" resume_api_key: ResumeKey -> Changed;
            RevokeApiKey "delete_api_key" revoke_api_key: RevokeKey -> Changed;
            FinishRoll "finish_roll" finish_roll: FinishRoll -> Changed;
            ExtendRoll "extend_roll" extend_roll: ExtendRoll -> Changed;
            CancelRoll "cancel_roll" cancel_roll: CancelRoll -> Changed;
        }
    };
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
