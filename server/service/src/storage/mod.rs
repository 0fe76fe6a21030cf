//! SQL, and nothing else: one file per noun, each statement's text once for both databases. Private to the crate.
//!
//! Times are microseconds since the epoch, ids native UUIDs. A function that touches a tenant's rows takes a
//! [`crate::access::ReadPermit`], or a [`crate::access::WritePermit`] to change them, or was reached from one, and puts its tenant and owner in the WHERE clause.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod db;
pub(crate) mod invitations;
pub(crate) mod key_list;
pub(crate) mod key_policies;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod maintenance;
pub(crate) mod name_search;
pub(crate) mod query;
pub(crate) mod reminders;
pub(crate) mod rolls;
pub(crate) mod second_factors;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod tenants;
pub(crate) mod throttle;
pub(crate) mod usage;
pub(crate) mod users;

use chrono::{DateTime, Utc};
pub(crate) use db::{Db, Tx};
use domain::Role;

use crate::error::{Error, Result};

/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// An instant as the databases keep it.
pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// An instant as the databases gave it.
pub(crate) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A stored name; rows were checked when written, so a foreign hand's text shows as a placeholder.
pub(crate) fn stored_name(text: &str) -> domain::Name {
    domain::Name::parse(text)
        .unwrap_or_else(|_| domain::Name::parse("(unreadable name)").expect("a constant name is valid"))
}

/// A stored role.
pub(crate) fn role_of(text: &str) -> Result<Role> {
    text.parse().map_err(|_| Error::Fault(format!("unknown role {text}")))
}

/// Case folded, for search and order alike on both databases.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}
