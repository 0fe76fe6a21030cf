//! Use cases of a tenant's key policies.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, ExposureResponse, KeyPolicy, KeyPolicyKind, Operation, Role, ScopeSet, TenantId,
    api_key::{
        expiry::{ExpiryError, first_instant},
        input::{ClearKeyPolicy, SetKeyPolicy},
        policy::{KeyPolicyPreview, MAX_DAYS, MAX_KEY_LIMIT, check_unchanged, days_text, is_loosened_by, keys_text},
    },
    time::parse_instant,
    usage::number_text,
};

use super::{api_keys::ApiKeys, usage::UsageBuffer};
use crate::{
    access::{Actor, Target},
    context::Context,
    error::Result,
    storage::{self, audit::Entry, db::retry, key_policies::Unused},
};

/// The most keys that a preview lists.
const MAX_NAMED: u32 = 50;
/// The number of keys at which a preview stops counting.
pub const MAX_COUNTED: u32 = 10_000;
/// How many unused keys are suspended in one transaction.
const AT_ONCE: u32 = 200;
/// The pause between two such transactions, which lets other transactions proceed.
const PAUSE: Duration = Duration::from_millis(200);

/// Use cases of a tenant's key policies.
pub struct KeyPolicies<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl KeyPolicies<'_> {
    /// Lists the key policies that are in effect or will be. Every member may view them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<KeyPolicy>> {
        let permit = self.context.permit(actor, Operation::ListKeyPolicies, Target::Tenant(actor.tenant_id())).await?;
        storage::key_policies::list(self.context.db(), permit.tenant_id(), self.context.now()).await
    }

    /// Like [`KeyPolicies::list`], in another of the user's tenants.
    ///
    /// # Errors
    /// `NOT_FOUND` if the user isn't a member of the tenant.
    pub async fn list_in(&self, actor: &Actor, tenant: TenantId) -> Result<Vec<KeyPolicy>> {
        self.list(&self.context.in_tenant(actor, tenant).await?).await
    }

    /// Checks that the actor may set key policies.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn check_may_set(&self, actor: &Actor) -> Result<()> {
        self.context.permit(actor, Operation::PreviewKeyPolicy, Target::Tenant(actor.tenant_id())).await.map(drop)
    }

    /// Returns the existing keys that a key policy would affect: keys that would be flagged or, for the policy about
    /// unused keys, suspended once it takes effect.
    ///
    /// # Errors
    /// Field errors at `policy`, `days`, `limit`, `on_exposure`, `from`; `FORBIDDEN`.
    pub async fn preview(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<KeyPolicyPreview> {
        let permit = self.context.permit(actor, Operation::PreviewKeyPolicy, Target::Tenant(actor.tenant_id())).await?;
        let policy = self.check(actor, input).await?;
        if policy.kind.affects_no_existing_keys() {
            return Ok(KeyPolicyPreview { policy, keys: Vec::new(), count: 0 });
        }
        let now = self.context.now();
        let (mut keys, count) =
            storage::key_list::list_against(self.context.db(), &permit, &policy, now, MAX_NAMED, MAX_COUNTED).await?;
        ApiKeys { context: self.context, usage: self.usage }.complete(&mut keys).await?;
        Ok(KeyPolicyPreview { policy, keys, count })
    }

    /// Turns a key policy on or changes it. If it takes effect later, the current one stays in effect until then.
    ///
    /// # Errors
    /// As [`KeyPolicies::preview`]; `CONFIRMATION_REQUIRED` if it allows more than before, at any time; `CONFLICT` if the
    /// policy isn't the one that a form showed.
    #[tracing::instrument(skip_all)]
    pub async fn set(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<KeyPolicy> {
        let permit =
            self.context.permit_write(actor, Operation::SetKeyPolicy, Target::Tenant(actor.tenant_id())).await?;
        let policy = self.check(actor, input).await?;
        let subject = ("tenant", actor.tenant_id().0, policy.kind.label());
        let detail = described(&policy);
        let entry = Entry::by(actor, Operation::SetKeyPolicy, self.context.now(), subject).with(detail);
        retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let before = storage::key_policies::list_in(tx, permit.tenant_id(), policy.set_at).await?;
            check_unchanged(input.before.as_deref(), &before, policy.kind, Some(&policy))?;
            self.context.require_fresh_to_widen(actor, Operation::SetKeyPolicy, is_loosened_by(&before, &policy))?;
            storage::key_policies::set(tx, &permit, &policy).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(policy)
    }

    /// Turns a key policy off.
    ///
    /// # Errors
    /// A field error at `policy`; `CONFIRMATION_REQUIRED`; `CONFLICT` if it is already off; `FORBIDDEN`.
    pub async fn clear(&self, actor: &Actor, policy: &str) -> Result<()> {
        self.clear_shown(actor, &ClearKeyPolicy { policy: policy.to_owned(), before: None }).await
    }

    /// Like [`KeyPolicies::clear`], unless the policy isn't the one that a form showed.
    ///
    /// # Errors
    /// As [`KeyPolicies::clear`], and `CONFLICT` if somebody else has changed the policy meanwhile.
    #[tracing::instrument(skip_all)]
    pub async fn clear_shown(&self, actor: &Actor, input: &ClearKeyPolicy) -> Result<()> {
        let permit =
            self.context.permit_write(actor, Operation::ClearKeyPolicy, Target::Tenant(actor.tenant_id())).await?;
        let (kind, now) = (kind_of(&input.policy)?, self.context.now());
        let entry = Entry::by(actor, Operation::ClearKeyPolicy, now, ("tenant", actor.tenant_id().0, kind.label()));
        retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let before = storage::key_policies::list_in(tx, permit.tenant_id(), now).await?;
            check_unchanged(input.before.as_deref(), &before, kind, None)?;
            if !storage::key_policies::clear(tx, &permit, kind).await? {
                return Err(ApiError::new(ErrorCode::Conflict, "This policy is already turned off.").into());
            }
            storage::audit::insert(tx, &entry).await
        })
    }

    async fn check(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<KeyPolicy> {
        let policy = parsed(input, actor.name(), self.context.now())?;
        if policy.kind.has_scopes() {
            // A scope that doesn't exist is probably mistyped.
            let catalogue = storage::scopes::catalogue(self.context.db()).await?;
            let checked = catalogue.check_grant(&policy.scopes, Role::TenantAdmin);
            checked.map_err(|lack| ApiError::field("scopes", lack.to_string()))?;
        }
        Ok(policy)
    }
}

/// Returns the policy that an input describes. Doesn't check whether its scopes are in the catalogue.
///
/// # Errors
/// Field errors at `policy`, `days`, `limit`, `on_exposure`, `scopes`, `from`.
pub(crate) fn parsed(
    input: &SetKeyPolicy,
    set_by: &str,
    now: DateTime<Utc>,
) -> std::result::Result<KeyPolicy, ApiError> {
    let kind = kind_of(&input.policy)?;
    let number = |text: &str, most: u32| text.trim().parse::<u32>().ok().filter(|number| (1..=most).contains(number));
    let days = match (kind.has_days(), number(&input.days, MAX_DAYS)) {
        (true, None) => {
            return Err(ApiError::field("days", format!("Choose 1 to {} days.", number_text(MAX_DAYS.into()))));
        }
        (has_days, days) => days.filter(|_| has_days),
    };
    let limit = match (kind.has_limit(), number(&input.limit, MAX_KEY_LIMIT)) {
        (true, None) => {
            let message = format!("Choose 1 to {} keys.", number_text(MAX_KEY_LIMIT.into()));
            return Err(ApiError::field("limit", message));
        }
        (has_limit, limit) => limit.filter(|_| has_limit),
    };
    let on_exposure = match (kind.has_response(), ExposureResponse::from_code(input.on_exposure.trim())) {
        (true, None) => {
            let words = ExposureResponse::ALL.map(ExposureResponse::as_str).join(", ");
            return Err(ApiError::field("on_exposure", format!("Choose one of {words}.")));
        }
        (has_response, response) => response.filter(|_| has_response),
    };
    let scopes = if kind.has_scopes() { scopes_of(&input.scopes)? } else { ScopeSet::default() };
    let malformed = || ApiError::field("from", ExpiryError::Malformed.to_string());
    let from = first_instant(&input.from).map(|text| parse_instant(&text).ok_or_else(malformed)).transpose()?;
    let effective_from = from.map_or(now, |at| at.max(now));
    Ok(KeyPolicy { kind, days, limit, on_exposure, scopes, effective_from, set_at: now, set_by: set_by.to_owned() })
}

/// Returns the values of a policy, for the audit log: "90 days, effective from 31 Jan 2027, 09:00 UTC".
pub(crate) fn described(policy: &KeyPolicy) -> String {
    let number = policy.days.map(days_text).or(policy.limit.map(keys_text));
    let number = number.or(policy.on_exposure.map(|response| response.label().to_lowercase()));
    let number = number.map(|text| format!("{text}, ")).unwrap_or_default();
    let scopes = if policy.kind.has_scopes() { format!("{}, ", policy.scopes) } else { String::new() };
    format!("{scopes}{number}effective from {}", domain::time::utc_text(policy.effective_from))
}

/// Returns the scopes that a policy is about.
fn scopes_of(text: &str) -> std::result::Result<ScopeSet, ApiError> {
    let scopes = ScopeSet::parse(text).map_err(|error| ApiError::field("scopes", error.to_string()))?;
    if scopes.is_empty() {
        return Err(ApiError::field("scopes", "Enter at least one scope."));
    }
    Ok(scopes)
}

fn kind_of(word: &str) -> std::result::Result<KeyPolicyKind, ApiError> {
    let words = || KeyPolicyKind::ALL.map(KeyPolicyKind::as_str).join(", ");
    KeyPolicyKind::from_code(word.trim())
        .ok_or_else(|| ApiError::field("policy", format!("Choose one of {}.", words())))
}

/// Suspends all keys that the key policies of any tenant require to be suspended. Writes pending usage first.
pub(crate) async fn suspend_unused(context: &Context, usage: &UsageBuffer) -> Result<()> {
    loop {
        let now = context.now();
        usage.flush(context.db(), now).await?;
        let unused = storage::key_policies::list_unused(context.db(), now, AT_ONCE).await?;
        if unused.is_empty() {
            return Ok(());
        }
        let mut suspended = 0;
        for of_tenant in unused.chunk_by(|one, next| one.tenant_id == next.tenant_id) {
            match suspend(context, of_tenant, now).await {
                Ok(count) => suspended += count,
                // Continues with the other tenants; this one is tried again in the next round.
                Err(error) => tracing::warn!(%error, "unused keys of a tenant could not be suspended; trying again"),
            }
        }
        if suspended == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Suspends those keys of one tenant that are still unused, and returns how many.
async fn suspend(context: &Context, keys: &[Unused], now: DateTime<Utc>) -> Result<usize> {
    retry!(context.db(), tx => {
        if let Some(key) = keys.first() {
            storage::tenants::lock_tenant(tx, key.tenant_id).await?;
        }
        let mut entries = Vec::new();
        for key in keys {
            if storage::key_policies::suspend_unused(tx, key, now).await? {
                let subject = ("api_key", key.id.0, key.name.as_str());
                let entry = Entry::by_service(key.tenant_id, Operation::SuspendApiKey, now, subject);
                entries.push(entry.with(format!("unused for {}", days_text(u32::try_from(key.days).unwrap_or(0)))));
            }
        }
        for entry in &entries {
            storage::audit::insert(tx, entry).await?;
        }
        Ok(entries.len())
    })
}
