//! Who is asking, and the only yes or no: pure values and rules, without I/O.

pub(crate) mod actor;
pub(crate) mod authorization;
