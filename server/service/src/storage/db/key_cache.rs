//! The keys that are used, in memory, by the digest of their token.
//!
//! An entry is what the database answered for the digest. It is never older than the changes that the follower
//! (`background.rs`) has applied, for three reasons:
//!
//! 1. Every change that may make an entry wrong inserts a row into `changes` in the same transaction (triggers in the
//!    migrations), with a number that the tenant's other changes wait for. So the numbers become visible in their order,
//!    and no change is skipped.
//! 2. The follower reads the new rows and removes what they name. A commit on this server isn't acknowledged before the
//!    follower has read it ([`KeyCache::catch_up`]). Entries are used only if the last successful reading began less than
//!    [`MAX_AGE`] ago ([`KeyCache::is_current`]), so a commit on another server is seen after at most that time.
//! 3. A row that was read while the follower removed entries isn't added ([`KeyCache::insert`]): it may be older than the
//!    change. Only valid keys are added, and nothing is remembered about unknown tokens.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{KeyId, KeyLimits, Name, Owner, Role, ScopeGrant, Slug, TenantId, scope::Catalogue};
use tokio::sync::{Notify, watch};

use crate::{clock, storage::feed::Feed};

/// The SHA-256 of a whole token. The database stores this instead of the token.
pub(crate) type TokenDigest = [u8; 32];

/// How long after a successful reading of the changes began entries are used, in microseconds.
pub(crate) const MAX_AGE: i64 = 1_000_000;
/// How many keys are kept at most. One takes about 170 bytes, and up to 5 KB more if it holds 64 long scopes.
const MAX_KEYS: usize = 1_000_000;
/// How many parts the keys are in, each with a lock of its own.
const SHARDS: usize = 64;
/// How long a commit waits for the follower. Afterwards the entries aren't used until the follower succeeds.
const WAIT: Duration = Duration::from_millis(1_500);

/// A key that is valid, apart from its expiry. There may be a million of them, so each field is as small as it can be.
#[derive(Debug)]
pub(crate) struct CachedKey {
    pub(crate) digest: TokenDigest,
    pub(crate) facts: KeyFacts,
    pub(crate) owner: Arc<CachedOwner>,
}

/// What is known about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFacts {
    pub(crate) id: KeyId,
    pub(crate) name: Name,
    /// Microseconds; [`NEVER`] for a key without expiry.
    expires_at: i64,
    /// `None` without scopes, as for most keys.
    scopes: Option<Box<ScopeGrant>>,
    /// `None` without a limit, as for most keys.
    pub(crate) limits: Option<Box<KeyLimits>>,
}

/// The expiry of a key that never expires.
const NEVER: i64 = i64::MAX;

impl KeyFacts {
    /// `expires_at`: microseconds; `None` means never.
    pub(crate) fn new(id: KeyId, name: Name, expires_at: Option<i64>, scopes: ScopeGrant) -> Self {
        let scopes = (scopes != ScopeGrant::Unscoped).then(|| Box::new(scopes));
        Self { id, name, expires_at: expires_at.unwrap_or(NEVER), scopes, limits: None }
    }

    /// When the key expires, in microseconds; `None` means never.
    pub(crate) fn expires_at(&self) -> Option<i64> {
        (self.expires_at != NEVER).then_some(self.expires_at)
    }

    /// What the key may do at most.
    pub(crate) fn scopes(&self) -> &ScopeGrant {
        const UNSCOPED: &ScopeGrant = &ScopeGrant::Unscoped;
        self.scopes.as_deref().unwrap_or(UNSCOPED)
    }
}

impl CachedKey {
    /// Returns a key that isn't kept.
    pub(crate) fn new(digest: TokenDigest, facts: KeyFacts, owner: OwnerFacts) -> Self {
        Self { digest, facts, owner: Arc::new(CachedOwner::new(owner)) }
    }
}

/// The owner of cached keys, in one tenant.
#[derive(Debug)]
pub(crate) struct CachedOwner {
    pub(crate) facts: OwnerFacts,
    /// Set when the owner or the tenant has changed. The owner's keys have to be read again.
    is_outdated: AtomicBool,
}

impl CachedOwner {
    fn new(facts: OwnerFacts) -> Self {
        Self { facts, is_outdated: AtomicBool::new(false) }
    }
}

/// What is known about an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerFacts {
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tenant_id: TenantId,
    pub(crate) tenant_slug: Slug,
}

/// What a change makes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// The key whose token had this digest.
    Key(TokenDigest),
    /// The keys of an owner in the tenant.
    Owner(Owner),
    /// All keys of the tenant.
    Tenant,
    /// The catalogue of scopes.
    Catalogue,
    /// Whether there are imported keys.
    Imported,
}

/// How many times entries had been removed, when a row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

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

/// A key in the table, which finds it by its digest. The table itself contains pointers only, because half of its places
/// may be empty.
#[derive(Debug)]
struct Entry(Arc<CachedKey>);

impl Borrow<TokenDigest> for Entry {
    fn borrow(&self) -> &TokenDigest {
        &self.0.digest
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.digest.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Entry {}

type Shard = HashSet<Entry, BuildHasherDefault<FirstBytes>>;

/// The keys that are used. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct KeyCache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    shards: Vec<RwLock<Shard>>,
    owners: Mutex<HashMap<(TenantId, Owner), Arc<CachedOwner>>>,
    catalogue: RwLock<Option<Arc<Catalogue>>>,
    /// Whether there are imported keys; `None` if that isn't known.
    imported: RwLock<Option<bool>>,
    epoch: AtomicU64,
    /// When the last successful reading of the changes began, by the monotonic clock. Changed while `trust` is locked.
    read_at: AtomicI64,
    trust: Mutex<Trust>,
    /// How often the follower was asked to read, and the latest request that it has answered.
    asked: AtomicU64,
    answered: watch::Sender<u64>,
    wake: Notify,
    /// How many commits have begun whose changes may not have been read yet.
    unread: AtomicUsize,
    /// The latest changes, for those who keep keys elsewhere.
    feed: Feed,
}

/// Whether a reading of the changes counts.
#[derive(Debug, Default)]
struct Trust {
    /// Whether somebody reads the changes.
    is_followed: bool,
    /// How often a change may have been missed. A reading that began before doesn't count.
    distrusted: u64,
}

/// A reading of the changes that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    distrusted: u64,
    request: u64,
    began: i64,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self(Arc::new(Shared {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            owners: Mutex::default(),
            catalogue: RwLock::default(),
            imported: RwLock::default(),
            epoch: AtomicU64::default(),
            read_at: AtomicI64::new(i64::MIN),
            trust: Mutex::default(),
            asked: AtomicU64::default(),
            answered: watch::Sender::new(0),
            wake: Notify::default(),
            unread: AtomicUsize::default(),
            feed: Feed::default(),
        }))
    }
}

impl KeyCache {
    /// Whether entries can be used: the changes were read recently.
    fn is_current(&self) -> bool {
        clock::monotonic_micros().saturating_sub(self.0.read_at.load(Ordering::Acquire)) < MAX_AGE
    }

    /// Returns how long ago the last successful reading of the changes began, in microseconds. `None` if entries aren't
    /// used. Read this before the feed's cursor, which then includes that reading.
    pub(crate) fn age(&self) -> Option<i64> {
        let age = clock::monotonic_micros().saturating_sub(self.0.read_at.load(Ordering::Acquire));
        (age < MAX_AGE).then_some(age)
    }

    /// Returns the latest changes.
    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Returns the key of a token, if it is known and nothing about it has changed. `None` says nothing about the key.
    pub(crate) fn get(&self, digest: &TokenDigest) -> Option<Arc<CachedKey>> {
        if !self.is_current() {
            return None;
        }
        let shard = self.shard(digest).read().unwrap_or_else(PoisonError::into_inner);
        let known = shard.get(digest).filter(|known| !known.0.owner.is_outdated.load(Ordering::Acquire));
        known.map(|known| Arc::clone(&known.0))
    }

    /// Returns the epoch, which is read before the row of a key is read.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch.load(Ordering::SeqCst))
    }

    /// Adds a key, unless entries were removed since `read_in`: the row may be older than the change.
    pub(crate) fn insert(&self, digest: TokenDigest, key: KeyFacts, owner: OwnerFacts, read_in: Epoch) {
        let Some(owner) = self.owner(owner, read_in) else { return };
        let mut shard = self.shard(&digest).write().unwrap_or_else(PoisonError::into_inner);
        if self.epoch() != read_in {
            return;
        }
        if shard.len() >= MAX_KEYS / SHARDS {
            make_room(&mut shard);
        }
        shard.replace(Entry(Arc::new(CachedKey { digest, facts: key, owner })));
    }

    /// Returns the owner that the keys of an owner share. `None` if entries were removed since `read_in`, or the owner is
    /// known with other facts: one of the two is older than a change that hasn't been read yet.
    fn owner(&self, facts: OwnerFacts, read_in: Epoch) -> Option<Arc<CachedOwner>> {
        let mut owners = self.owners();
        if self.epoch() != read_in {
            return None;
        }
        let known =
            owners.entry((facts.tenant_id, facts.owner)).or_insert_with(|| Arc::new(CachedOwner::new(facts.clone())));
        (known.facts == facts).then(|| Arc::clone(known))
    }

    /// Returns the catalogue of scopes, if it is known and hasn't changed.
    pub(crate) fn known_catalogue(&self) -> Option<Arc<Catalogue>> {
        let known = self.0.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        known.clone().filter(|_| self.is_current())
    }

    /// Remembers the catalogue, unless entries were removed since `read_in`.
    pub(crate) fn insert_catalogue(&self, catalogue: &Arc<Catalogue>, read_in: Epoch) {
        let mut known = self.catalogue();
        if self.epoch() == read_in {
            *known = Some(Arc::clone(catalogue));
        }
    }

    /// Returns whether there are imported keys, if that is known and hasn't changed.
    pub(crate) fn knows_imported(&self) -> Option<bool> {
        let known = *self.0.imported.read().unwrap_or_else(PoisonError::into_inner);
        known.filter(|_| self.is_current())
    }

    /// Remembers whether there are imported keys, unless entries were removed since `read_in`.
    pub(crate) fn insert_imported(&self, has_imported: bool, read_in: Epoch) {
        let mut known = self.imported();
        if self.epoch() == read_in {
            *known = Some(has_imported);
        }
    }

    fn imported(&self) -> RwLockWriteGuard<'_, Option<bool>> {
        self.0.imported.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalogue(&self) -> RwLockWriteGuard<'_, Option<Arc<Catalogue>>> {
        self.0.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what changes of a tenant make wrong.
    pub(crate) fn remove(&self, tenant: TenantId, outdated: &[Outdated]) {
        if outdated.is_empty() {
            return;
        }
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
        if outdated.contains(&Outdated::Tenant) {
            self.owners().retain(|(of, _), owner| {
                let stays = *of != tenant;
                if !stays {
                    owner.is_outdated.store(true, Ordering::Release);
                }
                stays
            });
        }
        for outdated in outdated {
            match outdated {
                Outdated::Key(digest) => {
                    self.shard(digest).write().unwrap_or_else(PoisonError::into_inner).remove(digest);
                }
                Outdated::Owner(owner) => {
                    if let Some(owner) = self.owners().remove(&(tenant, *owner)) {
                        owner.is_outdated.store(true, Ordering::Release);
                    }
                }
                Outdated::Catalogue => *self.catalogue() = None,
                Outdated::Imported => *self.imported() = None,
                Outdated::Tenant => (),
            }
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
        *self.catalogue() = None;
        *self.imported() = None;
        for (_, owner) in self.owners().drain() {
            owner.is_outdated.store(true, Ordering::Release);
        }
        for shard in &self.0.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Removes keys that have to be read again anyway, and owners of whom no key is left.
    pub(crate) fn tidy(&self) {
        for shard in &self.0.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|known| !known.0.owner.is_outdated.load(Ordering::Acquire));
        }
        self.owners().retain(|_, owner| Arc::strong_count(owner) > 1);
    }

    /// Returns how many keys are known.
    pub(crate) fn len(&self) -> usize {
        self.0.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, digest: &TokenDigest) -> &RwLock<Shard> {
        // Another byte than the first ones, which the map uses.
        &self.0.shards[usize::from(digest[31]) % SHARDS]
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<(TenantId, Owner), Arc<CachedOwner>>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes an eighth of the keys, whichever they are. They are read again when they are used.
#[expect(clippy::mutable_key_type, reason = "what changes in an entry is no part of its digest")]
fn make_room(shard: &mut Shard) {
    let removed: Vec<TokenDigest> = shard.iter().take(shard.len() / 8 + 1).map(|known| known.0.digest).collect();
    for digest in removed {
        shard.remove(&digest);
    }
}

/// How the follower and the commits wait for each other.
impl KeyCache {
    /// Waits until somebody asks the follower to read the changes, but no longer than `limit`.
    pub(crate) async fn asked(&self, limit: Duration) {
        tokio::time::timeout(limit, self.0.wake.notified()).await.ok();
    }

    /// Begins to read the changes.
    pub(crate) fn begin_reading(&self) -> Reading {
        let distrusted = self.trust().distrusted;
        let request = self.0.asked.load(Ordering::SeqCst);
        Reading { distrusted, request, began: clock::monotonic_micros() }
    }

    /// Tells those who asked whether the changes were read. If they weren't, entries aren't used until they are.
    pub(crate) fn end_reading(&self, reading: Reading, succeeded: bool) {
        let mut trust = self.trust();
        trust.is_followed = true;
        if succeeded && trust.distrusted == reading.distrusted {
            self.0.read_at.store(reading.began, Ordering::Release);
        } else {
            self.0.read_at.store(i64::MIN, Ordering::Release);
        }
        drop(trust);
        self.0.answered.send_replace(reading.request);
    }

    /// Nobody reads the changes from now on, so entries aren't used.
    pub(crate) fn end_following(&self) {
        self.trust().is_followed = false;
        self.distrust();
        self.0.answered.send_replace(u64::MAX);
    }

    /// Whether somebody reads the changes. Otherwise nothing that is known is used.
    pub(crate) fn is_followed(&self) -> bool {
        self.trust().is_followed
    }

    /// Announces a commit.
    pub(super) fn begin_change(&self) -> Change<'_> {
        self.0.unread.fetch_add(1, Ordering::SeqCst);
        Change(self)
    }

    /// Waits until the follower has read everything that is committed now. If it doesn't, entries aren't used until it
    /// does.
    pub(crate) async fn catch_up(&self) {
        if !self.trust().is_followed {
            return self.distrust();
        }
        let request = self.0.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.wake.notify_one();
        let mut answered = self.0.answered.subscribe();
        let caught_up = tokio::time::timeout(WAIT, answered.wait_for(|answered| *answered >= request)).await;
        if !caught_up.is_ok_and(|answered| answered.is_ok()) {
            self.distrust();
        }
    }

    /// Waits until the commits have been read that have begun before. A request may have seen their changes, and must not
    /// be answered as if they were acknowledged.
    pub(super) async fn settle(&self) {
        if self.0.unread.load(Ordering::SeqCst) > 0 {
            self.catch_up().await;
        }
    }

    /// Entries aren't used until the changes have been read by a reading that begins later.
    fn distrust(&self) {
        let mut trust = self.trust();
        trust.distrusted += 1;
        self.0.read_at.store(i64::MIN, Ordering::Release);
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.0.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit whose changes may not have been read.
pub(super) struct Change<'a>(&'a KeyCache);

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.0.unread.fetch_sub(1, Ordering::SeqCst);
    }
}
