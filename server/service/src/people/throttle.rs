//! Limits failed attempts to sign in or confirm: ten in five minutes for an account and for a network address, on all
//! servers of a database together.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

use crate::{
    context::Context,
    digest::sha256,
    error::Result,
    storage::{self, Tx},
};

/// Failures allowed within [`WINDOW`].
const MOST: usize = 10;
/// How long a failure counts.
pub(crate) const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// How long a refusal is repeated without asking the database, so that a flood of attempts doesn't cause a flood of
/// writes.
const REPEATED_FOR: TimeDelta = TimeDelta::seconds(2);
/// The number of remembered refusals above which outdated ones are removed.
const SWEEP_AT: usize = 10_000;

type Digest = [u8; 32];

/// The limit on failed attempts. Remembers what this server refused a moment ago, and when the limit ends.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<Digest, Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A counted attempt. It stays counted unless it is given back.
#[derive(Debug)]
pub(crate) struct Attempt {
    names: Vec<Digest>,
    at: DateTime<Utc>,
}

impl Throttle {
    /// Counts an attempt for each name before it is made, so that concurrent attempts can't exceed the limit.
    ///
    /// # Errors
    /// `RATE_LIMITED` if one of the names has failed ten times in the past five minutes.
    pub(crate) async fn take(&self, context: &Context, names: &[String]) -> Result<Attempt> {
        let at = context.now();
        // Sorted, so that no two transactions deadlock. Digests, because people type passwords into name fields.
        let mut names: Vec<Digest> = names.iter().map(|name| sha256(name.as_bytes())).collect();
        names.sort_unstable();
        if let Some(until) = names.iter().find_map(|name| self.find(name, at)) {
            return Err(refusal(until - at).into());
        }
        let mut tx = context.db().begin().await?;
        let full = count(&mut tx, &names, at).await?;
        tx.commit().await?;
        match full {
            None => Ok(Attempt { names, at }),
            Some((name, until)) => {
                self.remember(name, Refusal { at, until });
                Err(refusal(until - at).into())
            }
        }
    }

    /// Gives an attempt back, because it succeeded or was never made.
    pub(crate) async fn release(&self, context: &Context, attempt: Attempt) -> Result<()> {
        self.forget(&attempt.names);
        let mut tx = context.db().begin().await?;
        for name in attempt.names {
            let mut times = storage::throttle::lock(&mut tx, &name, attempt.at).await?;
            if let Some(place) = times.iter().position(|time| *time == attempt.at) {
                times.remove(place);
            }
            storage::throttle::update(&mut tx, &name, &times).await?;
        }
        tx.commit().await
    }

    fn find(&self, name: &Digest, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = all.get(name)?;
        (now - refused.at < REPEATED_FOR && now < refused.until).then_some(refused.until)
    }

    fn remember(&self, name: Digest, refused: Refusal) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > SWEEP_AT {
            all.retain(|_, earlier| refused.at - earlier.at < REPEATED_FOR);
        }
        all.insert(name, refused);
    }

    fn forget(&self, names: &[Digest]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            all.remove(name);
        }
    }
}

/// Counts an attempt for each name. If one has reached the limit, counts none and returns that one, and when it has an
/// attempt again.
async fn count(tx: &mut Tx, names: &[Digest], at: DateTime<Utc>) -> Result<Option<(Digest, DateTime<Utc>)>> {
    let mut counted = Vec::with_capacity(names.len());
    for name in names {
        let mut times = storage::throttle::lock(tx, name, at).await?;
        times.retain(|time| at - *time < WINDOW);
        if times.len() >= MOST {
            return Ok(Some((*name, times[0] + WINDOW)));
        }
        times.push(at);
        counted.push((name, times));
    }
    for (name, times) in counted {
        storage::throttle::update(tx, name, &times).await?;
    }
    Ok(None)
}

fn refusal(wait: TimeDelta) -> ApiError {
    let seconds = u32::try_from(wait.num_seconds() + 1).unwrap_or(300);
    let minutes = seconds.div_ceil(60);
    let plural = if minutes == 1 { "" } else { "s" };
    let message = format!("Too many attempts. Try again in {minutes} minute{plural}.");
    ApiError { retry_after: Some(seconds), ..ApiError::new(ErrorCode::RateLimited, message) }
}
