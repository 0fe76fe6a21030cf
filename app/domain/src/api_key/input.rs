//! The arguments of the operations on keys.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    act::KeyAct,
    expiry::{Expiry, ExpiryChoice, ExpiryError, utc_date},
    key::ApiKey,
    policy::{KeyPolicy, PolicyPreview},
    query::{InventoryQuery, KeyQuery},
    rotation::{GracePeriod, GracePeriodError},
    view::CreatedKey,
};
use crate::{
    ApiError, ErrorCode, KeyId, Name, Owner, Page, TenantId, Usage,
    input::{Act, Changed, KeyIds, forms, inputs, refuse, wrong},
    outcome::{Notice, Outcome, Reveal},
};

forms! {
    /// Create a key for oneself or for a service account.
    CreateKey for CreateApiKey -> CreatedKey {
        /// For whom; for the actor itself, when `None`.
        owner: Option<Owner>,
        /// In which of the actor's tenants; the selected one, when `None`. A key stays in its own.
        tenant_id: Option<TenantId>,
        /// What to call it: see [`Name`].
        name: String,
        /// When it expires, as a form offers it. Outweighs `expires_at`.
        expiry: Option<ExpiryChoice>,
        /// The date of [`ExpiryChoice::Custom`].
        date: String,
        /// When it expires: RFC 3339 with an offset; never, when `None`.
        expires_at: Option<String>,
        /// A UUID: the same one twice makes one key.
        idempotency_key: Option<String>,
    }
    /// Replace a key by a new one.
    RollKey for RollApiKey -> CreatedKey {
        /// The old key.
        key: KeyId,
        /// A code of [`GracePeriod::CHOICES`]; empty: [`GracePeriod::DEFAULT`].
        overlap: String,
        /// For `first_use`: the days until the old key stops at the latest. Outweighs `deadline`.
        wait: Option<u16>,
        /// For `first_use`: when the old key stops at the latest, RFC 3339 with an offset.
        deadline: Option<String>,
        /// A UUID: the same one twice makes one key.
        idempotency_key: Option<String>,
    }
    /// Give a key another name.
    RenameKey for RenameApiKey -> Changed {
        /// The key.
        key: KeyId,
        /// The new name: see [`Name`].
        name: String,
    }
    /// Stop a key until it is resumed.
    SuspendKey for SuspendApiKey -> Changed {
        /// The key.
        key: KeyId,
    }
    /// Let a suspended key work again.
    ResumeKey for ResumeApiKey -> Changed {
        /// The key.
        key: KeyId,
    }
    /// Stop a key permanently.
    RevokeKey for RevokeApiKey -> Changed {
        /// The key.
        key: KeyId,
        /// Whether to revoke also the keys that were created with it, and those created with them.
        and_created: bool,
    }
    /// End the grace period of a rotation now.
    FinishRoll for FinishRoll -> Changed {
        /// The old key.
        key: KeyId,
    }
    /// Prolong the grace period of a rotation.
    ExtendRoll for ExtendRoll -> Changed {
        /// The old key.
        key: KeyId,
        /// How long from now: one of [`GracePeriod::extensions`].
        overlap: String,
    }
    /// Undo a rotation.
    CancelRoll for CancelRoll -> Changed {
        /// The old key.
        key: KeyId,
    }
    /// Suspend several keys of the tenant.
    SuspendKeys for SuspendApiKeys -> BulkOutcome {
        /// The keys.
        keys: KeyIds,
    }
    /// Revoke several keys of the tenant.
    RevokeKeys for RevokeApiKeys -> BulkOutcome {
        /// The keys.
        keys: KeyIds,
    }
    /// Turn a key policy on, or change it.
    SetKeyPolicy for SetPolicy -> Changed {
        /// Which: a code of [`super::policy::PolicyKind`].
        policy: String,
        /// How many days, where the policy counts some.
        days: String,
        /// From which day on (UTC), `2027-01-31`; at once, when empty.
        from: String,
        /// The days that a form's preview was shown for; `None` without a preview.
        seen_days: Option<String>,
        /// The day that a form's preview was shown for, or [`PREVIEWED_AT_ONCE`]; `None` without a preview.
        seen_from: Option<String>,
    }
    /// Turn a key policy off.
    ClearKeyPolicy for ClearPolicy -> Changed {
        /// Which: a code of [`super::policy::PolicyKind`].
        policy: String,
    }
}

inputs! {
    /// One page of an owner's keys.
    ListKeys for ListApiKeys -> Page<ApiKey> {
        /// Whose; the actor's own, when `None`.
        owner: Option<Owner>,
        /// Which.
        query: KeyQuery,
    }
    /// One key.
    GetKey for GetApiKey -> ApiKey {
        /// The key.
        key: KeyId,
    }
    /// Who used a key, from where and how often.
    GetKeyUsage for GetApiKeyUsage -> Usage {
        /// The key.
        key: KeyId,
    }
    /// One page of all keys of the tenant.
    ListTenantKeys for ListTenantKeys -> Page<ApiKey> {
        /// Which.
        query: KeyQuery,
        /// Which of them.
        inventory: InventoryQuery,
    }
    /// Which keys a policy would affect.
    PreviewKeyPolicy for PreviewPolicy -> PolicyPreview {
        /// The policy as it would be set.
        policy: SetKeyPolicy,
    }
    /// The tenant's key policies.
    ListKeyPolicies for ListPolicies -> Vec<KeyPolicy> {}
}

/// What an act on several keys came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BulkOutcome {
    /// How many keys were changed.
    pub changed: u32,
    /// How many of the chosen keys were left as they were: already inactive, or not the tenant's.
    pub unchanged: u32,
}

impl BulkOutcome {
    /// For those who chose keys in order to change them.
    ///
    /// # Errors
    /// `CONFLICT` when none was changed.
    pub fn require_changed(self) -> Result<Self, ApiError> {
        if self.changed == 0 {
            return Err(ApiError::new(ErrorCode::Conflict, "All selected keys are already inactive."));
        }
        Ok(self)
    }
}

impl CreateKey {
    /// When the key will expire; never, when `None`.
    ///
    /// # Errors
    /// A field error at `expires_at`.
    pub fn expiry(&self, now: DateTime<Utc>) -> Result<Option<Expiry>, ApiError> {
        self.parse_expiry(now).map_err(|error| ApiError::field("expires_at", error.to_string()))
    }

    fn parse_expiry(&self, now: DateTime<Utc>) -> Result<Option<Expiry>, ExpiryError> {
        if let Some(choice) = self.expiry {
            let at = choice.instant(utc_date(&self.date), now)?;
            return at.map(|at| Expiry::at(at, now)).transpose();
        }
        self.expires_at.as_deref().map(|text| Expiry::parse(text, now)).transpose()
    }
}

impl Act for CreateKey {
    fn check(&self, now: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name)), wrong("expires_at", self.parse_expiry(now))])
    }

    fn outcome(created: &CreatedKey) -> Outcome {
        reveal(created)
    }
}

fn reveal(created: &CreatedKey) -> Outcome {
    let operation = if created.is_rotation { crate::Operation::RollApiKey } else { crate::Operation::CreateApiKey };
    let notice = Notice::named(operation, created.key.name.to_string());
    Outcome { reveal: Some(Reveal::Key(Box::new(created.clone()))), ..notice.into() }
}

impl RollKey {
    /// How long the old key keeps working.
    ///
    /// # Errors
    /// A field error at `overlap` or `deadline`.
    pub fn grace_period(&self, now: DateTime<Utc>) -> Result<GracePeriod, ApiError> {
        let code = if self.overlap.is_empty() { GracePeriod::DEFAULT } else { &self.overlap };
        let malformed = |_| ApiError::field("deadline", ExpiryError::Malformed.to_string());
        let deadline = match (self.wait, self.deadline.as_deref()) {
            (Some(days), _) => Some(now + TimeDelta::days(i64::from(days.clamp(1, 90)))),
            (None, Some(text)) => {
                Some(DateTime::parse_from_rfc3339(text.trim()).map_err(malformed)?.with_timezone(&Utc))
            }
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

impl Act for RenameKey {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(key: &Changed) -> Outcome {
        noticed(KeyAct::Rename, key)
    }
}

fn noticed(act: KeyAct, key: &Changed) -> Outcome {
    Notice::named(act.operation(), key.name.clone()).into()
}

/// The acts that need nothing but the key.
macro_rules! plain_acts {
    ($($input:ident is $act:ident),* $(,)?) => {$(
        impl Act for $input {
            fn outcome(key: &Changed) -> Outcome {
                noticed(KeyAct::$act, key)
            }
        }
    )*};
}

plain_acts! {
    SuspendKey is Suspend,
    ResumeKey is Resume,
    RevokeKey is Revoke,
    FinishRoll is FinishRoll,
    ExtendRoll is ExtendRoll,
    CancelRoll is CancelRoll,
}

fn check_chosen(keys: &KeyIds) -> Result<(), ApiError> {
    if keys.0.is_empty() {
        return Err(ApiError::new(ErrorCode::BadUserInput, "Select at least one key."));
    }
    Ok(())
}

fn counted(operation: crate::Operation, count: BulkOutcome) -> Outcome {
    Notice { changed: count.changed, unchanged: count.unchanged, ..Notice::of(operation) }.into()
}

impl Act for SuspendKeys {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        check_chosen(&self.keys)
    }

    fn outcome(count: &BulkOutcome) -> Outcome {
        counted(crate::Operation::SuspendApiKeys, *count)
    }
}

impl Act for RevokeKeys {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        check_chosen(&self.keys)
    }

    fn outcome(count: &BulkOutcome) -> Outcome {
        counted(crate::Operation::RevokeApiKeys, *count)
    }
}

/// What a form sends in [`SetKeyPolicy::seen_from`] when the preview was for a policy that applies at once. An empty field
/// would count as absent.
pub const PREVIEWED_AT_ONCE: &str = "at_once";

impl SetKeyPolicy {
    /// Checks that the values are those whose effect the form showed. Values without a preview are accepted.
    ///
    /// # Errors
    /// `CONFLICT` when other values were typed since the preview.
    pub fn check_previewed(&self) -> Result<(), ApiError> {
        let is_same = |seen: Option<&str>, typed: &str| {
            let seen = seen.map(str::trim).filter(|seen| !seen.is_empty());
            seen.is_none_or(|seen| seen == typed.trim() || (seen == PREVIEWED_AT_ONCE && typed.trim().is_empty()))
        };
        if is_same(self.seen_days.as_deref(), &self.days) && is_same(self.seen_from.as_deref(), &self.from) {
            return Ok(());
        }
        let message = "The values changed since the preview. Check the preview again, then turn the policy on.";
        Err(ApiError::new(ErrorCode::Conflict, message))
    }
}

impl Act for SetKeyPolicy {
    fn outcome(policy: &Changed) -> Outcome {
        Notice::named(crate::Operation::SetPolicy, policy.name.clone()).into()
    }
}

impl Act for ClearKeyPolicy {
    fn outcome(policy: &Changed) -> Outcome {
        Notice::named(crate::Operation::ClearPolicy, policy.name.clone()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_policy_is_set_with_the_values_that_were_previewed() {
        let check = |days: &str, from: &str, seen: [Option<&str>; 2]| {
            let [seen_days, seen_from] = seen.map(|text| text.map(str::to_owned));
            let (days, from) = (days.to_owned(), from.to_owned());
            SetKeyPolicy { days, from, seen_days, seen_from, ..SetKeyPolicy::default() }.check_previewed().is_ok()
        };
        let at_once = Some(PREVIEWED_AT_ONCE);
        assert!(check("90", "", [None, None]) && check("90", "2027-01-31", [Some(""), Some(" ")]), "no preview");
        assert!(check("90", "", [Some("90"), at_once]) && check(" 90 ", "", [Some("90"), None]));
        assert!(check("", "2027-01-31", [None, Some("2027-01-31")]));
        assert!(!check("45", "", [Some("90"), at_once]) && !check("", "", [Some("90"), at_once]));
        assert!(!check("90", "2027-01-31", [Some("90"), at_once]) && !check("", "", [None, Some("2027-01-31")]));
    }
}
