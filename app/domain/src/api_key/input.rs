//! The arguments of the operations on keys.

use chrono::{DateTime, Utc};

use super::{
    expiry::{Expiry, ExpiryChoice, ExpiryError, utc_date},
    key::ApiKey,
    limits::KeyLimits,
    policy::{KeyPolicy, KeyPolicyPreview},
    query::{InventoryQuery, KeyQuery},
    view::CreatedKey,
};
use crate::{
    ApiError, ErrorCode, KeyId, Name, Owner, Page, TenantId, Usage,
    input::{Act, Changed, KeyIds, forms, inputs, refuse, wrong},
    outcome::{Notice, Outcome, Reveal},
    scope::{ScopeOption, ScopeRequest},
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
        /// What a form showed: see [`super::policy::revision`]. If the policy is another one by now, nothing changes.
        before: Option<String>,
    }
    /// Turns a key policy off.
    ClearKeyPolicy for ClearKeyPolicy -> Changed {
        /// The code of the [`super::policy::KeyPolicyKind`].
        policy: String,
        /// What a form showed: see [`super::policy::revision`]. If the policy is another one by now, nothing changes.
        before: Option<String>,
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

pub(super) fn reveal(created: &CreatedKey) -> Outcome {
    let operation = if created.is_rotation { crate::Operation::RollApiKey } else { crate::Operation::CreateApiKey };
    let notice = Notice::named(operation, created.key.name.to_string());
    Outcome { reveal: Some(Reveal::Key(Box::new(created.clone()))), ..notice.into() }
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
