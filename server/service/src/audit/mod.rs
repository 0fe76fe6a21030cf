//! The audit log: entries that aren't written with a change, such as refusals; reading, exporting and verification.

mod chain;
mod check;
mod demands;
mod key_refusals;
mod log;
mod refusals;

pub use chain::ChainReport;
pub use log::{AuditLog, Export};
pub(crate) use refusals::{Audit, Subject, subject_of_owner};
