//! Requests with a key that were rejected: recorded in memory, and written with the other usage.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{KeyId, KeyRefusal, RefusalReason, Scope, refusal::MAX_REFUSALS};

use crate::{
    access::Client,
    error::Result,
    storage::{self, Db, db::retry, key_refusals::OnDay, usage::day_of},
};

/// How many different rejected requests are kept in memory at most, of all keys. Further ones only count as usage, until
/// the next time that they are written.
const MAX_PENDING: usize = 20_000;
/// How many keys' rejected requests one transaction writes.
const KEYS_AT_ONCE: usize = 50;
/// How many sums one transaction writes.
const SUMS_AT_ONCE: usize = 200;

#[derive(Debug, Default)]
struct Pending {
    of_keys: HashMap<KeyId, Vec<KeyRefusal>>,
    /// How many there are in all.
    refusals: usize,
    /// All of them by day and reason, for the sums of the tenant.
    by_day: HashMap<OnDay, u64>,
}

impl Pending {
    /// Adds a request, or counts it if an equal one is pending. Clients invent addresses and names, so there is room for
    /// a few requests of each key.
    fn add(&mut self, key: KeyId, new: KeyRefusal) {
        if self.refusals >= MAX_PENDING && !self.of_keys.contains_key(&key) {
            return;
        }
        let of_key = self.of_keys.entry(key).or_default();
        if let Some(known) = of_key.iter_mut().find(|known| known.is_like(&new)) {
            known.first_at = known.first_at.min(new.first_at);
            known.last_at = known.last_at.max(new.last_at);
            known.count = known.count.saturating_add(new.count);
        } else if of_key.len() < MAX_REFUSALS && self.refusals < MAX_PENDING {
            of_key.push(new);
            self.refusals += 1;
        }
    }
}

impl Pending {
    /// Adds to the sum of a day.
    fn count(&mut self, on: OnDay, refusals: u64) {
        if self.by_day.len() < MAX_PENDING || self.by_day.contains_key(&on) {
            let sum = self.by_day.entry(on).or_default();
            *sum = sum.saturating_add(refusals);
        }
    }
}

/// The rejected requests that aren't in the database yet.
#[derive(Debug, Default)]
pub(crate) struct KeyRefusals {
    pending: Mutex<Pending>,
    /// Held while writing, so that a reader who waits for it finds what was pending.
    writer: tokio::sync::Mutex<()>,
}

impl KeyRefusals {
    /// Records a rejected request. `scopes`: the demanded scopes that the key lacks.
    pub(crate) fn record(
        &self,
        key: KeyId,
        (reason, scopes): (RefusalReason, Vec<Scope>),
        at: DateTime<Utc>,
        client: &Client,
    ) {
        let (address, user_agent, agent_id) = (client.address.clone(), client.user_agent.clone(), client.agent_id);
        let (endpoint, agent_name) = (client.endpoint, None);
        let (first_at, last_at, count) = (at, at, 1);
        let refusal = KeyRefusal {
            reason,
            endpoint,
            scopes,
            address,
            user_agent,
            agent_id,
            agent_name,
            first_at,
            last_at,
            count,
        };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.add(key, refusal);
        pending.count(OnDay { key, day: day_of(at), reason }, 1);
    }

    /// Writes the pending requests. What fails is kept for the next time.
    pub(crate) async fn flush(&self, db: &Db) -> Result<()> {
        let _writer = self.writer.lock().await;
        let mut taken = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut sums: Vec<(OnDay, u64)> = taken.by_day.drain().collect();
        sums.sort_unstable();
        let rows = self.write_rows(db, taken).await;
        let sums = self.write_sums(db, &sums).await;
        rows.and(sums)
    }

    async fn write_sums(&self, db: &Db, sums: &[(OnDay, u64)]) -> Result<()> {
        let mut steps = sums.chunks(SUMS_AT_ONCE);
        while let Some(step) = steps.next() {
            let written = retry!(db, tx => {
                storage::usage::yield_to_others(tx).await?;
                for (on, refusals) in step {
                    storage::key_refusals::add_to_tenant(tx, *on, *refusals).await?;
                }
                Ok(())
            });
            if let Err(error) = written {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                step.iter().chain(steps.flatten()).for_each(|(on, refusals)| pending.count(*on, *refusals));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_rows(&self, db: &Db, taken: Pending) -> Result<()> {
        let mut keys: Vec<(KeyId, Vec<KeyRefusal>)> = taken.of_keys.into_iter().collect();
        // In the order of the rows, so that servers that write at the same time don't deadlock.
        keys.sort_by_key(|(key, _)| *key);
        for (_, refusals) in &mut keys {
            refusals.sort_by(|one, other| place(one).cmp(&place(other)));
        }
        let mut steps = keys.chunks(KEYS_AT_ONCE);
        while let Some(step) = steps.next() {
            let written = retry!(db, tx => {
                storage::usage::yield_to_others(tx).await?;
                for (key, refusals) in step {
                    for refusal in refusals {
                        storage::key_refusals::add(tx, *key, refusal).await?;
                    }
                    storage::key_refusals::delete_beyond_most_recent(tx, *key).await?;
                }
                Ok(())
            });
            if let Err(error) = written {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, refusals) in step.iter().chain(steps.flatten()) {
                    for refusal in refusals {
                        pending.add(*key, refusal.clone());
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Returns what orders the rows of a key.
fn place(refusal: &KeyRefusal) -> impl Ord {
    let client = (refusal.address.clone(), refusal.user_agent.clone(), refusal.agent_id);
    (refusal.reason.as_str(), refusal.endpoint, refusal.scopes_text(), client)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn pending(refusals: &KeyRefusals) -> Vec<(KeyId, KeyRefusal)> {
        let pending = refusals.pending.lock().unwrap();
        let all = pending.of_keys.iter().flat_map(|(key, of_key)| of_key.iter().map(|one| (*key, one.clone())));
        let all: Vec<_> = all.collect();
        assert_eq!(all.len(), pending.refusals);
        all
    }

    #[test]
    fn equal_rejected_requests_are_one_with_a_count() {
        let (refusals, client) = (KeyRefusals::default(), Client::command_line());
        let (key, at) = (KeyId(Uuid::from_u128(1)), DateTime::UNIX_EPOCH);
        for second in [5, 0, 9] {
            refusals.record(key, (RefusalReason::Revoked, Vec::new()), at + TimeDelta::seconds(second), &client);
        }
        let scope = Scope::parse("a:read").unwrap();
        refusals.record(key, (RefusalReason::MissingScope, vec![scope]), at, &client);
        let pending = pending(&refusals);
        let counts: Vec<_> = pending.iter().map(|(_, one)| (one.reason, one.count, one.scopes.len())).collect();
        assert_eq!(counts, [(RefusalReason::Revoked, 3, 0), (RefusalReason::MissingScope, 1, 1)]);
        assert_eq!((pending[0].1.first_at, pending[0].1.last_at), (at, at + TimeDelta::seconds(9)));
    }

    #[test]
    fn invented_clients_fill_neither_the_memory_nor_the_room_of_another_key() {
        let refusals = KeyRefusals::default();
        let record = |key: u128, agent: u32| {
            let client = Client { user_agent: Some(agent.to_string()), ..Client::command_line() };
            let why = (RefusalReason::Revoked, Vec::new());
            refusals.record(KeyId(Uuid::from_u128(key)), why, DateTime::UNIX_EPOCH, &client);
        };
        (0..1_000).for_each(|agent| record(1, agent));
        record(2, 0);
        assert_eq!(pending(&refusals).len(), MAX_REFUSALS + 1);
        for key in 3..1_000 {
            (0..50).for_each(|agent| record(key, agent));
        }
        assert_eq!(pending(&refusals).len(), MAX_PENDING);
    }
}
