//! The arguments of the operations on keys.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    act::KeyAct,
    expiry::{Expiry, ExpiryChoice, ExpiryError, utc_date},
    key::ApiKey,
    limits::KeyLimits,
    policy::{KeyPolicy, KeyPolicyPreview},
    query::{InventoryQuery, KeyQuery},
    rotation::{GracePeriod, GracePeriodError},
    view::CreatedKey,
};
use crate::{
    ApiError, ErrorCode, KeyId, Name, Owner, Page, ScopeGrant, TenantId, Usage,
    input::{Act, Changed, KeyIds, forms, inputs, refuse, wrong},
    outcome::{Notice, Outcome, Reveal},
    scope::{ScopeOption, ScopeRequest},
    time::parse_instant,
};

forms! {
    /// Creates a key for the caller or for a service account.
    CreateKey for CreateApiKey -> CreatedKey {
        /// The key's owner; the actor, if `None`.
        owner: Option<Owner>,
        /// One of the actor's tenants; the selected one, if `None`. With a key, only the key's own tenant is allowed.
        tenant_id: Option<TenantId>,
        /// The key's name: see [`Name`].
        name: String,
        /// The choice of a form for the expiry. Takes precedence over `expires_at`.
        expiry: Option<ExpiryChoice>,
        /// The date of [`ExpiryChoice::Custom`].
        date: String,
        /// The expiry: RFC 3339 with a UTC offset; never, if `None`.
        expires_at: Option<String>,
        /// The choice of a form for what the key may do.
        access: Option<ScopeOption>,
        /// The scopes that it holds, separated by spaces or commas: see [`ScopeRequest::parse`].
        scopes: Option<String>,
        /// The addresses and networks from which it may be used, separated by spaces or commas. All, if missing or empty.
        allowed_addresses: Option<String>,
        /// How many requests with it are accepted per window. Any number, if missing or empty.
        rate_limit: Option<String>,
        /// The window: see [`super::limits::RateLimit::parse`].
        rate_window: Option<String>,
        /// Whether the addresses may leave out that of the person who creates the key in the dashboard.
        allow_lockout: bool,
        /// A UUID. Repeating a request with the same one doesn't create another key.
        idempotency_key: Option<String>,
    }
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
    /// Suspends several keys of the tenant.
    SuspendKeys for SuspendApiKeys -> BulkOutcome {
        /// The keys.
        keys: KeyIds,
    }
    /// Revokes several keys of the tenant.
    RevokeKeys for RevokeApiKeys -> BulkOutcome {
        /// The keys.
        keys: KeyIds,
    }
    /// Turns a key policy on, or changes it.
    SetKeyPolicy for SetKeyPolicy -> Changed {
        /// The code of the [`super::policy::KeyPolicyKind`].
        policy: String,
        /// The number of days, for kinds that have one.
        days: String,
        /// The number of keys, for kinds that have one.
        limit: String,
        /// The code of the [`super::exposure::ExposureResponse`], for kinds that have one.
        on_exposure: String,
        /// The scopes, for kinds that are about some; separated by spaces or commas.
        scopes: String,
        /// The UTC day that the policy is effective from, like `2027-01-31`. Empty for now.
        from: String,
    }
    /// Turns a key policy off.
    ClearKeyPolicy for ClearKeyPolicy -> Changed {
        /// The code of the [`super::policy::KeyPolicyKind`].
        policy: String,
    }
}

inputs! {
    /// Lists one page of an owner's keys.
    ListKeys for ListApiKeys -> Page<ApiKey> {
        /// The owner; the actor, if `None`.
        owner: Option<Owner>,
        /// Which keys to return.
        query: KeyQuery,
    }
    /// Returns one key.
    GetKey for GetApiKey -> ApiKey {
        /// The key.
        key: KeyId,
    }
    /// Returns which clients used a key, from where and how often.
    GetKeyUsage for GetApiKeyUsage -> Usage {
        /// The key.
        key: KeyId,
    }
    /// Lists one page of all keys of the tenant.
    ListTenantKeys for ListTenantKeys -> Page<ApiKey> {
        /// Which keys to return.
        query: KeyQuery,
        /// The filters that only this list has.
        inventory: InventoryQuery,
    }
    /// Returns which keys a policy would affect.
    PreviewKeyPolicy for PreviewKeyPolicy -> KeyPolicyPreview {
        /// The policy to preview.
        policy: SetKeyPolicy,
    }
    /// Lists the tenant's key policies.
    ListKeyPolicies for ListKeyPolicies -> Vec<KeyPolicy> {}
}

/// The result of an act on several keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BulkOutcome {
    /// How many keys were changed.
    pub changed: u32,
    /// How many of the selected keys were left unchanged: already inactive, or not in the tenant.
    pub unchanged: u32,
}

impl BulkOutcome {
    /// Returns an error if no key was changed, for callers that selected the keys to change.
    ///
    /// # Errors
    /// `CONFLICT` if no key was changed.
    pub fn require_changed(self) -> Result<Self, ApiError> {
        if self.changed == 0 {
            return Err(ApiError::new(ErrorCode::Conflict, "All selected keys are already inactive."));
        }
        Ok(self)
    }
}

impl CreateKey {
    /// Returns the expiry of the new key; never, if `None`.
    ///
    /// # Errors
    /// A field error at `expires_at`.
    pub fn expiry(&self, now: DateTime<Utc>) -> Result<Option<Expiry>, ApiError> {
        self.parse_expiry(now).map_err(|error| ApiError::field("expires_at", error.to_string()))
    }

    /// Returns what the key is to be given.
    ///
    /// # Errors
    /// A field error at `scopes`.
    pub fn scopes(&self) -> Result<ScopeRequest, ApiError> {
        ScopeRequest::parse(self.access, self.scopes.as_deref())
    }

    /// Returns the limits of the new key.
    ///
    /// # Errors
    /// Field errors at `allowed_addresses` and `rate_limit`.
    pub fn limits(&self) -> Result<KeyLimits, ApiError> {
        let (addresses, requests) = (self.allowed_addresses.as_deref(), self.rate_limit.as_deref());
        KeyLimits::parse(addresses, requests, self.rate_window.as_deref())
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
        // The use case checks the limits: see `limits.rs`.
        refuse([
            wrong("name", Name::parse(&self.name)),
            wrong("expires_at", self.parse_expiry(now)),
            wrong("scopes", self.scopes()),
        ])
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

impl Act for RenameKey {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(key: &Changed) -> Outcome {
        noticed(KeyAct::Rename, key)
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
    Notice::named(act.operation(), key.name.clone()).into()
}

/// Implements [`Act`] for the inputs that need no check.
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

impl Act for SetKeyPolicy {
    fn outcome(policy: &Changed) -> Outcome {
        Notice::named(crate::Operation::SetKeyPolicy, policy.name.clone()).into()
    }
}

impl Act for ClearKeyPolicy {
    fn outcome(policy: &Changed) -> Outcome {
        Notice::named(crate::Operation::ClearKeyPolicy, policy.name.clone()).into()
    }
}
