//! The audit log: what is added beside a change, reading it, and proving that nobody has changed it.

pub(crate) mod log;
pub(crate) mod refusals;
