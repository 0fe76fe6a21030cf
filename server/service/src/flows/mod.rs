//! The built-in backend for flow runs (decision 0054), for trials, demos and tests: a client registers flows and creates
//! runs, an agent takes them and reports what happens. It isn't a scheduler, and is off unless the operator turns it on.

pub(crate) mod backend;
mod json;
mod reading;
pub(crate) mod registration;
pub(crate) mod reports;
pub(crate) mod runs;
