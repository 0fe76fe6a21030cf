//! Usage of keys: recorded in memory by the request, written in batches in the background, and when the service closes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Agent, AgentId, ApiKey, KeyId, LastUse};
use uuid::Uuid;

use super::verification_counts::VerificationCounts;
use crate::{
    access::Client,
    context::Context,
    error::Result,
    storage::{
        self, Db, Tx,
        db::{retry, to_completion},
        usage::{ClientUsage, hour_of},
    },
};

/// How long a reader of usage waits for pending usage to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(1);
/// How many keys' usage is written in one transaction.
const KEYS_AT_ONCE: usize = 200;
/// How many clients and how many agents of one key a batch contains. Requests claim both themselves, and invented ones
/// must not fill the memory or the tables.
const MAX_PENDING: usize = 100;
/// How many parts the fresh usage is in, each with a lock of its own.
const SHARDS: usize = 16;

/// Usage that is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct UsageBuffer {
    /// Usage recorded since the last batch, in the shard of each key.
    fresh: [Mutex<HashMap<KeyId, KeyUsage>>; SHARDS],
    /// The batch that was written last, for a reader that read a row just before.
    written: Mutex<Batch>,
    /// The batch that is being written.
    writing: Mutex<Batch>,
    /// Held while writing, so that only one batch is written at a time.
    writer: tokio::sync::Mutex<()>,
    /// How many malformed tokens were refused. There are many if somebody guesses.
    malformed: AtomicI64,
    /// How many well-formed tokens were refused that were never issued.
    unknown: AtomicI64,
    /// For the metrics.
    pub(crate) counts: VerificationCounts,
}

#[derive(Clone, Debug, Default)]
struct Batch {
    keys: BTreeMap<KeyId, KeyUsage>,
    unknown: i64,
}

#[derive(Clone, Debug, Default)]
struct KeyUsage {
    last_used: Option<LastUse>,
    last_refused: Option<LastUse>,
    /// Uses and refusals by hour, see [`hour_of`].
    hours: BTreeMap<i64, (i64, i64)>,
    /// The client that was seen last is usually the first one, so it is found at once.
    clients: Vec<ClientUsage>,
    agents: HashMap<AgentId, DateTime<Utc>>,
}

/// The result of verifying a key's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.unknown == 0
    }
}

impl KeyUsage {
    fn record(&mut self, verdict: Verdict, at: DateTime<Utc>, client: &Client) {
        let hour = self.hours.entry(hour_of(at)).or_default();
        let seen = find_or_add(&mut self.clients, at, client);
        match verdict {
            Verdict::Accepted => {
                hour.0 += 1;
                if let Some(seen) = seen {
                    seen.use_count += 1;
                    seen.last_used_at = seen.last_used_at.max(Some(at));
                }
                set_last(&mut self.last_used, at, client);
                let agents = &mut self.agents;
                let has_room = |agent: &AgentId| agents.len() < MAX_PENDING || agents.contains_key(agent);
                if let Some(agent) = client.agent_id.filter(has_room) {
                    agents.insert(agent, at);
                }
            }
            Verdict::Refused => {
                hour.1 += 1;
                if let Some(seen) = seen {
                    seen.refusals += 1;
                    seen.last_refused_at = Some(at);
                }
                set_last(&mut self.last_refused, at, client);
            }
        }
    }

    fn merge_older(&mut self, older: Self) {
        self.last_used = self.last_used.take().or(older.last_used);
        self.last_refused = self.last_refused.take().or(older.last_refused);
        for (hour, counts) in older.hours {
            let sum = self.hours.entry(hour).or_default();
            *sum = (sum.0 + counts.0, sum.1 + counts.1);
        }
        for (agent, at) in older.agents {
            if self.agents.len() < MAX_PENDING || self.agents.contains_key(&agent) {
                let latest = self.agents.entry(agent).or_insert(at);
                *latest = at.max(*latest);
            }
        }
        for old in older.clients {
            let Some(seen) = self.clients.iter_mut().find(|seen| seen.is_same_client(&old)) else {
                if self.clients.len() < MAX_PENDING {
                    self.clients.push(old);
                }
                continue;
            };
            seen.first_seen_at = seen.first_seen_at.min(old.first_seen_at);
            seen.last_used_at = seen.last_used_at.max(old.last_used_at);
            seen.last_refused_at = seen.last_refused_at.max(old.last_refused_at);
            seen.use_count += old.use_count;
            seen.refusals += old.refusals;
        }
    }
}

/// Returns the usage by a client, which is the first one afterwards. `None` if there is no room for another client.
fn find_or_add<'c>(
    clients: &'c mut Vec<ClientUsage>,
    at: DateTime<Utc>,
    client: &Client,
) -> Option<&'c mut ClientUsage> {
    let (address, user_agent) = (client.address.as_deref().unwrap_or(""), client.user_agent.as_deref().unwrap_or(""));
    let agent_id = client.agent_id.map_or(Uuid::nil(), |id| id.0);
    let is_its =
        |seen: &ClientUsage| seen.address == address && seen.user_agent == user_agent && seen.agent_id == agent_id;
    let place = match clients.iter().position(is_its) {
        Some(place) => place,
        None if clients.len() >= MAX_PENDING => return None,
        None => {
            let (address, user_agent) = (address.to_owned(), user_agent.to_owned());
            let (last_used_at, last_refused_at) = (None, None);
            clients.push(ClientUsage {
                address,
                user_agent,
                agent_id,
                first_seen_at: at,
                last_used_at,
                last_refused_at,
                use_count: 0,
                refusals: 0,
            });
            clients.len() - 1
        }
    };
    clients.swap(0, place);
    clients.first_mut()
}

/// Sets the last use, unless a later one is known. Copies the client's texts only if they differ from those of the use
/// before.
fn set_last(last: &mut Option<LastUse>, at: DateTime<Utc>, client: &Client) {
    match last {
        Some(later) if later.at > at => (),
        Some(last) if last.address == client.address && last.user_agent == client.user_agent => last.at = at,
        _ => *last = Some(LastUse { at, address: client.address.clone(), user_agent: client.user_agent.clone() }),
    }
}

impl UsageBuffer {
    /// Records the result of verifying a key's token. Waits for nothing but the lock of the key's shard.
    pub(crate) fn record(&self, key: KeyId, verdict: Verdict, at: DateTime<Utc>, client: &Client) {
        lock(self.shard(key)).entry(key).or_default().record(verdict, at, client);
    }

    /// Records uses of a key that a verifier has counted, all at the same time and by the same client.
    pub(crate) fn record_uses(&self, key: KeyId, use_count: u64, at: DateTime<Utc>, client: &Client) {
        let Some(further) = use_count.checked_sub(1).and_then(|further| i64::try_from(further).ok()) else { return };
        let mut fresh = lock(self.shard(key));
        let usage = fresh.entry(key).or_default();
        usage.record(Verdict::Accepted, at, client);
        usage.hours.entry(hour_of(at)).or_default().0 += further;
        if let Some(seen) = find_or_add(&mut usage.clients, at, client) {
            seen.use_count += further;
        }
    }

    fn shard(&self, key: KeyId) -> &Mutex<HashMap<KeyId, KeyUsage>> {
        // The last byte of an id is random.
        &self.fresh[usize::from(key.0.as_bytes()[15]) % SHARDS]
    }

    /// Counts a well-formed token that was never issued.
    pub(crate) fn record_unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a malformed token.
    pub(crate) fn record_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds usage to keys that is not written yet, or was not when the keys were read.
    pub(crate) fn overlay<'k>(&self, keys: impl IntoIterator<Item = &'k mut ApiKey>) {
        let batches = self.batches();
        for key in keys {
            for usage in batches.of(key.id) {
                show_later(&mut key.last_used, usage.last_used.as_ref());
                show_later(&mut key.last_refused, usage.last_refused.as_ref());
            }
        }
    }

    /// Adds polls to agents that are not written yet, or were not when the agents were read.
    pub(crate) fn overlay_agents(&self, agents: &mut [Agent]) {
        let batches = self.batches();
        for agent in agents {
            for at in batches.of(agent.key.id).filter_map(|usage| usage.agents.get(&agent.id)) {
                agent.last_seen_at = agent.last_seen_at.max(*at);
            }
        }
    }

    /// Writes the recorded usage in one transaction. If that fails, it is tried again with the next batch. `now`: the
    /// time in whose hour tokens without a key are counted.
    pub(crate) async fn flush(&self, db: &Db, now: DateTime<Utc>) -> Result<()> {
        let _writer = self.writer.lock().await;
        *lock(&self.written) = Batch::default();
        let malformed = self.malformed.swap(0, Ordering::Relaxed);
        let batch = {
            let mut writing = lock(&self.writing);
            writing.unknown = self.unknown.swap(0, Ordering::Relaxed);
            for shard in &self.fresh {
                writing.keys.extend(std::mem::take(&mut *lock(shard)));
            }
            writing.clone()
        };
        if batch.is_empty() && malformed == 0 {
            return Ok(());
        }
        // Runs to completion, so that a caller that goes away loses no usage.
        let (db, hour) = (db.clone(), hour_of(now));
        let written = to_completion(async move { Ok(write_in_steps(&db, batch, malformed, hour).await) });
        let written = written.await;
        let (rest, written) = written.unwrap_or_else(|error| (lock(&self.writing).clone(), Err(error)));
        let (mut last, mut writing) = (lock(&self.written), lock(&self.writing));
        *last = std::mem::take(&mut *writing);
        if written.is_err() {
            self.put_back(rest);
            self.malformed.fetch_add(malformed, Ordering::Relaxed);
        }
        written
    }

    /// Merges a batch that couldn't be written with what was recorded meanwhile.
    fn put_back(&self, older: Batch) {
        for (key, usage) in older.keys {
            lock(self.shard(key)).entry(key).or_default().merge_older(usage);
        }
        self.unknown.fetch_add(older.unknown, Ordering::Relaxed);
    }

    /// Writes the recorded usage before usage is read. Waits for at most [`WRITE_WITHIN`]: if another transaction takes
    /// longer, the usage is written later and the reader sees an older state, as it does for usage recorded by other
    /// servers.
    pub(crate) async fn flush_before_read(self: &Arc<Self>, context: &Context) {
        let (usage, context) = (Arc::clone(self), context.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = usage.flush(context.db(), context.now()).await {
                tracing::warn!(%error, "usage could not be written before it was read; trying again");
            }
            if let Err(error) = context.audit().flush_usage().await {
                tracing::warn!(%error, "demanded scopes and rejected requests could not be written before they were read; trying again");
            }
        });
        tokio::time::timeout(WRITE_WITHIN, task).await.ok();
    }

    /// Locks the batch that was written last and the pending ones, oldest first. The lock order is the same everywhere.
    fn batches(&self) -> Batches<'_> {
        Batches { older: [lock(&self.written), lock(&self.writing)], fresh: self.fresh.iter().map(lock).collect() }
    }
}

/// All usage that isn't in the database, or wasn't a moment ago.
struct Batches<'a> {
    older: [MutexGuard<'a, Batch>; 2],
    fresh: Vec<MutexGuard<'a, HashMap<KeyId, KeyUsage>>>,
}

impl Batches<'_> {
    /// Returns the usage of a key, oldest first.
    fn of(&self, key: KeyId) -> impl Iterator<Item = &KeyUsage> {
        let older = self.older.iter().filter_map(move |batch| batch.keys.get(&key));
        older.chain(self.fresh.iter().filter_map(move |shard| shard.get(&key)))
    }
}

fn show_later(shown: &mut Option<LastUse>, recorded: Option<&LastUse>) {
    if let Some(recorded) = recorded
        && shown.as_ref().is_none_or(|shown| shown.at <= recorded.at)
    {
        *shown = Some(recorded.clone());
    }
}

/// Writes a batch in several transactions, so that others don't wait for it. Returns the rest of the batch that could not
/// be written; malformed tokens are part of it.
async fn write_in_steps(db: &Db, mut batch: Batch, malformed: i64, hour: i64) -> (Batch, Result<()>) {
    loop {
        let later = batch.keys.keys().nth(KEYS_AT_ONCE).copied();
        let rest = later.map(|later| batch.keys.split_off(&later)).unwrap_or_default();
        let is_last = rest.is_empty();
        let step = Batch { keys: std::mem::take(&mut batch.keys), unknown: if is_last { batch.unknown } else { 0 } };
        let malformed = if is_last { malformed } else { 0 };
        let written = retry!(db, tx => write(tx, &step, malformed, hour).await);
        batch.keys = rest;
        if let Err(error) = written {
            batch.keys.extend(step.keys);
            return (batch, Err(error));
        }
        if is_last {
            return (batch, Ok(()));
        }
    }
}

/// Writes keys in the order of their ids, so that servers that write at the same time don't deadlock.
async fn write(tx: &mut Tx, batch: &Batch, malformed: i64, hour: i64) -> Result<()> {
    storage::usage::yield_to_others(tx).await?;
    for (key, usage) in &batch.keys {
        if let Some(last) = &usage.last_used {
            storage::usage::update_last_use(tx, *key, last).await?;
        }
        if let Some(last) = &usage.last_refused {
            storage::usage::update_last_refusal(tx, *key, last).await?;
        }
        for (hour, (use_count, refusals)) in &usage.hours {
            storage::usage::add_hour(tx, *key, *hour, *use_count, *refusals).await?;
        }
        for seen in &usage.clients {
            storage::usage::add_client(tx, *key, seen).await?;
        }
        for (agent, at) in &usage.agents {
            storage::agents::update_last_seen(tx, *agent, *key, *at).await?;
        }
    }
    for (reason, refusals) in [("malformed", malformed), ("unknown", batch.unknown)] {
        if refusals > 0 {
            storage::usage::add_refusals(tx, hour, reason, refusals).await?;
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_added_to_what_came_meanwhile() {
        let client = Client { address: Some("192.0.2.1".to_owned()), ..Client::command_line() };
        let (key, at) = (KeyId(Uuid::from_u128(1)), DateTime::UNIX_EPOCH);
        let later = at + chrono::TimeDelta::seconds(5);
        let (buffer, mut older) = (UsageBuffer::default(), Batch::default());
        older.keys.entry(key).or_default().record(Verdict::Accepted, at, &client);
        older.keys.entry(key).or_default().record(Verdict::Refused, at, &client);
        older.unknown = 3;
        buffer.record(key, Verdict::Accepted, later, &client);
        buffer.record_unknown();
        buffer.put_back(older);
        assert_eq!(buffer.unknown.load(Ordering::Relaxed), 4);
        let batches = buffer.batches();
        let [usage] = batches.of(key).collect::<Vec<_>>()[..] else { panic!("one") };
        assert_eq!(usage.last_used.as_ref().map(|last| last.at), Some(later));
        assert_eq!(usage.last_refused.as_ref().map(|last| last.at), Some(at));
        assert_eq!(usage.hours[&0], (2, 1));
        let [client] = &usage.clients[..] else { panic!("one") };
        assert_eq!(
            (client.use_count, client.refusals, client.first_seen_at, client.last_used_at),
            (2, 1, at, Some(later))
        );
    }

    #[test]
    fn made_up_clients_and_agents_of_one_key_fill_neither_its_usage_nor_another_keys() {
        let (key, other, at) = (KeyId(Uuid::from_u128(1)), KeyId(Uuid::from_u128(2)), DateTime::UNIX_EPOCH);
        let made_up = |n: u128| Client {
            user_agent: Some(format!("agent {n}")),
            agent_id: Some(AgentId(Uuid::from_u128(n))),
            ..Client::command_line()
        };
        let (buffer, mut older) = (UsageBuffer::default(), Batch::default());
        for n in 0..1_000 {
            older.keys.entry(key).or_default().record(Verdict::Accepted, at, &made_up(n));
            buffer.record(key, Verdict::Accepted, at, &made_up(n + 5_000));
        }
        buffer.record(other, Verdict::Accepted, at, &made_up(1));
        buffer.put_back(older);
        let batches = buffer.batches();
        let of = |key| batches.of(key).next().unwrap();
        let held = |key| (of(key).clients.len(), of(key).agents.len());
        assert_eq!((held(key), held(other)), ((MAX_PENDING, MAX_PENDING), (1, 1)));
        assert_eq!(of(key).hours[&0], (2_000, 0), "all are counted");
    }

    #[test]
    fn clients_are_told_apart_by_address_agent_and_user_agent() {
        let (key, at) = (KeyId(Uuid::from_u128(1)), DateTime::UNIX_EPOCH);
        let buffer = UsageBuffer::default();
        let plain = Client::command_line();
        let one = Client { address: Some("192.0.2.1".to_owned()), ..plain.clone() };
        let two = Client { user_agent: Some("192.0.2.1".to_owned()), ..plain.clone() };
        let three = Client { agent_id: Some(AgentId(Uuid::from_u128(1))), ..one.clone() };
        for client in [&plain, &one, &two, &three, &one, &plain, &one] {
            buffer.record(key, Verdict::Accepted, at, client);
        }
        let batches = buffer.batches();
        let usage = batches.of(key).next().unwrap();
        let mut counts: Vec<i64> = usage.clients.iter().map(|client| client.use_count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 2, 3]);
        assert_eq!(usage.last_used.as_ref().and_then(|last| last.address.as_deref()), Some("192.0.2.1"));
    }
}
