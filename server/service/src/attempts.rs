//! How often signing in has failed: at most ten times in five minutes for an account and for an address.
//!
//! NOTE: kept in the process. Several servers allow as many failures each; behind a load balancer the limit is theirs
//! times the number of servers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode};

/// Failures allowed within [`WINDOW`].
const MOST: usize = 10;
/// The time in which failures count.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// When so many names are remembered, those whose time is over are forgotten.
const SWEEP_AT: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, VecDeque<DateTime<Utc>>>>);

impl Attempts {
    /// Takes one attempt for each of the names, before it is tried: so that many at once can't all pass.
    /// `forget` gives it back after a success.
    pub(crate) fn take(&self, names: &[String], now: DateTime<Utc>) -> Result<(), ApiError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > SWEEP_AT {
            all.retain(|_, times| times.back().is_some_and(|last| now - *last < WINDOW));
        }
        for name in names {
            let times = all.entry(name.clone()).or_default();
            while times.front().is_some_and(|first| now - *first >= WINDOW) {
                times.pop_front();
            }
            if times.len() >= MOST {
                let wait = times.front().map_or(WINDOW, |first| WINDOW - (now - *first));
                return Err(refusal(wait));
            }
        }
        for name in names {
            all.entry(name.clone()).or_default().push_back(now);
        }
        Ok(())
    }

    /// Gives the attempt of `now` back: it was a success.
    pub(crate) fn give_back(&self, names: &[String], now: DateTime<Utc>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if let Some(times) = all.get_mut(name)
                && let Some(place) = times.iter().position(|time| *time == now)
            {
                times.remove(place);
            }
        }
    }
}

fn refusal(wait: TimeDelta) -> ApiError {
    let seconds = u32::try_from(wait.num_seconds() + 1).unwrap_or(300);
    let minutes = seconds.div_ceil(60);
    let plural = if minutes == 1 { "" } else { "s" };
    let message = format!("Too many attempts. Try again in {minutes} minute{plural}.");
    ApiError { retry_after: Some(seconds), ..ApiError::new(ErrorCode::RateLimited, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_failure_within_five_minutes_has_to_wait_and_a_success_does_not_count() {
        let attempts = Attempts::default();
        let names = ["ada".to_owned()];
        let start = DateTime::UNIX_EPOCH;
        for n in 0..30 {
            let now = start + TimeDelta::milliseconds(n);
            attempts.take(&names, now).unwrap();
            attempts.give_back(&names, now);
        }
        for n in 0..10 {
            attempts.take(&names, start + TimeDelta::seconds(n)).unwrap();
        }
        let refused = attempts.take(&names, start + TimeDelta::seconds(20)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimited, Some(281)));
        attempts.take(&names, start + TimeDelta::minutes(5)).unwrap();
    }
}
