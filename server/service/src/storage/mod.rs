//! All SQL of the crate, and nothing else: one file per noun. Each statement is written once and runs on both
//! databases. Private to the crate.
//!
//! Times are microseconds since the Unix epoch; ids are native UUIDs. A function that reads a tenant's rows takes a
//! [`crate::access::ReadPermit`], one that changes them a [`crate::access::WritePermit`], or its caller holds one. The
//! permit's tenant and owner go into the WHERE clause.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod audit_checks;
pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod clock;
pub(crate) mod db;
pub(crate) mod expiring;
pub(crate) mod exposures;
pub(crate) mod feed;
pub(crate) mod file;
pub(crate) mod flow_filter;
mod flow_list;
pub(crate) mod flow_runs;
pub(crate) mod flows;
pub(crate) mod gateway_passes;
pub(crate) mod invitations;
pub(crate) mod key_limits;
pub(crate) mod key_list;
pub(crate) mod key_policies;
pub(crate) mod key_refusals;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod lifecycle;
pub(crate) mod limit_columns;
pub(crate) mod maintenance;
pub(crate) mod metrics;
pub(crate) mod migrations;
pub(crate) mod name_search;
pub(crate) mod namesakes;
pub(crate) mod overview;
pub(crate) mod pending_changes;
pub(crate) mod query;
pub(crate) mod remembered_browsers;
pub(crate) mod reminders;
pub(crate) mod rolls;
pub(crate) mod scopes;
pub(crate) mod sealed;
pub(crate) mod second_factors;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod sole_use;
mod sweeping;
pub(crate) mod tenants;
pub(crate) mod throttle;
mod total;
pub(crate) mod transfer;
pub(crate) mod usage;
pub(crate) mod users;

use chrono::{DateTime, Utc};
pub(crate) use db::{Db, Tx, server_call};
use domain::Role;

use crate::error::{Error, Result};
pub(crate) use crate::text::fold;

/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// Converts an instant to microseconds since the Unix epoch, as the databases store it.
pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Converts stored microseconds to an instant. A value out of range becomes the epoch.
pub(crate) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Parses a stored name. Names are checked when they are written; an invalid one, from a change outside of the service,
/// becomes a placeholder.
pub(crate) fn stored_name(text: &str) -> domain::Name {
    domain::Name::parse(text)
        .unwrap_or_else(|_| domain::Name::parse("(unreadable name)").expect("a constant name is valid"))
}

/// Parses a stored role. An unknown one is a fault.
pub(crate) fn role_of(text: &str) -> Result<Role> {
    text.parse().map_err(|_| Error::Fault(format!("unknown role {text}")))
}
