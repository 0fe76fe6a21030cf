//! The daily usage of the keys of a list.

use std::collections::{BTreeMap, HashSet};

use chrono::TimeDelta;
use domain::{ApiKey, DayCount, KeyId, Operation, Owner, usage::each_day};

use super::api_keys::ApiKeys;
use crate::{
    access::{Actor, ReadPermit, Target, authorize},
    error::Result,
    storage,
};

impl ApiKeys<'_> {
    /// Returns the requests of keys that the actor has just listed, for each of the last `days` days in UTC, earliest
    /// first. Leaves out keys whose usage the actor may not see, and keys of other tenants. One statement, however many
    /// keys there are. Requests of the last second may be missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn daily(&self, actor: &Actor, keys: &[ApiKey], days: u32) -> Result<BTreeMap<KeyId, Vec<DayCount>>> {
        let permits = permits(actor, keys);
        let ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
        let now = self.context.now();
        let since = now - TimeDelta::days(i64::from(days.saturating_sub(1)));
        let mut counts: BTreeMap<KeyId, Vec<DayCount>> = BTreeMap::new();
        for (key, count) in storage::usage::list_days(self.context.db(), &permits, &ids, since).await? {
            counts.entry(key).or_default().push(count);
        }
        Ok(counts.into_iter().map(|(key, counts)| (key, each_day(counts, days, now))).collect())
    }
}

/// Returns the permits to see the usage of the keys in the actor's tenant: one for an administrator, otherwise one for
/// each owner.
fn permits(actor: &Actor, keys: &[ApiKey]) -> Vec<ReadPermit> {
    let tenant = actor.tenant_id();
    if let Ok(permit) = authorize(actor, Operation::ListTenantKeys, Target::Tenant(tenant)) {
        return vec![permit];
    }
    let owners: HashSet<Owner> = keys.iter().filter(|key| key.tenant_id == tenant).map(|key| key.owner).collect();
    owners
        .into_iter()
        .filter_map(|owner| authorize(actor, Operation::GetApiKeyUsage, Target::Owner(tenant, owner)).ok())
        .collect()
}
