//! How often keys with a rate limit were used, counted in this process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{KeyId, RateLimit, api_key::limits::MAX_WINDOW};
use moka::{policy::EvictionPolicy, sync::Cache};

/// How many keys are counted at the same time. One takes about 150 bytes.
const MAX_KEYS: u64 = 100_000;
const NANOS: i64 = 1_000_000_000;

/// When the limit of each key would be unused again, in nanoseconds since 1970, if the key weren't used any more (the
/// generic cell rate algorithm, with the whole limit as its burst). A key that isn't used for the longest window has its
/// whole limit again, so nothing is lost when it is forgotten. The least recently used keys are forgotten earlier if
/// there are too many.
#[derive(Debug)]
pub(crate) struct RateLimits(Cache<KeyId, Arc<AtomicI64>>);

impl Default for RateLimits {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MAX_KEYS).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_idle(Duration::from_secs(MAX_WINDOW.into())).build())
    }
}

impl RateLimits {
    /// Counts a request with a key, if its limit allows one at `now`. Otherwise returns in how many seconds it will.
    pub(crate) fn count(&self, key: KeyId, limit: RateLimit, now: DateTime<Utc>) -> Result<(), u32> {
        let unused_at = self.0.get_with(key, Arc::default);
        count(&unused_at, limit, now.timestamp_micros().saturating_mul(1_000))
    }
}

fn count(unused_at: &AtomicI64, limit: RateLimit, now: i64) -> Result<(), u32> {
    let requests = i64::from(limit.requests());
    let each = i64::from(limit.seconds()) * NANOS / requests;
    let mut stored = unused_at.load(Ordering::Relaxed);
    loop {
        // The limit or the clock may have been changed since the last request.
        let before = stored.clamp(now, now.saturating_add(each * requests));
        let wait = before - now - each * (requests - 1);
        let after = if wait > 0 { before } else { before + each };
        match unused_at.compare_exchange_weak(stored, after, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) if wait > 0 => return Err(u32::try_from((wait + NANOS - 1) / NANOS).unwrap_or(MAX_WINDOW)),
            Ok(_) => return Ok(()),
            Err(changed) => stored = changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000 * NANOS;

    fn limit(requests: u32, seconds: u32) -> RateLimit {
        RateLimit::new(requests, seconds).unwrap()
    }

    /// Returns how many of `tries` requests at once are accepted.
    fn accepted(unused_at: &AtomicI64, limit: RateLimit, now: i64, tries: usize) -> usize {
        (0..tries).filter(|_| count(unused_at, limit, now).is_ok()).count()
    }

    #[test]
    fn a_whole_limit_is_accepted_at_once_and_then_as_much_per_window() {
        for (requests, seconds) in [(1, 1), (5, 1), (7, 60), (1_000, 3_600), (3, 86_400), (999, 86_400)] {
            let (limit, at) = (limit(requests, seconds), AtomicI64::default());
            let (all, window) = (requests as usize, i64::from(seconds) * NANOS);
            assert_eq!(accepted(&at, limit, START, all + 10), all, "{limit}");
            let each = window / i64::from(requests);
            assert!(count(&at, limit, START + each - 1).is_err(), "{limit}");
            assert!(count(&at, limit, START + each).is_ok(), "{limit}");
            assert!(count(&at, limit, START + each).is_err(), "{limit}");
            assert_eq!(accepted(&at, limit, START + 3 * window, all + 10), all, "{limit}: never more than all at once");
        }
    }

    #[test]
    fn the_wait_is_in_whole_seconds_and_long_enough() {
        let (limit, at) = (limit(2, 60), AtomicI64::default());
        assert_eq!(accepted(&at, limit, START, 3), 2);
        assert_eq!(count(&at, limit, START), Err(30));
        assert_eq!(count(&at, limit, START + 1), Err(30));
        assert_eq!(count(&at, limit, START + 29 * NANOS), Err(1));
        assert_eq!(count(&at, limit, START + 29 * NANOS + 1), Err(1));
        assert_eq!(count(&at, limit, START + 30 * NANOS), Ok(()));
        assert_eq!(count(&at, limit, START + 30 * NANOS), Err(30));
    }

    #[test]
    fn a_changed_limit_or_clock_neither_locks_a_key_out_nor_forgets_its_requests() {
        let at = AtomicI64::default();
        assert!(count(&at, limit(1, 86_400), START).is_ok());
        assert_eq!(count(&at, limit(1, 86_400), START), Err(86_400));
        assert_eq!(accepted(&at, limit(60, 60), START, 5), 0, "all of the new limit is used");
        assert_eq!(accepted(&at, limit(60, 60), START + 10 * NANOS, 50), 10);
        let long_before = START - 365 * 86_400 * NANOS;
        assert_eq!(count(&at, limit(60, 60), long_before), Err(1));
        assert_eq!(accepted(&at, limit(60, 60), long_before + 60 * NANOS, 70), 60);
    }

    #[test]
    fn concurrent_requests_are_each_counted_once() {
        let (limits, limit) = (RateLimits::default(), limit(1_000, 86_400));
        let (key, now) = (KeyId(uuid::Uuid::from_u128(1)), "2027-01-01T00:00:00Z".parse().unwrap());
        let tries = || (0..500).filter(|_| limits.count(key, limit, now).is_ok()).count();
        let accepted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(accepted, 1_000);
        let other = KeyId(uuid::Uuid::from_u128(2));
        assert!(limits.count(other, limit, now).is_ok(), "each key has its own count");
    }
}
