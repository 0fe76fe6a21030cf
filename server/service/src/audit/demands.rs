//! Requests that demanded a scope of a key: counted in memory, and written with the other usage.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{KeyId, Scope, usage::ScopeUse};

use crate::{
    access::Client,
    error::Result,
    storage::{self, Db, db::retry},
};

/// How many uses are kept in memory at most. Further ones of new clients aren't counted until the next time that they
/// are written.
const MAX_PENDING: usize = 20_000;
/// How many clients of one key and scope are kept: requests claim their client themselves.
const MAX_CLIENTS: usize = 100;
/// How many uses one transaction writes.
const AT_ONCE: usize = 200;

/// A key, a scope, and a client's address and user agent.
type Demander = (KeyId, Scope, Option<String>, Option<String>);

#[derive(Debug, Default)]
struct Pending {
    counts: HashMap<Demander, ScopeUse>,
    clients: HashMap<(KeyId, Scope), usize>,
}

/// The demands that aren't in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    pending: Mutex<Pending>,
    /// Held while writing, so that a reader who waits for it finds what was pending.
    writer: tokio::sync::Mutex<()>,
}

impl Demands {
    /// Counts a demand. `is_met`: whether the key had the scope.
    pub(crate) fn record(&self, key: KeyId, scope: &Scope, is_met: bool, at: DateTime<Utc>, client: &Client) {
        self.record_many(key, scope, if is_met { (1, 0) } else { (0, 1) }, at, client);
    }

    /// Counts several demands: how often the key had the scope, and how often it lacked it.
    pub(crate) fn record_many(
        &self,
        key: KeyId,
        scope: &Scope,
        (use_count, refusals): (u64, u64),
        at: DateTime<Utc>,
        client: &Client,
    ) {
        let (address, user_agent) = (client.address.clone(), client.user_agent.clone());
        self.add(
            key,
            ScopeUse {
                scope: scope.clone(),
                address,
                user_agent,
                last_used_at: (use_count > 0).then_some(at),
                last_refused_at: (refusals > 0).then_some(at),
                use_count,
                refusals,
            },
        );
    }

    fn add(&self, key: KeyId, new: ScopeUse) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let demander = (key, new.scope.clone(), new.address.clone(), new.user_agent.clone());
        if let Some(known) = pending.counts.get_mut(&demander) {
            known.last_used_at = known.last_used_at.max(new.last_used_at);
            known.last_refused_at = known.last_refused_at.max(new.last_refused_at);
            known.use_count += new.use_count;
            known.refusals += new.refusals;
            return;
        }
        let is_full = pending.counts.len() >= MAX_PENDING;
        let clients = pending.clients.entry((key, new.scope.clone())).or_default();
        if *clients < MAX_CLIENTS && !is_full {
            *clients += 1;
            pending.counts.insert(demander, new);
        }
    }

    /// Writes the pending demands. What fails is kept for the next time.
    pub(crate) async fn flush(&self, db: &Db) -> Result<()> {
        let _writer = self.writer.lock().await;
        let taken = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut demands: Vec<(KeyId, ScopeUse)> = taken.counts.into_iter().map(|((key, ..), one)| (key, one)).collect();
        // In the order of the rows, so that servers that write at the same time don't deadlock.
        demands.sort_by(|(key, one), (other_key, other)| {
            let place = |one: &ScopeUse| (one.scope.clone(), one.address.clone(), one.user_agent.clone());
            (key, place(one)).cmp(&(other_key, place(other)))
        });
        let mut steps = demands.chunks(AT_ONCE);
        while let Some(step) = steps.next() {
            let written = retry!(db, tx => {
                storage::usage::yield_to_others(tx).await?;
                for (key, one) in step {
                    storage::scopes::add_use(tx, *key, one).await?;
                }
                Ok(())
            });
            if let Err(error) = written {
                for (key, one) in step.iter().chain(steps.flatten()) {
                    self.add(*key, one.clone());
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
