//! Use cases of the inventory: all keys of a tenant in one list, and bulk actions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, InventoryQuery, KeyId, KeyPolicyKind, KeyQuery, Operation, Page, api_key::input::BulkOutcome,
};

use super::{
    api_keys::{ApiKeys, cancel_invitations},
    usage::UsageBuffer,
};
use crate::{
    access::{Actor, ReadPermit, Target, WritePermit, authorize, authorize_write},
    context::Context,
    error::Result,
    input,
    storage::{
        self, Tx,
        audit::Entry,
        db::retry,
        key_list::{Asked, Scope},
    },
};

/// The most keys that one request may act on.
pub const MAX_AT_ONCE: usize = 200;

/// A bulk action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BulkAct {
    Suspend,
    Revoke,
}

impl BulkAct {
    fn operation(self) -> Operation {
        match self {
            Self::Suspend => Operation::SuspendApiKeys,
            Self::Revoke => Operation::RevokeApiKeys,
        }
    }

    /// The operation on each key, which is authorized and appears in the audit log.
    fn each(self) -> Operation {
        match self {
            Self::Suspend => Operation::SuspendApiKey,
            Self::Revoke => Operation::RevokeApiKey,
        }
    }

    async fn make(
        self,
        tx: &mut Tx,
        actor: &Actor,
        permit: &WritePermit,
        key: KeyId,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        match self {
            Self::Suspend => storage::keys::suspend(tx, permit, key, now, (actor.name(), actor.id())).await,
            Self::Revoke => storage::keys::revoke(tx, permit, key, now, actor.name(), "bulk action").await,
        }
    }
}

/// Use cases of the inventory.
pub struct Inventory<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl Inventory<'_> {
    /// Returns one page of the tenant's keys.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator; `BAD_USER_INPUT` for a cursor of another kind of list.
    pub async fn list(&self, actor: &Actor, query: &KeyQuery, inventory: InventoryQuery) -> Result<Page<ApiKey>> {
        let permit = self.context.permit(actor, Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())).await?;
        let query = &KeyQuery { search: input::search(&query.search), ..query.clone() };
        let mut policies =
            storage::key_policies::list(self.context.db(), permit.tenant_id(), self.context.now()).await?;
        // Unused keys have a filter of their own. This one is about how keys were created.
        policies
            .retain(|policy| policy.kind != KeyPolicyKind::SuspendUnused && !policy.kind.affects_no_existing_keys());
        let scope = Scope::Tenant(permit.tenant_id());
        let asked = Asked { scope, query, inventory, policies: &policies, now: self.context.now() };
        let mut page = storage::key_list::list(self.context.db(), asked).await?;
        self.api_keys().complete(&mut page.items).await?;
        Ok(page)
    }

    /// Returns the given keys, to preview a bulk action. Leaves out keys of other tenants.
    ///
    /// # Errors
    /// A field error at `key_ids` for too many; `FORBIDDEN`.
    pub async fn get(&self, actor: &Actor, keys: &[KeyId]) -> Result<Vec<ApiKey>> {
        let permit = self.context.permit(actor, Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())).await?;
        let found = self.find(&permit, keys, |target| authorize(actor, Operation::GetApiKey, target)).await?;
        let mut found: Vec<ApiKey> = found.into_iter().map(|(_, key)| key).collect();
        self.api_keys().complete(&mut found).await?;
        Ok(found)
    }

    /// Suspends several keys in one transaction. Keys that are already inactive don't change.
    ///
    /// # Errors
    /// A field error at `key_ids` for too many; `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(keys = keys.len()))]
    pub async fn suspend(&self, actor: &Actor, keys: &[KeyId]) -> Result<BulkOutcome> {
        self.act(actor, BulkAct::Suspend, keys).await
    }

    /// Revokes several keys in one transaction. Keys that are already revoked don't change.
    ///
    /// # Errors
    /// As [`Inventory::suspend`].
    #[tracing::instrument(skip_all, fields(keys = keys.len()))]
    pub async fn revoke(&self, actor: &Actor, keys: &[KeyId]) -> Result<BulkOutcome> {
        self.act(actor, BulkAct::Revoke, keys).await
    }

    async fn act(&self, actor: &Actor, act: BulkAct, chosen: &[KeyId]) -> Result<BulkOutcome> {
        let permit = self.context.permit_write(actor, act.operation(), Target::Tenant(actor.tenant_id())).await?;
        let keys = self.find(&permit, chosen, |target| authorize_write(actor, act.each(), target)).await?;
        let now = self.context.now();
        let changed = retry!(self.context.db(), tx => {
            storage::tenants::lock_tenant(tx, actor.tenant_id()).await?;
            let (mut entries, mut cancelled) = (Vec::new(), Vec::new());
            for (permit, key) in &keys {
                if act.make(tx, actor, permit, key.id, now).await? {
                    let subject = ("api_key", key.id.0, key.name.as_str());
                    entries.push(Entry::by(actor, act.each(), now, subject).with("bulk action"));
                    if act == BulkAct::Revoke {
                        cancelled.extend(cancel_invitations(tx, actor, key, now).await?);
                    }
                }
            }
            for entry in entries.iter().chain(&cancelled) {
                storage::audit::insert(tx, entry).await?;
            }
            Ok(entries.len())
        })?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(BulkOutcome { changed: count(changed), unchanged: count(chosen.len().saturating_sub(changed)) })
    }

    fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { context: self.context, usage: self.usage }
    }

    /// Returns those keys that are in the permit's tenant, each with its own permit, in the order of their ids, which
    /// is the lock order of every transaction. `authorize`: returns the permit for a target.
    async fn find<P>(
        &self,
        permit: &ReadPermit,
        keys: &[KeyId],
        authorize: impl Fn(Target) -> std::result::Result<P, ApiError>,
    ) -> Result<Vec<(P, ApiKey)>> {
        if keys.len() > MAX_AT_ONCE {
            return Err(ApiError::field("key_ids", format!("Select at most {MAX_AT_ONCE} keys.")).into());
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = storage::keys::list_by_ids(self.context.db(), permit, keys).await?;
        let permitted = found.into_iter().map(|key| {
            let permit = authorize(Target::Owner(key.tenant_id, key.owner))?;
            Ok((permit, key))
        });
        permitted.collect()
    }
}
