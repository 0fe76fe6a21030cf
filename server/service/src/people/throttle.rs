//! Limits failed attempts to sign in or confirm, on all servers of a database together. Nobody can lock out somebody
//! else: an account is limited for each network separately, and only slowed down as a whole. A browser in which the user
//! has signed in before is limited on its own. Decision 0025.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

use super::network::Network;
use crate::{
    access::Client,
    context::Context,
    digest::sha256,
    error::Result,
    storage::{self, Tx, db::retry},
};

/// Failures allowed within [`WINDOW`].
const MOST: usize = 10;
/// Failures allowed where many people share a bucket: all accounts together from one network, and an account from
/// unknown networks.
const MOST_SHARED: usize = 100;
/// How long a failure counts.
pub(crate) const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// By how much each failure of an account beyond [`MOST`] delays the next attempt, and how many count.
const SLOWED_BY: Duration = Duration::from_millis(250);
const MOST_SLOWING: usize = 20;
/// How long a refusal is repeated without asking the database, so that a flood of attempts doesn't cause a flood of
/// writes.
const REPEATED_FOR: TimeDelta = TimeDelta::seconds(2);
/// The number of remembered refusals above which outdated ones are removed.
const SWEEP_AT: usize = 10_000;

type Digest = [u8; 32];

/// The limit on failed attempts. Remembers what this server refused a moment ago, and when the limit ends.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    refusals: Mutex<HashMap<Digest, Refusal>>,
    addresses_are_shared: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What an attempt counts against.
#[derive(Debug)]
pub(crate) struct Limits(Vec<Bucket>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    name: Digest,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Refuses attempts after this number of failures.
    Refuse(usize),
    /// Slows attempts down.
    Slow,
}

impl Bucket {
    // Digests, because people type passwords into name fields.
    fn new(name: &str, rule: Rule) -> Self {
        Self { name: sha256(name.as_bytes()), rule }
    }
}

impl Limits {
    /// The failures of something that only its owner can attempt.
    pub(crate) fn of(name: &str) -> Self {
        Self(vec![Bucket::new(name, Rule::Refuse(MOST))])
    }

    /// The failures of something that many people may attempt, in one network. Without known networks, all clients
    /// share the attempts.
    pub(crate) fn in_network(name: &str, network: &Network) -> Self {
        let most = if network.is_known() { MOST } else { MOST_SHARED };
        Self(vec![Bucket::new(&format!("{name} from {network}"), Rule::Refuse(most))])
    }

    /// The failures of an account. `browser`: the digest that a browser is remembered by, if the account's user has
    /// signed in there before.
    pub(crate) fn of_sign_in(account: &str, network: &Network, browser: Option<&Digest>) -> Self {
        let mut buckets = match browser {
            Some(browser) => vec![Bucket::new(&format!("account {account} in {browser:?}"), Rule::Refuse(MOST))],
            None if network.is_known() => vec![
                Bucket::new(&format!("account {account} from {network}"), Rule::Refuse(MOST)),
                Bucket::new(&format!("network {network}"), Rule::Refuse(MOST_SHARED)),
                Bucket::new(&format!("account {account}"), Rule::Slow),
            ],
            None => vec![
                Bucket::new(&format!("account {account} from {network}"), Rule::Refuse(MOST_SHARED)),
                Bucket::new(&format!("account {account}"), Rule::Slow),
            ],
        };
        // Sorted, so that no two transactions deadlock.
        buckets.sort_unstable_by_key(|bucket| bucket.name);
        Self(buckets)
    }
}

/// A counted attempt. It stays counted unless it is given back.
#[derive(Debug)]
pub(crate) struct Attempt {
    limits: Limits,
    at: DateTime<Utc>,
    /// How long to wait before the attempt is made.
    pub(crate) delay: Duration,
}

impl Throttle {
    /// Treats the network addresses of clients as unknown from now on, or as known again: behind a proxy that isn't
    /// trusted, all of them have the proxy's.
    pub(crate) fn set_addresses_are_shared(&self, are_shared: bool) {
        self.addresses_are_shared.store(are_shared, Ordering::Relaxed);
    }

    /// Returns the network that a client's failures count against.
    pub(crate) fn network_of(&self, client: &Client) -> Network {
        let address = client.address.as_deref();
        if self.addresses_are_shared.load(Ordering::Relaxed) {
            return Network::of(None);
        }
        if client.is_address_shared { Network::behind(address) } else { Network::of(address) }
    }

    /// Counts an attempt before it is made, so that concurrent attempts can't exceed a limit.
    ///
    /// # Errors
    /// `RATE_LIMITED` if a limit was reached within [`WINDOW`].
    pub(crate) async fn take(&self, context: &Context, limits: Limits) -> Result<Attempt> {
        let at = context.now();
        if let Some(until) = limits.0.iter().find_map(|bucket| self.find(&bucket.name, at)) {
            return Err(refusal(until - at).into());
        }
        let counted = retry!(context.db(), tx => count(tx, &limits.0, at).await)?;
        match counted {
            Counted::Yes { delay } => Ok(Attempt { limits, at, delay }),
            Counted::No { full, until } => {
                self.remember(full, Refusal { at, until });
                Err(refusal(until - at).into())
            }
        }
    }

    /// Gives an attempt back, because it succeeded or was never made.
    pub(crate) async fn release(&self, context: &Context, attempt: Attempt) -> Result<()> {
        self.forget(&attempt.limits.0);
        retry!(context.db(), tx => {
            for bucket in &attempt.limits.0 {
                let mut times = storage::throttle::lock(tx, &bucket.name, attempt.at).await?;
                if let Some(place) = times.iter().position(|time| *time == attempt.at) {
                    times.remove(place);
                }
                storage::throttle::update(tx, &bucket.name, &times).await?;
            }
            Ok(())
        })
    }

    fn find(&self, name: &Digest, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = all.get(name)?;
        ((now - refused.at).abs() < REPEATED_FOR && now < refused.until).then_some(refused.until)
    }

    fn remember(&self, name: Digest, refused: Refusal) {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > SWEEP_AT {
            all.retain(|_, earlier| (refused.at - earlier.at).abs() < REPEATED_FOR);
        }
        all.insert(name, refused);
    }

    fn forget(&self, buckets: &[Bucket]) {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in buckets {
            all.remove(&bucket.name);
        }
    }
}

enum Counted {
    Yes { delay: Duration },
    No { full: Digest, until: DateTime<Utc> },
}

/// Counts an attempt in each bucket. If one has reached its limit, counts it in none and returns that one, and when it
/// has an attempt again.
async fn count(tx: &mut Tx, buckets: &[Bucket], at: DateTime<Utc>) -> Result<Counted> {
    let mut counted = Vec::with_capacity(buckets.len());
    let mut delay = Duration::ZERO;
    for bucket in buckets {
        let mut times = storage::throttle::lock(tx, &bucket.name, at).await?;
        // Also without those that a clock recorded while it was ahead.
        times.retain(|time| (at - *time).abs() < WINDOW);
        match bucket.rule {
            Rule::Refuse(most) if times.len() >= most => {
                return Ok(Counted::No { full: bucket.name, until: times[0] + WINDOW });
            }
            Rule::Refuse(_) => {}
            Rule::Slow => {
                let slowing = u32::try_from(times.len().saturating_sub(MOST).min(MOST_SLOWING)).unwrap_or(0);
                delay = SLOWED_BY * slowing;
                // The latest ones are enough to slow down.
                times.drain(..times.len().saturating_sub(MOST + MOST_SLOWING));
            }
        }
        times.push(at);
        counted.push((&bucket.name, times));
    }
    for (name, times) in counted {
        storage::throttle::update(tx, name, &times).await?;
    }
    Ok(Counted::Yes { delay })
}

fn refusal(wait: TimeDelta) -> ApiError {
    let seconds = u32::try_from(wait.num_seconds() + 1).unwrap_or(300);
    let minutes = seconds.div_ceil(60);
    let plural = if minutes == 1 { "" } else { "s" };
    let message = format!("Too many attempts. Try again in {minutes} minute{plural}.");
    ApiError { retry_after: Some(seconds), ..ApiError::new(ErrorCode::RateLimited, message) }
}
