//! The only reader of the clock.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, SubsecRound, Utc};

/// Where the time comes from: the machine, or a test's hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock, never going back within the process: a key that was seen expired stays so.
    System(Arc<AtomicI64>),
    /// A time that stands still until it is set.
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System(Arc::default())
    }

    /// A clock that stands at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(Mutex::new(at)))
    }

    /// Moves a fixed clock; the machine's cannot be moved.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Self::Fixed(time) = self {
            *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = at;
        }
    }

    /// Now, cut to microseconds, which is what both databases keep.
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
