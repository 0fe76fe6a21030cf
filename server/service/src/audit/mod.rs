//! The audit log: what is added beside a change, reading it, and proving that nobody has changed it.

mod chain;
mod log;
mod refusals;

pub use chain::ChainReport;
pub use log::{AuditLog, Export};
pub(crate) use refusals::Audit;
