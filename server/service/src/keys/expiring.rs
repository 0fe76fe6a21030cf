//! The keys of a tenant that expire in the next months, with how much they are used.

use chrono::TimeDelta;
use domain::{ApiKey, Operation, OwnerKind, page::Total};

use super::{api_keys::ApiKeys, inventory::Inventory};
use crate::{
    access::{Actor, Target},
    error::Result,
    storage::expiring::{self, Period},
};

/// How far ahead [`Inventory::expiring`] looks.
pub const EXPIRY_PERIOD: TimeDelta = TimeDelta::days(90);
/// The most keys that [`Inventory::expiring`] returns.
const MAX_KEYS: u32 = 100;
/// The days for which the requests of an expiring key are counted: a week, including today.
const USAGE_DAYS: u32 = 7;

/// Keys that expire within [`EXPIRY_PERIOD`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpiringKeys {
    /// The keys that expire first, at most 100, soonest first. Each with its accepted requests of the last week.
    pub keys: Vec<(ApiKey, u64)>,
    /// The number of all keys that expire in the period; `None` if there are none.
    pub total: Option<Total>,
}

impl Inventory<'_> {
    /// Returns the active keys of the tenant that expire within [`EXPIRY_PERIOD`] and aren't being replaced. `kind`:
    /// only keys of this kind of owner.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn expiring(&self, actor: &Actor, kind: Option<OwnerKind>) -> Result<ExpiringKeys> {
        let permit = self.context.permit(actor, Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())).await?;
        let (db, now) = (self.context.db(), self.context.now());
        let period = Period { now, until: now + EXPIRY_PERIOD };
        let keys = expiring::list(db, &permit, kind, period, MAX_KEYS).await?;
        if keys.is_empty() {
            return Ok(ExpiringKeys::default());
        }
        let total = expiring::count(db, &permit, kind, period).await?;
        let days = ApiKeys { context: self.context, usage: self.usage }.daily(actor, &keys, USAGE_DAYS).await?;
        let with_uses = |key: ApiKey| {
            let use_count = days.get(&key.id).map_or(0, |days| days.iter().map(|day| day.use_count).sum());
            (key, use_count)
        };
        Ok(ExpiringKeys { keys: keys.into_iter().map(with_uses).collect(), total: Some(total) })
    }
}
