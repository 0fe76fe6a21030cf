//! What is known about a valid key, and how often it was used.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::token::TokenDigest;

/// How many scopes that a key lacks are counted until the next report.
const MAX_LACKING: usize = 16;
/// How many keys wait for the next report.
const MAX_WAITING: usize = 10_000;

/// What the server says about a valid key (RFC 7662 §2.2).
#[derive(Debug, Deserialize)]
pub(crate) struct Active {
    pub(crate) client_id: Uuid,
    pub(crate) key_name: String,
    pub(crate) sub: Uuid,
    pub(crate) owner_kind: String,
    pub(crate) username: String,
    pub(crate) tenant_id: Uuid,
    pub(crate) tenant: String,
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) scope: String,
    #[serde(default)]
    pub(crate) exp: Option<i64>,
}

/// A valid key.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) digest: TokenDigest,
    pub(crate) key: Uuid,
    pub(crate) key_name: String,
    pub(crate) owner: Uuid,
    pub(crate) owner_kind: String,
    pub(crate) owner_name: String,
    pub(crate) tenant: Uuid,
    pub(crate) tenant_slug: String,
    pub(crate) role: String,
    /// When it expires, in microseconds since the Unix epoch.
    pub(crate) expires_at: Option<i64>,
    /// What it may do, sorted.
    scopes: Box<[HeldScope]>,
    /// The requests since the last report.
    use_count: AtomicU64,
    /// The last of them, by the monotonic clock.
    used_at: AtomicI64,
    lacking: Mutex<Vec<(String, u64)>>,
    client: Mutex<EndClient>,
    is_waiting: AtomicBool,
    usage: Arc<Usage>,
}

#[derive(Debug)]
struct HeldScope {
    scope: Box<str>,
    demands: AtomicU64,
}

/// The client whose request is verified.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndClient {
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// The requests with one key since the last report, as the server reads them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportedKey {
    digest: String,
    accepted: u64,
    /// How long ago the last request was, in milliseconds.
    age_ms: i64,
    #[serde(skip)]
    used_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    scopes: std::collections::BTreeMap<String, ReportedScope>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct ReportedScope {
    met: u64,
    lacking: u64,
}

/// The keys that were used since the last report.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    waiting: Mutex<Vec<Arc<Known>>>,
}

impl ReportedKey {
    /// Says how long ago the last request was at `now`.
    pub(crate) fn send_at(&mut self, now: i64) {
        self.age_ms = now.saturating_sub(self.used_at).max(0) / 1_000;
    }
}

impl Usage {
    /// Takes what was counted.
    pub(crate) fn take(&self) -> Vec<ReportedKey> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.iter().filter_map(|known| known.take()).collect()
    }
}

impl Known {
    pub(crate) fn new(digest: TokenDigest, active: Active, usage: &Arc<Usage>) -> Self {
        let mut scopes: Vec<&str> = active.scope.split(' ').filter(|scope| !scope.is_empty()).collect();
        scopes.sort_unstable();
        let held = |scope: &str| HeldScope { scope: scope.into(), demands: AtomicU64::new(0) };
        Self {
            digest,
            key: active.client_id,
            owner: active.sub,
            scopes: scopes.into_iter().map(held).collect(),
            key_name: active.key_name,
            owner_kind: active.owner_kind,
            owner_name: active.username,
            tenant: active.tenant_id,
            tenant_slug: active.tenant,
            role: active.role,
            expires_at: active.exp.map(|at| at.saturating_mul(1_000_000)),
            use_count: AtomicU64::new(0),
            used_at: AtomicI64::new(i64::MIN),
            lacking: Mutex::default(),
            client: Mutex::default(),
            is_waiting: AtomicBool::new(false),
            usage: Arc::clone(usage),
        }
    }

    fn held(&self, scope: &str) -> Option<&HeldScope> {
        self.scopes.binary_search_by(|held| (*held.scope).cmp(scope)).ok().map(|place| &self.scopes[place])
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.held(scope).is_some()
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|held| &*held.scope)
    }

    /// Counts a request at `now` that the server doesn't know about. `client` is called if it is the first one since the
    /// last report.
    pub(crate) fn count_use(self: &Arc<Self>, now: i64, client: impl FnOnce() -> EndClient) {
        self.used_at.store(now, Ordering::Relaxed);
        self.use_count.fetch_add(1, Ordering::SeqCst);
        if !self.is_waiting.load(Ordering::SeqCst) {
            *lock(&self.client) = client();
            self.wait();
        }
    }

    /// Counts the demand for a scope. Returns whether the key has it.
    pub(crate) fn demand(self: &Arc<Self>, scope: &str) -> bool {
        let held = self.held(scope);
        if let Some(held) = held {
            held.demands.fetch_add(1, Ordering::SeqCst);
        } else {
            let mut lacking = lock(&self.lacking);
            if let Some((_, count)) = lacking.iter_mut().find(|(known, _)| known == scope) {
                *count += 1;
            } else if lacking.len() < MAX_LACKING {
                lacking.push((scope.to_owned(), 1));
            }
        }
        self.wait();
        held.is_some()
    }

    fn wait(self: &Arc<Self>) {
        if self.is_waiting.load(Ordering::SeqCst) || self.is_waiting.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut waiting = lock(&self.usage.waiting);
        if waiting.len() < MAX_WAITING {
            waiting.push(Arc::clone(self));
        } else {
            // It is counted further, and waits again after its next request.
            self.is_waiting.store(false, Ordering::SeqCst);
        }
    }

    fn take(&self) -> Option<ReportedKey> {
        // Before the counts are read: what is counted later waits for the next report.
        self.is_waiting.store(false, Ordering::SeqCst);
        let accepted = self.use_count.swap(0, Ordering::SeqCst);
        let mut scopes = std::collections::BTreeMap::<String, ReportedScope>::new();
        for held in &self.scopes {
            let met = held.demands.swap(0, Ordering::SeqCst);
            if met > 0 {
                scopes.entry(held.scope.to_string()).or_default().met = met;
            }
        }
        for (scope, lacking) in std::mem::take(&mut *lock(&self.lacking)) {
            scopes.entry(scope).or_default().lacking = lacking;
        }
        if accepted == 0 && scopes.is_empty() {
            return None;
        }
        let EndClient { address, user_agent } = lock(&self.client).clone();
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        let digest = self.digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        let used_at = self.used_at.load(Ordering::Relaxed);
        Some(ReportedKey { digest, accepted, age_ms: 0, used_at, address, user_agent, scopes })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a valid key, for tests. Its owner's id is 1,000 more than its own.
    pub(crate) fn active(key: u128, scope: &str) -> Active {
        Active {
            client_id: Uuid::from_u128(key),
            key_name: "first".to_owned(),
            sub: Uuid::from_u128(key + 1_000),
            owner_kind: "service_account".to_owned(),
            username: "Deploy".to_owned(),
            tenant_id: Uuid::from_u128(1),
            tenant: "acme".to_owned(),
            role: "USER".to_owned(),
            scope: scope.to_owned(),
            exp: None,
        }
    }

    #[test]
    fn every_use_and_demand_is_reported_once() {
        let usage = Arc::<Usage>::default();
        let known = Arc::new(Known::new([1; 32], active(1, "a:read b:read"), &usage));
        let agent = |name: &str| EndClient { address: None, user_agent: Some(name.to_owned()) };
        known.count_use(1_000, || agent("first"));
        known.count_use(5_000_000, || agent("second"));
        assert!(known.demand("b:read") && known.demand("b:read") && !known.demand("c:read"));
        let mut taken = usage.take();
        taken[0].send_at(5_250_999);
        let report = serde_json::to_value(taken).unwrap();
        let digest = "01".repeat(32);
        let expected = serde_json::json!([{
            "digest": digest, "accepted": 2, "age_ms": 250, "user_agent": "first",
            "scopes": {"b:read": {"met": 2, "lacking": 0}, "c:read": {"met": 0, "lacking": 1}},
        }]);
        assert_eq!(report, expected);
        assert!(usage.take().is_empty());
        known.count_use(6_000_000, || agent("third"));
        assert_eq!(usage.take().len(), 1);
    }
}
