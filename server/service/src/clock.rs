//! The clock. No other module reads the time.
//!
//! The system clock can jump: a bad time server, a restored virtual machine, a typing error. [`Clock`] notices it by
//! comparing with the monotonic clock, and follows the monotonic one until the jump has lasted for
//! [`CONFIRM_AFTER`]. See decision 0027.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// How far the system clock may move against the monotonic one without being taken for a jump.
const TOLERANCE: i64 = 2_000_000;
/// How long a jump has to last until the new time is believed.
const CONFIRM_AFTER: i64 = CONFIRM_AFTER_MINUTES * 60_000_000;
/// The same, for messages.
pub(crate) const CONFIRM_AFTER_MINUTES: i64 = 10;
/// How much later than the latest time in the database a server may start without its clock being in doubt.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The source of the current time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Arc<Mutex<Option<Line>>>),
    Fixed(Arc<Mutex<DateTime<Utc>>>),
    Simulated(Arc<Mutex<Simulated>>),
}

/// A system clock and a monotonic clock that only change when they are told to.
#[derive(Debug)]
struct Simulated {
    wall: i64,
    monotonic: i64,
    line: Line,
}

/// The time that is believed. All values are microseconds.
#[derive(Debug)]
struct Line {
    /// What is added to the monotonic clock to get the time.
    offset: i64,
    /// The latest time returned, so that a small step back doesn't show.
    latest: i64,
    jump: Option<Jump>,
    /// The offset before a jump ahead that was believed. If the clock returns to it, the jump was an error.
    offset_before: Option<i64>,
    /// Whether the clock returned after a jump ahead that was believed, and nobody has been told yet.
    has_recovered: bool,
    /// Since when a time is used that is in doubt because the clock may have been wrong at the start.
    in_doubt_since: Option<i64>,
}

/// A system clock that doesn't agree with the line.
#[derive(Clone, Copy, Debug)]
struct Jump {
    /// By the monotonic clock.
    since: i64,
    offset: i64,
}

/// A jump ahead that was believed, and may still turn out to be an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BelievedJump {
    /// Names the boot of the machine, which its monotonic clock counts from.
    pub(crate) boot: String,
    /// What had to be added to the monotonic clock before the jump, in microseconds.
    pub(crate) offset_before: i64,
}

/// What servers remember about time when they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The latest time that was believed for long enough.
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) jump: Option<BelievedJump>,
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: i64,
    monotonic: i64,
}

/// Returns the time of a clock that never jumps, in microseconds since an unknown moment. It also counts the time that the
/// machine was suspended.
pub(crate) fn monotonic_micros() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let id = rustix::time::ClockId::Monotonic;
    let monotonic = rustix::time::clock_gettime(id);
    monotonic.tv_sec * 1_000_000 + monotonic.tv_nsec / 1_000
}

impl Reading {
    fn take() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
        let wall = Utc::now().timestamp_micros();
        Self { wall, monotonic: monotonic_micros() }
    }

    fn offset(self) -> i64 {
        self.wall - self.monotonic
    }
}

impl Line {
    fn new(reading: Reading) -> Self {
        let offset = reading.offset();
        Self {
            offset,
            latest: reading.wall,
            jump: None,
            offset_before: None,
            has_recovered: false,
            in_doubt_since: None,
        }
    }

    /// Compares the clocks and returns the time that is believed. It never goes back, except when a jump was an error or
    /// a step back has lasted.
    fn read(&mut self, reading: Reading) -> i64 {
        let offset = reading.offset();
        if is_close(offset, self.offset) {
            if self.jump.take().is_some() {
                tracing::warn!("the system clock agrees with the monotonic clock again");
            }
            self.offset = offset;
        } else if self.offset_before.is_some_and(|before| is_close(offset, before)) {
            tracing::error!(
                "the system clock came right after a jump that had been believed; correcting what came of it"
            );
            *self = Self { has_recovered: true, ..Self::new(reading) };
        } else {
            self.follow(reading);
        }
        if self.jump.is_none() {
            self.in_doubt_since = self.in_doubt_since.filter(|since| reading.monotonic - since < CONFIRM_AFTER);
        }
        self.latest = self.latest.max(reading.monotonic + self.offset);
        self.latest
    }

    /// Compares the clock with what the last server remembered.
    fn resume(&mut self, reading: Reading, remembered: &Remembered, boot: Option<&str>) {
        let ahead = self.read(reading) - remembered.seen_at.timestamp_micros();
        if TimeDelta::microseconds(ahead) > MAX_PAUSE {
            tracing::info!(
                minutes = ahead / 60_000_000,
                "the clock is ahead of the latest time in the database, as after a pause or if it is wrong; nothing is \
                 stored by it until {CONFIRM_AFTER_MINUTES} minutes have passed"
            );
            self.in_doubt_since = Some(reading.monotonic);
        }
        // The monotonic clock counts from the boot. After a restart on the same boot, the system clock can be compared with it.
        if let Some(jump) = &remembered.jump
            && boot == Some(jump.boot.as_str())
        {
            self.has_recovered |= is_close(reading.offset(), jump.offset_before);
            self.offset_before = Some(jump.offset_before).filter(|_| !self.has_recovered);
        }
    }

    /// Notes a jump, or believes it once it has lasted.
    fn follow(&mut self, reading: Reading) {
        let offset = reading.offset();
        let seconds = (offset - self.offset) / 1_000_000;
        match &mut self.jump {
            Some(jump) if is_close(jump.offset, offset) => {
                jump.offset = offset;
                if reading.monotonic - jump.since < CONFIRM_AFTER {
                    return;
                }
                tracing::error!(
                    seconds,
                    minutes = CONFIRM_AFTER_MINUTES,
                    "a jump of the system clock has lasted too long to be an error; the new time is used"
                );
                let offset_before = (seconds > 0).then_some(self.offset);
                *self = Self { offset_before, has_recovered: self.has_recovered, ..Self::new(reading) };
            }
            jump => {
                tracing::error!(seconds, "the system clock jumped; using the monotonic clock for now");
                *jump = Some(Jump { since: reading.monotonic, offset });
            }
        }
    }
}

fn is_close(one: i64, other: i64) -> bool {
    one.abs_diff(other) <= TOLERANCE.unsigned_abs()
}

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock {
    /// Returns the system clock.
    pub fn system() -> Self {
        Self(Source::System(Arc::default()))
    }

    /// Returns a clock that only changes when it is set, for tests.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// Returns a system clock that only changes when it is advanced or jumps, for tests.
    pub fn simulated(at: DateTime<Utc>) -> Self {
        let reading = Reading { wall: at.timestamp_micros(), monotonic: 0 };
        Self(Source::Simulated(Arc::new(Mutex::new(Simulated {
            wall: reading.wall,
            monotonic: 0,
            line: Line::new(reading),
        }))))
    }

    /// Sets a fixed clock. Does nothing to the others.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Source::Fixed(time) = &self.0 {
            *lock(time) = at;
        }
    }

    /// Lets time pass on a simulated clock. Does nothing to the others.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Simulated(clocks) = &self.0 {
            let mut clocks = lock(clocks);
            let micros = by.num_microseconds().unwrap_or_default();
            clocks.wall += micros;
            clocks.monotonic += micros;
        }
    }

    /// Moves the system clock of a simulated clock, without time passing. Does nothing to the others.
    pub fn jump(&self, by: TimeDelta) {
        if let Source::Simulated(clocks) = &self.0 {
            lock(clocks).wall += by.num_microseconds().unwrap_or_default();
        }
    }

    /// Returns the current time, truncated to microseconds, the precision of both databases.
    pub fn now(&self) -> DateTime<Utc> {
        self.with_line(|line, reading| instant(line.read(reading))).unwrap_or_else(|fixed| fixed)
    }

    /// Returns the latest time that it may be now. It differs from [`Clock::now`] after the system clock jumped ahead: a
    /// key that would be expired is refused then, but nothing is stored.
    pub(crate) fn latest_possible(&self) -> DateTime<Utc> {
        self.with_line(|line, reading| instant(line.read(reading).max(reading.wall))).unwrap_or_else(|fixed| fixed)
    }

    /// Returns both [`Clock::now`] and [`Clock::latest_possible`], of one reading.
    pub(crate) fn times(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let read = |line: &mut Line, reading: Reading| {
            let now = line.read(reading);
            (instant(now), instant(now.max(reading.wall)))
        };
        self.with_line(read).unwrap_or_else(|fixed| (fixed, fixed))
    }

    /// Returns how far the system clock has jumped, if it isn't clear yet whether the new time is right.
    pub(crate) fn unconfirmed_jump(&self) -> Option<TimeDelta> {
        let jump = self.with_line(|line, reading| {
            line.read(reading);
            line.jump.map(|jump| TimeDelta::microseconds(jump.offset - line.offset))
        });
        jump.ok().flatten()
    }

    /// Whether nothing is in doubt about [`Clock::now`], so that something may be stored because of it.
    pub(crate) fn is_confirmed(&self) -> bool {
        let is_confirmed = self.with_line(|line, reading| {
            line.read(reading);
            line.jump.is_none() && line.in_doubt_since.is_none()
        });
        is_confirmed.unwrap_or(true)
    }

    /// Continues from what the last server remembered.
    pub(crate) fn resume(&self, remembered: &Remembered) {
        let boot = self.boot();
        self.with_line(|line, reading| line.resume(reading, remembered, boot.as_deref())).ok();
    }

    /// Returns the jump ahead that was believed, for [`Remembered`].
    pub(crate) fn believed_jump(&self) -> Option<BelievedJump> {
        let offset_before = self.with_line(|line, _| line.offset_before).ok().flatten()?;
        Some(BelievedJump { boot: self.boot()?, offset_before })
    }

    /// Names the boot of the machine, if the system does.
    pub(crate) fn boot(&self) -> Option<String> {
        match &self.0 {
            Source::System(_) => {
                let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
                Some(id.trim().to_owned()).filter(|id| !id.is_empty())
            }
            Source::Simulated(_) => Some("simulated".to_owned()),
            Source::Fixed(_) => None,
        }
    }

    /// Returns the clock of a process that starts now on the machine of a simulated clock.
    #[cfg(test)]
    pub(crate) fn restarted(&self) -> Self {
        let Source::Simulated(clocks) = &self.0 else { return self.clone() };
        let Simulated { wall, monotonic, .. } = *lock(clocks);
        let line = Line::new(Reading { wall, monotonic });
        Self(Source::Simulated(Arc::new(Mutex::new(Simulated { wall, monotonic, line }))))
    }

    /// Whether the clock came right after a jump ahead that had been believed. Returns true once.
    pub(crate) fn take_recovery(&self) -> bool {
        let recovered = self.with_line(|line, reading| {
            line.read(reading);
            std::mem::take(&mut line.has_recovered)
        });
        recovered.unwrap_or(false)
    }

    /// Calls a function with the believed time and a reading; returns the time of a fixed clock as an error.
    fn with_line<T>(&self, read: impl FnOnce(&mut Line, Reading) -> T) -> Result<T, DateTime<Utc>> {
        match &self.0 {
            Source::System(line) => {
                // Read under the lock, so that two readings never change places.
                let mut line = lock(line);
                let reading = Reading::take();
                Ok(read(line.get_or_insert_with(|| Line::new(reading)), reading))
            }
            Source::Simulated(clocks) => {
                let clocks = &mut *lock(clocks);
                let reading = Reading { wall: clocks.wall, monotonic: clocks.monotonic };
                Ok(read(&mut clocks.line, reading))
            }
            Source::Fixed(time) => Err(lock(time).trunc_subsecs(6)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> (Clock, DateTime<Utc>) {
        let start = "2027-01-01T00:00:00Z".parse().unwrap();
        (Clock::simulated(start), start)
    }

    #[test]
    fn a_small_step_back_does_not_show_and_time_goes_on() {
        let (clock, start) = clock();
        clock.advance(TimeDelta::seconds(10));
        assert_eq!(clock.now(), start + TimeDelta::seconds(10));
        clock.jump(TimeDelta::seconds(-1));
        assert_eq!(clock.now(), start + TimeDelta::seconds(10));
        clock.advance(TimeDelta::seconds(3));
        assert_eq!(clock.now(), start + TimeDelta::seconds(12));
    }

    #[test]
    fn a_jump_ahead_that_comes_right_leaves_nothing_behind() {
        let (clock, start) = clock();
        clock.jump(TimeDelta::days(3_650));
        clock.advance(TimeDelta::seconds(5));
        assert_eq!(clock.now(), start + TimeDelta::seconds(5));
        assert_eq!(clock.latest_possible(), start + TimeDelta::days(3_650) + TimeDelta::seconds(5));
        assert_eq!(clock.unconfirmed_jump(), Some(TimeDelta::days(3_650)));
        clock.jump(TimeDelta::days(-3_650));
        assert_eq!(clock.latest_possible(), start + TimeDelta::seconds(5));
        assert_eq!(clock.unconfirmed_jump(), None);
        assert!(!clock.take_recovery());
    }

    #[test]
    fn a_jump_that_lasts_is_believed_and_undone_when_the_clock_returns() {
        let (clock, start) = clock();
        clock.jump(TimeDelta::hours(5));
        for _ in 0..11 {
            clock.now();
            clock.advance(TimeDelta::minutes(1));
        }
        assert_eq!(clock.now(), start + TimeDelta::hours(5) + TimeDelta::minutes(11));
        assert_eq!(clock.unconfirmed_jump(), None);
        clock.jump(TimeDelta::hours(-5));
        assert_eq!(clock.now(), start + TimeDelta::minutes(11));
        assert!(clock.take_recovery());
        assert!(!clock.take_recovery());
    }

    #[test]
    fn a_step_back_does_not_show_until_it_has_lasted() {
        let (clock, start) = clock();
        clock.jump(TimeDelta::hours(-1));
        clock.advance(TimeDelta::minutes(9));
        assert_eq!(clock.now(), start + TimeDelta::minutes(9));
        assert_eq!(clock.latest_possible(), start + TimeDelta::minutes(9));
        clock.advance(TimeDelta::minutes(11));
        assert_eq!(clock.now(), start - TimeDelta::minutes(40));
        assert!(!clock.take_recovery(), "what expired stays expired");
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(clock.now() >= before && clock.unconfirmed_jump().is_none());
    }
}
