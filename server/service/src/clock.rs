//! The clock. No other module reads the time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, SubsecRound, Utc};

/// The source of the current time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system clock. Never goes back within the process, so that an expired key stays expired. Holds the latest
    /// time returned, in microseconds since the Unix epoch.
    System(Arc<AtomicI64>),
    /// A time that only changes when it is set, for tests.
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// Returns the system clock.
    pub fn system() -> Self {
        Self::System(Arc::default())
    }

    /// Returns a clock that is fixed at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(Mutex::new(at)))
    }

    /// Sets a fixed clock. Does nothing to the system clock.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Self::Fixed(time) = self {
            *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = at;
        }
    }

    /// Returns the current time, truncated to microseconds, the precision of both databases.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System(latest) => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
                let micros = Utc::now().timestamp_micros();
                let latest = latest.fetch_max(micros, Ordering::Relaxed).max(micros);
                DateTime::from_timestamp_micros(latest).unwrap_or(DateTime::UNIX_EPOCH)
            }
            Self::Fixed(time) => time.lock().unwrap_or_else(std::sync::PoisonError::into_inner).trunc_subsecs(6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_stepped_back_does_not_go_back() {
        let ahead = 4_102_444_800_000_000; // the year 2100
        let clock = Clock::System(Arc::new(AtomicI64::new(ahead)));
        assert_eq!(clock.now().timestamp_micros(), ahead);
    }
}
