//! An audit entry as it is exported, and printed as JSON at the command line.

use domain::AuditEntry;
use serde::Serialize;

/// An entry. Its fields are in the order of the columns of the export.
#[derive(Serialize)]
pub(crate) struct EntryRow {
    number: u64,
    id: String,
    at: String,
    operation: String,
    result: &'static str,
    actor_kind: String,
    actor_id: Option<String>,
    pub(crate) actor_name: String,
    channel: String,
    key_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    subject_kind: String,
    subject_id: Option<String>,
    pub(crate) subject_name: String,
    pub(crate) detail: String,
    hash: String,
}

impl From<AuditEntry> for EntryRow {
    fn from(entry: AuditEntry) -> Self {
        Self {
            number: entry.number,
            id: entry.id.to_string(),
            at: entry.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            operation: entry.operation,
            result: entry.outcome.as_str(),
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id.map(|id| id.to_string()),
            actor_name: entry.actor_name,
            channel: entry.channel,
            key_id: entry.key_id.map(|id| id.to_string()),
            address: entry.address,
            user_agent: entry.user_agent,
            subject_kind: entry.subject_kind,
            subject_id: entry.subject_id.map(|id| id.to_string()),
            subject_name: entry.subject_name,
            detail: entry.detail,
            hash: entry.hash,
        }
    }
}
