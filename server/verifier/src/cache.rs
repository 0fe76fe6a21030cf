//! The valid keys that are known, by the digest of their token.
//!
//! # Why an answer is never older than a second
//!
//! The server numbers the changes of each tenant in the order in which they become visible. A [`Cursor`] says up to which
//! numbers the changes were read. Two kinds of cursors are compared:
//!
//! - **Applied**: this process has received every change up to it, and has removed what the changes name
//!   ([`Cache::apply`]). It is unknown while the feed isn't connected, and nothing is used then.
//! - **Of an answer**: the server read the changes up to it *before* it looked for the answer. So the answer includes all
//!   of them, and perhaps later ones.
//!
//! An answer is added only if its cursor includes the applied one ([`Cache::insert`], compare-and-set). Both functions hold
//! the same lock, so there are two cases for a change that makes the answer wrong:
//!
//! 1. It was applied before the answer was added. Then the applied cursor includes the change, and so does the answer's
//!    cursor, or the answer isn't added. An answer whose cursor includes the change was read after it, and isn't wrong.
//! 2. It is applied afterwards. Then it removes the answer.
//!
//! So what is known includes every change up to the applied cursor. What remains is how old that may be. Every 250 ms this
//! process asks the server how far it has read the changes, and remembers when it asked, at `t`. The server answers with a
//! cursor and with the age `a` of the reading: everything that was committed before `t - a` is included in the cursor, even
//! if the answer was under way for long. Once the applied cursor includes it, everything that is known was right at
//! `t - a` ([`Cache::confirm`]). It is used until `t - a` + 1 s, and not later. A revocation that was acknowledged at `r`
//! is therefore effective at `r` + 1 s at the latest, whatever stops in between: the feed, the network, the server, or this
//! process. Usually it is effective after a few milliseconds, when the feed brings it.
//!
//! The clock counts the time of a suspended machine. No clocks of two machines are compared, except for the expiry of
//! keys: the server's time is taken to be at least as late as it can be, so a key may be refused too early by the duration
//! of a request, and never too late.
//!
//! If the server is restored from a backup, or fails over to a standby, it begins a new run, the feed begins with a reset,
//! and everything is forgotten. A cursor of another run of the same server doesn't confirm anything.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use uuid::Uuid;

use crate::{cursor::Cursor, known::Known, token::TokenDigest};

/// How long after the moment at which it was right what is known is used, in microseconds.
pub(crate) const MAX_AGE: i64 = 1_000_000;
/// How many parts the keys are in, each with a lock of its own.
const SHARDS: usize = 64;
const NEVER: i64 = i64::MIN;

/// What a change makes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Key(Uuid),
    Owner(Uuid),
    /// All keys.
    Everything,
}

/// A digest is random, so a part of it is its own hash.
#[derive(Clone, Copy, Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length of the digest, which is always the same.
    fn write_usize(&mut self, _: usize) {}
}

type Shard = HashMap<TokenDigest, Arc<Known>, BuildHasherDefault<FirstBytes>>;

/// The keys.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: Vec<RwLock<Shard>>,
    most_in_shard: usize,
    following: Mutex<Following>,
    /// Until when what is known is used, by the monotonic clock. Written while `following` is locked.
    usable_until: AtomicI64,
    /// What is added to the monotonic clock to get the latest time that it may be at the server.
    server_offset: AtomicI64,
    /// Whether the server has imported keys, as it said last.
    has_imported: AtomicBool,
}

/// How the changes are followed.
#[derive(Debug, Default)]
struct Following {
    /// Everything up to it is applied. `None`: not following.
    applied: Option<Cursor>,
    /// A cursor that isn't applied yet, and the moment of which it includes everything.
    awaited: Option<(Cursor, i64)>,
    by_key: HashMap<Uuid, TokenDigest>,
}

impl Cache {
    /// Returns a cache of about `most` keys.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            most_in_shard: (most / SHARDS).max(1),
            following: Mutex::default(),
            usable_until: AtomicI64::new(NEVER),
            server_offset: AtomicI64::new(0),
            has_imported: AtomicBool::new(true),
        }
    }

    /// Returns a key that is known and hasn't expired. `None` says nothing about the token.
    pub(crate) fn get(&self, digest: &TokenDigest, now: i64) -> Option<Arc<Known>> {
        if now >= self.usable_until.load(Ordering::Acquire) {
            return None;
        }
        let known = Arc::clone(self.read(digest).get(digest)?);
        (!self.has_expired(&known, now)).then_some(known)
    }

    /// Whether a key has expired. At the instant of its expiry, it has.
    fn has_expired(&self, known: &Known, now: i64) -> bool {
        known.expires_at.is_some_and(|at| now.saturating_add(self.server_offset.load(Ordering::Acquire)) >= at)
    }

    /// Whether what is known is used.
    pub(crate) fn is_usable(&self, now: i64) -> bool {
        now < self.usable_until.load(Ordering::Acquire)
    }

    /// Whether the server may have imported keys, whose tokens can have any format. True in doubt: a text that isn't a
    /// token is then refused by the server. After the first import, it is false for half a second at most, in which such
    /// a token is refused here.
    pub(crate) fn may_have_imported(&self, now: i64) -> bool {
        !self.is_usable(now) || self.has_imported.load(Ordering::Acquire)
    }

    /// The server said whether it has imported keys.
    pub(crate) fn set_imported(&self, has_imported: bool) {
        self.has_imported.store(has_imported, Ordering::Release);
    }

    /// Adds a key, unless changes were applied that the answer may not include. Answers of another server than the one
    /// whose changes are followed aren't kept.
    pub(crate) fn insert(&self, known: &Arc<Known>, read_at: &Cursor) {
        let mut following = self.following();
        if !following.applied.is_some_and(|applied| read_at.is_of_same_run(&applied) && read_at.includes(&applied)) {
            return;
        }
        if let Some(other) = following.by_key.insert(known.key, known.digest).filter(|other| *other != known.digest) {
            self.write(&other).remove(&other);
        }
        let mut shard = self.write(&known.digest);
        if shard.len() >= self.most_in_shard && !shard.contains_key(&known.digest) {
            make_room(&mut shard, &mut following.by_key);
        }
        shard.insert(known.digest, Arc::clone(known));
    }

    /// Begins to follow the changes after a cursor. What was known before may be wrong.
    pub(crate) fn reset(&self, cursor: Cursor) {
        let mut following = self.following();
        self.usable_until.store(NEVER, Ordering::Release);
        following.by_key.clear();
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
        following.applied = Some(cursor);
        following.awaited = None;
    }

    /// Goes on to follow the changes after the cursor that was applied last.
    pub(crate) fn resume(&self, cursor: Cursor) {
        self.following().applied = Some(cursor);
    }

    /// Nobody follows the changes from now on. Returns the cursor that was applied last.
    pub(crate) fn pause(&self) -> Option<Cursor> {
        let mut following = self.following();
        self.usable_until.store(NEVER, Ordering::Release);
        following.awaited = None;
        following.applied.take()
    }

    /// Returns the cursor that was applied last, if the changes are followed.
    pub(crate) fn applied(&self) -> Option<Cursor> {
        self.following().applied
    }

    /// Removes what a change makes wrong. `cursor`: the one after the change.
    pub(crate) fn apply(&self, change: Option<Change>, cursor: Cursor) {
        let mut following = self.following();
        if following.applied.is_none() {
            return;
        }
        match change {
            None => (),
            Some(Change::Key(key)) => {
                if let Some(digest) = following.by_key.remove(&key) {
                    self.write(&digest).remove(&digest);
                }
            }
            Some(Change::Owner(owner)) => self.retain(&mut following, |known| known.owner != owner),
            Some(Change::Everything) => self.retain(&mut following, |_| false),
        }
        following.applied = Some(cursor);
        if let Some((awaited, right_at)) = following.awaited.filter(|(awaited, _)| cursor.includes(awaited)) {
            debug_assert!(cursor.includes(&awaited));
            following.awaited = None;
            self.usable_until.fetch_max(right_at.saturating_add(MAX_AGE), Ordering::AcqRel);
        }
    }

    fn retain(&self, following: &mut Following, is_kept: impl Fn(&Known) -> bool) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|_, known| {
                let is_kept = is_kept(known);
                if !is_kept {
                    following.by_key.remove(&known.key);
                }
                is_kept
            });
        }
    }

    /// The server said that a cursor includes everything up to a moment. `server_offset`: see [`Cache::has_expired`].
    pub(crate) fn confirm(&self, cursor: Cursor, right_at: i64, server_offset: i64) {
        let mut following = self.following();
        self.server_offset.store(server_offset, Ordering::Release);
        let Some(applied) = following.applied else { return };
        if applied.includes(&cursor) {
            self.usable_until.fetch_max(right_at.saturating_add(MAX_AGE), Ordering::AcqRel);
        } else {
            following.awaited = Some((cursor, right_at));
        }
    }

    fn following(&self) -> MutexGuard<'_, Following> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, digest: &TokenDigest) -> &RwLock<Shard> {
        // Another byte than the first ones, which the map uses.
        &self.shards[usize::from(digest[31]) % SHARDS]
    }

    fn read(&self, digest: &TokenDigest) -> RwLockReadGuard<'_, Shard> {
        self.shard(digest).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, digest: &TokenDigest) -> RwLockWriteGuard<'_, Shard> {
        self.shard(digest).write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes an eighth of the keys, whichever they are. They are asked for again when they are used.
fn make_room(shard: &mut Shard, by_key: &mut HashMap<Uuid, TokenDigest>) {
    let removed: Vec<_> = shard.values().take(shard.len() / 8 + 1).map(|known| (known.digest, known.key)).collect();
    for (digest, key) in removed {
        shard.remove(&digest);
        by_key.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::known::{Active, Usage, tests::active};

    fn cursor(number: i64) -> Cursor {
        format!("00000001-1-{number}-0").parse().unwrap()
    }

    fn number(of: usize) -> i64 {
        i64::try_from(of).unwrap()
    }

    fn digest(key: u8) -> TokenDigest {
        [key; 32]
    }

    /// Returns a key whose name says which version of it was read.
    fn known(key: u8, version: i64) -> Arc<Known> {
        let read = Active { key_name: version.to_string(), ..active(key.into(), "a:read") };
        Arc::new(Known::new(digest(key), read, &Arc::<Usage>::default()))
    }

    fn begun(number: i64) -> Cache {
        let cache = Cache::new(1_000);
        cache.reset(cursor(number));
        cache.confirm(cursor(number), 0, 0);
        cache
    }

    #[test]
    fn what_is_known_is_used_for_a_second_after_it_was_right() {
        let cache = begun(5);
        cache.insert(&known(1, 0), &cursor(5));
        assert!(cache.get(&digest(1), MAX_AGE - 1).is_some());
        assert!(cache.get(&digest(1), MAX_AGE).is_none());
        cache.confirm(cursor(5), 300_000, 0);
        assert!(cache.get(&digest(1), MAX_AGE).is_some(), "it was right later, too");
        cache.confirm(cursor(6), 900_000, 0);
        assert!(cache.get(&digest(1), 1_300_000).is_none(), "a change is missing");
        cache.apply(Some(Change::Key(Uuid::from_u128(9))), cursor(6));
        assert!(cache.get(&digest(1), 1_300_000).is_some(), "the change is about another key");
        let applied = cache.pause();
        assert!(cache.get(&digest(1), 0).is_none(), "nobody follows the changes");
        cache.resume(applied.unwrap());
        assert!(cache.get(&digest(1), 0).is_none(), "nothing is confirmed since");
        cache.confirm(cursor(6), 0, 0);
        assert!(cache.get(&digest(1), 0).is_some());
        cache.confirm("00000001-2-3-0".parse().unwrap(), 5_000_000, 0);
        assert!(cache.get(&digest(1), 5_000_000).is_none(), "another run of the server confirms nothing");
    }

    #[test]
    fn an_expired_key_is_not_used() {
        let cache = begun(1);
        let expiring = Active { exp: Some(1_000), ..active(1, "") };
        cache.insert(&Arc::new(Known::new(digest(1), expiring, &Arc::default())), &cursor(1));
        // At the server, it is 1,000 s minus 500 ms when the monotonic clock says 0.
        cache.confirm(cursor(1), 0, 1_000_000_000 - 500_000);
        assert!(cache.get(&digest(1), 499_999).is_some());
        assert!(cache.get(&digest(1), 500_000).is_none());
    }

    #[test]
    fn a_change_removes_what_it_names() {
        let cache = begun(1);
        let fill = || (1..4).for_each(|key| cache.insert(&known(key, 0), &cursor(9)));
        let left = || (1..4).filter(|key| cache.get(&digest(*key), 0).is_some()).collect::<Vec<_>>();
        fill();
        cache.apply(Some(Change::Key(Uuid::from_u128(2))), cursor(2));
        assert_eq!(left(), [1, 3]);
        cache.apply(Some(Change::Owner(Uuid::from_u128(1_003))), cursor(3));
        assert_eq!(left(), [1]);
        fill();
        cache.apply(Some(Change::Everything), cursor(4));
        assert_eq!(left(), [0; 0]);
        fill();
        cache.reset(cursor(5));
        cache.confirm(cursor(5), 0, 0);
        assert_eq!(left(), [0; 0]);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let cache = Cache::new(640);
        cache.reset(cursor(1));
        for number in 0..5_000_u32 {
            let mut digest = [7; 32];
            digest[..4].copy_from_slice(&number.to_le_bytes());
            let one = Known::new(digest, active(number.into(), ""), &Arc::default());
            cache.insert(&Arc::new(one), &cursor(1));
        }
        let kept: usize = cache.shards.iter().map(|shard| shard.read().unwrap().len()).sum();
        assert!(kept <= 10 && cache.following().by_key.len() == kept, "{kept}");
    }

    /// A step in a story of a database, a server that reads its changes, and this process.
    #[derive(Clone, Debug)]
    enum Step {
        /// A key changes in the database.
        Change(u8),
        /// The server reads the changes, and sends them.
        Publish,
        /// The next change arrives here.
        Receive,
        /// The server answers about a key: it reads its cursor, and then the database or, if `stale`, its own memory.
        Answer { key: u8, is_from_memory: bool },
        /// One of the answers under way arrives here.
        Insert(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..3_u8).prop_map(Step::Change),
            Just(Step::Publish),
            Just(Step::Receive),
            (0..3_u8, any::<bool>()).prop_map(|(key, is_from_memory)| Step::Answer { key, is_from_memory }),
            any::<prop::sample::Index>().prop_map(Step::Insert),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn no_interleaving_leaves_an_answer_that_is_older_than_the_applied_changes(steps in steps()) {
            let cache = begun(0);
            // The key that each change is about. The version of a key is the number of its last change.
            let mut changes: Vec<u8> = Vec::new();
            let version = |changes: &[u8], key: u8| {
                number(changes.iter().rposition(|changed| *changed == key).map_or(0, |place| place + 1))
            };
            let (mut published, mut received) = (0, 0);
            let mut under_way = Vec::new();
            for step in steps {
                match step {
                    Step::Change(key) => changes.push(key),
                    Step::Publish => published = changes.len(),
                    Step::Receive if received < published => {
                        let key = Uuid::from_u128(changes[received].into());
                        received += 1;
                        cache.apply(Some(Change::Key(key)), cursor(number(received)));
                    }
                    Step::Answer { key, is_from_memory } => {
                        // The server's memory is at least as new as what it has published.
                        let seen = if is_from_memory { published } else { changes.len() };
                        under_way.push((known(key, version(&changes[..seen], key)), cursor(number(published))));
                    }
                    Step::Insert(index) if !under_way.is_empty() => {
                        let (answer, read_at) = under_way.swap_remove(index.index(under_way.len()));
                        cache.insert(&answer, &read_at);
                    }
                    Step::Receive | Step::Insert(_) => (),
                }
                for key in 0..3 {
                    if let Some(kept) = cache.get(&digest(key), 0) {
                        let newest = version(&changes[..received], key);
                        let read: i64 = kept.key_name.parse().unwrap();
                        prop_assert!(read >= newest, "key {} is of version {}, and {} was applied", key, read, newest);
                    }
                }
            }
        }
    }
}
