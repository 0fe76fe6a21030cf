//! The clock. No other module reads the time.

/// Returns the time of a clock that never jumps, in microseconds since an unknown moment. It also counts the time that the
/// machine was suspended, which `std::time::Instant` doesn't: what was known before a suspension is old after it.
pub(crate) fn monotonic_micros() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let id = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(id);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}
