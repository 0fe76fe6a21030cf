//! The feed of changes for services that keep answers about keys in their own process, and what these verifiers report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ApiKey, ErrorCode, KeyId, Owner, Scope, Secret, TenantId};
use moka::sync::Cache;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    usage::UsageBuffer,
    verification::{Verification, digest_of},
    verifiers::{Reach, Verifiers},
};
use crate::{
    access::Client,
    clock,
    context::Context,
    error::Result,
    storage::{
        self,
        db::TokenDigest,
        feed::{Change, Cursor, Feed, News, Place},
    },
};

/// How often a subscriber is told that the changes are still read.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How many subscribers of one tenant there can be.
const MAX_SUBSCRIBERS: usize = 64;
/// How many subscribers of all tenants there can be.
const MAX_ALL: usize = 1_024;
/// How many digests of reported keys are remembered.
const MAX_REMEMBERED: u64 = 100_000;
/// The longest name of a verifier, in characters.
const MAX_NAME: usize = 64;
/// How many keys one report contains at most.
const MAX_REPORTED: usize = 200;
/// How long ago a change that this server hasn't read can be. The clocks of two servers may differ.
const UNREAD_FOR: TimeDelta = TimeDelta::seconds(5);
/// How long ago a reported use can be. A report is tried again until the server can be reached.
const MAX_AGE: Duration = Duration::from_mins(10);
/// How many uses of a key one report counts at most.
const MAX_COUNT: u64 = 1_000_000_000;

/// What the feed keeps for all subscribers and verifiers. In memory.
#[derive(Debug)]
pub(crate) struct Followers {
    subscribers: Arc<Mutex<HashMap<TenantId, usize>>>,
    verifiers: Verifiers,
    /// The keys that were reported, by the digest of their token, which never belongs to another key.
    reported: Cache<TokenDigest, (KeyId, TenantId)>,
}

impl Default for Followers {
    fn default() -> Self {
        Self {
            subscribers: Arc::default(),
            verifiers: Verifiers::default(),
            reported: Cache::builder().max_capacity(MAX_REMEMBERED).build(),
        }
    }
}

/// The place of one subscriber, which is free again when this is dropped.
#[derive(Debug)]
struct Seat {
    subscribers: Arc<Mutex<HashMap<TenantId, usize>>>,
    tenant: TenantId,
}

impl Seat {
    fn take(subscribers: &Arc<Mutex<HashMap<TenantId, usize>>>, tenant: TenantId) -> Option<Self> {
        let mut taken = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let of_tenant = taken.entry(tenant).or_default();
        if *of_tenant >= MAX_SUBSCRIBERS || all >= MAX_ALL {
            return None;
        }
        *of_tenant += 1;
        Some(Self { subscribers: Arc::clone(subscribers), tenant })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

/// Somebody who reads the feed, with a key that has the scope `latchkey:verify`.
#[derive(Debug)]
pub struct Subscription {
    _seat: Seat,
    /// The subscriber's key, which is verified again when something about it has changed.
    token: Secret,
    client: Client,
    key: KeyId,
    owner: Owner,
    expires_at: Option<DateTime<Utc>>,
    place: Place,
    published: watch::Receiver<u64>,
    next_heartbeat: Instant,
}

/// What a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// Forget everything: changes may have been missed.
    Reset {
        /// The cursor that the next changes follow.
        cursor: Cursor,
        /// Whether there are imported keys, so that a token may have another format than Latchkey's own.
        has_imported: bool,
    },
    /// Something has changed.
    Change(Cursor, Change),
    /// Every change up to a moment was told.
    Heartbeat {
        /// The last change that was told.
        cursor: Cursor,
        /// The age of the moment, in microseconds.
        age: i64,
        /// Whether there are imported keys.
        has_imported: bool,
    },
}

/// What a verifier reports.
#[derive(Clone, Debug, Default)]
pub struct VerifierReport {
    /// A name that no other verifier of the tenant has.
    pub verifier: String,
    /// How far it has read the feed. `None` if it uses nothing that it knows.
    pub cursor: Option<String>,
    /// The requests that it answered since its last report.
    pub usage: Vec<KeyReport>,
}

/// The requests with one key that a verifier answered itself.
#[derive(Clone, Debug)]
pub struct KeyReport {
    /// The SHA-256 of the key's token.
    pub digest: [u8; 32],
    /// How many requests had the key.
    pub accepted: u64,
    /// How long ago the last of them was; counts at most ten minutes.
    pub age: Duration,
    /// The address and the user agent of one of them.
    pub client: (Option<String>, Option<String>),
    /// The scopes that they demanded: how often the key had it, and how often it lacked it.
    pub scopes: Vec<(Scope, u64, u64)>,
}

/// What a verifier is told.
#[derive(Clone, Copy, Debug)]
pub struct FeedState {
    /// How far this server has read the changes.
    pub cursor: Option<Cursor>,
    /// The age of a moment up to which the cursor includes every change, in microseconds. `None` if the verifier can't
    /// rely on what it knows.
    pub age: Option<i64>,
    /// The latest time that it may be now.
    pub now: DateTime<Utc>,
}

/// The feed of changes.
pub struct Changes<'a> {
    pub(crate) context: &'a Context,
    pub(crate) verification: Verification<'a>,
    pub(crate) usage: &'a UsageBuffer,
    pub(crate) followers: &'a Followers,
}

impl Changes<'_> {
    fn feed(&self) -> &Feed {
        self.context.db().key_cache().feed()
    }

    /// Returns how far this server has read a tenant's changes. An answer about a key that is read afterwards includes
    /// them. `None` if this server doesn't read them.
    pub fn cursor(&self, tenant: TenantId) -> Option<Cursor> {
        self.feed().cursor(tenant)
    }

    /// Begins to read the feed of the tenant of a key. `after`: where an earlier reading ended.
    ///
    /// # Errors
    /// As [`Verification::caller`]. `RATE_LIMITED` if the tenant has too many subscribers, and `UNAVAILABLE` if this server
    /// doesn't read the changes.
    pub async fn subscribe(&self, token: &str, after: Option<&str>, client: &Client) -> Result<Subscription> {
        let tenant = self.verification.caller(token, client).await?;
        let digest = digest_of(self.context, token).await?.ok_or_else(ApiError::unauthenticated)?;
        let seat = Seat::take(&self.followers.subscribers, tenant).ok_or_else(|| {
            let detail =
                format!("At most {MAX_SUBSCRIBERS} clients of a tenant can read the changes at the same time.");
            ApiError { retry_after: Some(5), ..ApiError::new(ErrorCode::RateLimited, detail) }
        })?;
        let place = self.feed().place(tenant, after.and_then(|after| after.parse().ok()));
        let place = place.ok_or_else(|| {
            ApiError::new(ErrorCode::Unavailable, "The server hasn't read the changes yet. Try again in a moment.")
        })?;
        let published = self.feed().subscribe();
        // After the place was taken: a change from now on ends the subscription, and an earlier one is seen here.
        let key = storage::keys::find_by_digest(self.context.db(), &digest).await?;
        let key = key.ok_or_else(ApiError::unauthenticated)?;
        self.verification.caller(token, client).await?;
        Ok(Subscription {
            _seat: seat,
            token: Secret::new(token),
            client: client.clone(),
            key: key.key_id,
            owner: key.owner,
            expires_at: key.expires_at,
            place,
            published,
            next_heartbeat: Instant::now(),
        })
    }

    /// Waits for news, at most until the next heartbeat is due. `None` ends the subscription: the subscriber's key isn't
    /// valid any more, or lacks the scope. While this server can't read the changes, there are no heartbeats.
    pub async fn next(&self, subscription: &mut Subscription) -> Option<Vec<FeedEvent>> {
        loop {
            subscription.published.borrow_and_update();
            match self.feed().read(&mut subscription.place) {
                News::Reset(cursor) => {
                    // Without an answer, any text may be a token.
                    let has_imported = self.has_imported().await.unwrap_or(true);
                    let reset = FeedEvent::Reset { cursor, has_imported };
                    return self.may_read(subscription).await.then(|| vec![reset]);
                }
                News::Changes(changes) if !changes.is_empty() => {
                    let concerns = |change: &Change| match change {
                        Change::Key(key) => *key == subscription.key,
                        Change::Owner(owner) => *owner == subscription.owner,
                        Change::Tenant | Change::Catalogue => true,
                        Change::Imported => false,
                    };
                    if changes.iter().any(|(_, change)| concerns(change)) && !self.may_read(subscription).await {
                        return None;
                    }
                    return Some(
                        changes.into_iter().map(|(cursor, change)| FeedEvent::Change(cursor, change)).collect(),
                    );
                }
                News::Changes(_) => (),
            }
            let due = tokio::select! {
                published = subscription.published.changed() => {
                    published.ok()?;
                    false
                }
                () = sleep_until(subscription.next_heartbeat) => true,
            };
            if due {
                subscription.next_heartbeat = Instant::now() + HEARTBEAT;
                let now = self.context.clock().latest_possible();
                if subscription.expires_at.is_some_and(|at| now >= at) {
                    return None;
                }
                if let Some(heartbeat) = self.heartbeat(subscription).await {
                    return Some(vec![heartbeat]);
                }
            }
        }
    }

    /// Returns a heartbeat, if the changes are read and the subscriber has been told all of them.
    async fn heartbeat(&self, subscription: &Subscription) -> Option<FeedEvent> {
        let has_imported = self.has_imported().await.ok()?;
        let age = self.context.db().key_cache().age()?;
        let cursor = subscription.place.cursor();
        (self.feed().cursor(subscription.place.tenant())? == cursor).then_some(FeedEvent::Heartbeat {
            cursor,
            age,
            has_imported,
        })
    }

    async fn has_imported(&self) -> Result<bool> {
        storage::keys::has_imported(self.context.db()).await
    }

    /// Whether the subscriber may still read the feed. Not if that can't be found out.
    async fn may_read(&self, subscription: &Subscription) -> bool {
        let caller = self.verification.caller(subscription.token.expose(), &subscription.client).await;
        caller.is_ok_and(|tenant| tenant == subscription.place.tenant())
    }

    /// Takes a verifier's report: records the usage, and remembers how far it has read. Returns how far this server has.
    ///
    /// # Errors
    /// As [`Verification::caller`]. A field error at `verifier`, `usage` or `cursor`. `RATE_LIMITED` if the tenant has too
    /// many verifiers. Nothing is recorded then.
    pub async fn report(&self, token: &str, report: &VerifierReport, client: &Client) -> Result<FeedState> {
        let tenant = self.verification.caller(token, client).await?;
        let name = report.verifier.as_str();
        if name.is_empty() || name.chars().count() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = format!("This must have 1 to {MAX_NAME} visible ASCII characters.");
            return Err(ApiError::field("verifier", detail).into());
        }
        if report.usage.len() > MAX_REPORTED {
            return Err(ApiError::field("usage", format!("Report at most {MAX_REPORTED} keys at once.")).into());
        }
        let read = report.cursor.as_deref().map(str::parse::<Cursor>).transpose();
        let read = read.map_err(|()| ApiError::field("cursor", "This isn't a cursor of the feed."))?;
        let mut keys = Vec::with_capacity(report.usage.len());
        for one in &report.usage {
            keys.push(self.reported_key(&one.digest).await?.filter(|(_, of)| *of == tenant).map(|(key, _)| key));
        }
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        if !self.followers.verifiers.note(tenant, name, read, clock::monotonic_micros()) {
            let detail = "Too many verifiers report to this server.";
            let error = ApiError { retry_after: Some(60), ..ApiError::new(ErrorCode::RateLimited, detail) };
            return Err(error.into());
        }
        for (key, one) in keys.iter().zip(&report.usage) {
            if let Some(key) = key {
                self.record(*key, one, &catalogue, client);
            }
        }
        // The age first: the cursor then includes the reading.
        let age = self.context.db().key_cache().age();
        let is_outdated = read.is_some_and(|read| self.feed().is_outdated(&read));
        let age = age.filter(|_| !is_outdated);
        Ok(FeedState { age, cursor: self.cursor(tenant), now: self.context.clock().latest_possible() })
    }

    async fn reported_key(&self, digest: &TokenDigest) -> Result<Option<(KeyId, TenantId)>> {
        if let Some(known) = self.followers.reported.get(digest) {
            return Ok(Some(known));
        }
        let found = storage::keys::find_by_digest(self.context.db(), digest).await?;
        let found = found.map(|key| (key.key_id, key.tenant_id));
        if let Some(found) = found {
            self.followers.reported.insert(*digest, found);
        }
        Ok(found)
    }

    fn record(&self, key: KeyId, report: &KeyReport, catalogue: &domain::scope::Catalogue, client: &Client) {
        let at = self.context.now() - report.age.min(MAX_AGE);
        let (address, user_agent) = report.client.clone();
        let client = Client { address, user_agent, ..client.clone() };
        self.usage.record_uses(key, report.accepted.min(MAX_COUNT), at, &client);
        // Anybody can demand invented scopes, which must not fill the table.
        for (scope, met, lacking) in report.scopes.iter().filter(|(scope, ..)| catalogue.find(scope).is_some()) {
            let counts = ((*met).min(MAX_COUNT), (*lacking).min(MAX_COUNT));
            self.context.audit().demands().record_many(key, scope, counts, at, &client);
        }
    }

    /// Returns how many verifiers have the latest change of a key, among those that report to this server. `None` if none
    /// does.
    pub fn reach(&self, key: &ApiKey) -> Option<Reach> {
        let (change, is_kept) = self.feed().latest(key.tenant_id, key.id, key.owner)?;
        let stopped = [
            key.revocation.as_ref().map(|one| one.at),
            key.suspension.as_ref().map(|one| one.at),
            key.owner_suspended_at,
        ];
        let stopped = stopped.into_iter().flatten().max();
        // Another server may have made the change just before this one reads it.
        let is_unread = !is_kept && stopped.is_some_and(|at| self.context.now() - at < UNREAD_FOR);
        let change = Some(change).filter(|_| !is_unread);
        self.followers.verifiers.reach(key.tenant_id, change.as_ref(), clock::monotonic_micros())
    }
}
