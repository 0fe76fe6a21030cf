//! The overview of a tenant, for its administrators.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiKey, AuditQuery, DayCount, ExpiryWindow, InventoryFilter, InventoryQuery, KeyQuery, Operation, Overview,
    PageRequest,
    page::Total,
    tenant::overview::{DAYS, EXPIRING_WITHIN, KeyRequests, WEEK},
    usage::each_day,
};

use crate::{
    access::{Actor, ReadPermit, Target},
    context::Context,
    error::Result,
    keys::{api_keys::ApiKeys, inventory::Inventory, usage::UsageBuffer},
    storage::{self, usage::Busiest},
};

/// The most keys in [`Overview::most_used`] and [`Overview::most_rejected`].
const MAX_BUSIEST: u32 = 5;
/// The number of audit entries in [`Overview::recent`].
const RECENT: u32 = 10;

/// The overview of a tenant.
pub struct Overviews<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl Overviews<'_> {
    /// Returns the overview of the actor's tenant.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn get(&self, actor: &Actor) -> Result<Overview> {
        let permit = self.context.permit(actor, Operation::GetOverview, Target::Tenant(actor.tenant_id())).await?;
        let (db, now) = (self.context.db(), self.context.now());
        self.usage.flush_before_read(self.context).await;
        let steps = storage::overview::find_steps(db, &permit, now).await?;
        Ok(Overview {
            active: self.count(actor, InventoryFilter::All, None).await?,
            expiring: self.count(actor, InventoryFilter::All, ExpiryWindow::new(0, EXPIRING_WITHIN)).await?,
            unused: self.count(actor, InventoryFilter::Unused, None).await?,
            violating: self.count(actor, InventoryFilter::ViolatesKeyPolicy, None).await?,
            days: self.days(&permit, now).await?,
            most_used: self.busiest(&permit, Busiest::ByUses, now).await?,
            most_rejected: self.busiest(&permit, Busiest::ByRefusals, now).await?,
            reasons: storage::key_refusals::list_reasons(db, &permit, first_of(WEEK, now)).await?,
            recent: storage::audit::list(db, permit.tenant_id(), &recent()).await?.items,
            steps,
        })
    }

    /// Returns the number of active keys with a filter, as their list counts them.
    async fn count(
        &self,
        actor: &Actor,
        filter: InventoryFilter,
        expires: Option<ExpiryWindow>,
    ) -> Result<Option<Total>> {
        let inventory = Inventory { context: self.context, usage: self.usage };
        let query = KeyQuery { page: PageRequest { limit: 1, ..PageRequest::default() }, ..KeyQuery::default() };
        let only = InventoryQuery { filter, expires, ..InventoryQuery::default() };
        Ok(inventory.list(actor, &query, only).await?.total)
    }

    async fn days(&self, permit: &ReadPermit, now: DateTime<Utc>) -> Result<Vec<DayCount>> {
        let (counts, is_complete) =
            storage::usage::list_tenant_days(self.context.db(), permit, first_of(DAYS, now)).await?;
        if is_complete {
            return Ok(each_day(counts, DAYS, now));
        }
        // The first day isn't whole.
        let first = counts.first().map(|count| count.day);
        Ok(each_day(counts, DAYS, now)
            .into_iter()
            .filter(|count| first.is_none_or(|first| count.day > first))
            .collect())
    }

    async fn busiest(&self, permit: &ReadPermit, by: Busiest, now: DateTime<Utc>) -> Result<Vec<KeyRequests>> {
        let db = self.context.db();
        let counts = storage::usage::list_busiest(db, permit, by, first_of(WEEK, now), MAX_BUSIEST).await?;
        if counts.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = counts.iter().map(|(key, ..)| *key).collect();
        let mut keys: Vec<ApiKey> = storage::keys::list_by_ids(db, permit, &ids).await?;
        ApiKeys { context: self.context, usage: self.usage }.complete(&mut keys).await?;
        let with_key = |(id, use_count, refusals)| {
            let key = keys.iter().find(|key| key.id == id)?.clone();
            Some(KeyRequests { key, use_count, refusals })
        };
        Ok(counts.into_iter().filter_map(with_key).collect())
    }
}

/// Returns an instant on the first of the last `days` days, the last of which is today.
fn first_of(days: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(i64::from(days) - 1)
}

fn recent() -> AuditQuery {
    AuditQuery { page: PageRequest { limit: RECENT, ..PageRequest::default() }, ..AuditQuery::default() }
}
