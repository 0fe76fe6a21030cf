//! Use cases of a tenant's key policies.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, ExposureResponse, KeyPolicy, Operation, PolicyKind, Role, ScopeSet, TenantId,
    api_key::{
        expiry::{ExpiryError, first_instant},
        input::SetKeyPolicy,
        policy::{MAX_DAYS, MAX_KEY_LIMIT, PolicyPreview, days_text, is_loosened_by, keys_text},
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
        let permit = self.context.permit(actor, Operation::ListPolicies, Target::Tenant(actor.tenant_id())).await?;
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
        self.context.permit(actor, Operation::PreviewPolicy, Target::Tenant(actor.tenant_id())).await.map(drop)
    }

    /// Returns the existing keys that a key policy would affect: keys that would be flagged or, for the policy about
    /// unused keys, suspended once it takes effect.
    ///
    /// # Errors
    /// Field errors at `policy`, `days`, `limit`, `on_exposure`, `from`; `FORBIDDEN`.
    pub async fn preview(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<PolicyPreview> {
        let permit = self.context.permit(actor, Operation::PreviewPolicy, Target::Tenant(actor.tenant_id())).await?;
        let policy = self.check(actor, input).await?;
        if policy.kind.affects_no_existing_keys() {
            return Ok(PolicyPreview { policy, keys: Vec::new(), count: 0 });
        }
        let now = self.context.now();
        let (mut keys, count) =
            storage::key_list::list_against(self.context.db(), &permit, &policy, now, MAX_NAMED, MAX_COUNTED).await?;
        ApiKeys { context: self.context, usage: self.usage }.complete(&mut keys).await?;
        Ok(PolicyPreview { policy, keys, count })
    }

    /// Turns a key policy on or changes it. If it takes effect later, the current one stays in effect until then.
    ///
    /// # Errors
    /// As [`KeyPolicies::preview`]; `CONFIRMATION_REQUIRED` if it allows more than before, at any time.
    #[tracing::instrument(skip_all)]
    pub async fn set(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<KeyPolicy> {
        let permit = self.context.permit_write(actor, Operation::SetPolicy, Target::Tenant(actor.tenant_id())).await?;
        let policy = self.check(actor, input).await?;
        let subject = ("tenant", actor.tenant_id().0, policy.kind.label());
        let number = policy.days.map(days_text).or(policy.limit.map(keys_text));
        let number = number.or(policy.on_exposure.map(|response| response.label().to_lowercase()));
        let number = number.map(|text| format!("{text}, ")).unwrap_or_default();
        let number = if policy.kind.has_scopes() { format!("{}, {number}", policy.scopes) } else { number };
        let detail = format!("{number}effective from {}", domain::time::utc_text(policy.effective_from));
        let entry = Entry::by(actor, Operation::SetPolicy, self.context.now(), subject).with(detail);
        retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let before = storage::key_policies::list_in(tx, permit.tenant_id(), policy.set_at).await?;
            self.context.require_fresh_to_widen(actor, Operation::SetPolicy, is_loosened_by(&before, &policy))?;
            storage::key_policies::set(tx, &permit, &policy).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(policy)
    }

    /// Turns a key policy off.
    ///
    /// # Errors
    /// A field error at `policy`; `CONFIRMATION_REQUIRED`; `CONFLICT` if it is already off; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn clear(&self, actor: &Actor, policy: &str) -> Result<()> {
        let permit =
            self.context.permit_write(actor, Operation::ClearPolicy, Target::Tenant(actor.tenant_id())).await?;
        let kind = kind_of(policy)?;
        let entry =
            Entry::by(actor, Operation::ClearPolicy, self.context.now(), ("tenant", actor.tenant_id().0, kind.label()));
        retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            if !storage::key_policies::clear(tx, &permit, kind).await? {
                return Err(ApiError::new(ErrorCode::Conflict, "This policy is already turned off.").into());
            }
            storage::audit::insert(tx, &entry).await
        })
    }

    async fn check(&self, actor: &Actor, input: &SetKeyPolicy) -> Result<KeyPolicy> {
        let (kind, now) = (kind_of(&input.policy)?, self.context.now());
        let days = match (kind.has_days(), input.days.trim().parse::<u32>().ok()) {
            (true, Some(days)) if (1..=MAX_DAYS).contains(&days) => Some(days),
            (true, _) => {
                return Err(
                    ApiError::field("days", format!("Choose 1 to {} days.", number_text(MAX_DAYS.into()))).into()
                );
            }
            (false, _) => None,
        };
        let malformed = || ApiError::field("from", ExpiryError::Malformed.to_string());
        let limit = match (kind.has_limit(), input.limit.trim().parse::<u32>().ok()) {
            (true, Some(limit)) if (1..=MAX_KEY_LIMIT).contains(&limit) => Some(limit),
            (true, _) => {
                return Err(ApiError::field(
                    "limit",
                    format!("Choose 1 to {} keys.", number_text(MAX_KEY_LIMIT.into())),
                )
                .into());
            }
            (false, _) => None,
        };
        let on_exposure = match (kind.has_response(), ExposureResponse::from_code(input.on_exposure.trim())) {
            (true, Some(response)) => Some(response),
            (true, None) => {
                let words = ExposureResponse::ALL.map(ExposureResponse::as_str).join(", ");
                return Err(ApiError::field("on_exposure", format!("Choose one of {words}.")).into());
            }
            (false, _) => None,
        };
        let scopes = if kind.has_scopes() { self.check_scopes(&input.scopes).await? } else { ScopeSet::default() };
        let from = first_instant(&input.from).map(|text| parse_instant(&text).ok_or_else(malformed)).transpose()?;
        let effective_from = from.map_or(now, |at| at.max(now));
        let set_by = actor.name().to_owned();
        Ok(KeyPolicy { kind, days, limit, on_exposure, scopes, effective_from, set_at: now, set_by })
    }

    /// Returns the scopes that a policy is about. A scope that doesn't exist is probably mistyped.
    async fn check_scopes(&self, text: &str) -> Result<ScopeSet> {
        let wrong = |message: String| ApiError::field("scopes", message);
        let scopes = ScopeSet::parse(text).map_err(|error| wrong(error.to_string()))?;
        if scopes.is_empty() {
            return Err(wrong("Enter at least one scope.".to_owned()).into());
        }
        let catalogue = storage::scopes::catalogue(self.context.db()).await?;
        let checked = catalogue.check_grant(&scopes, Role::TenantAdmin);
        checked.map_err(|lack| wrong(lack.to_string()))?;
        Ok(scopes)
    }
}

fn kind_of(word: &str) -> Result<PolicyKind> {
    let words = || PolicyKind::ALL.map(PolicyKind::as_str).join(", ");
    Ok(PolicyKind::from_code(word.trim())
        .ok_or_else(|| ApiError::field("policy", format!("Choose one of {}.", words())))?)
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
