//! The number of connections that the limit on file descriptors (`ulimit -n`) allows.

/// Descriptors for everything but connections: the database, the log, the executor, files being read.
const RESERVED: usize = 100;

/// Returns `wanted`, or fewer connections if the process may not open as many files beside `others`.
pub fn within_descriptors(wanted: usize, others: usize) -> usize {
    match limit() {
        Some(limit) => wanted.min(connections(limit, others)),
        None => wanted,
    }
}

/// A small limit is halved, so that there is something for either purpose.
fn connections(limit: usize, others: usize) -> usize {
    limit.saturating_sub(RESERVED + others).max(limit / 2).max(1)
}

/// Returns the limit on open files; `None` if there is none.
#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_the_database() {
        assert_eq!([1_024, 200, 64, 1, 0].map(|limit| connections(limit, 0)), [924, 100, 32, 1, 1]);
        assert_eq!(connections(1_024, 256), 668);
        assert_eq!(within_descriptors(1, 0), 1);
    }
}
