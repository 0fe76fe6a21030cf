//! The audit log: its entries and how they are filtered.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AuditId, KeyId, Operation, PageRequest};

/// The codes of actions that aren't an [`Operation`]: those before authentication, and those of the command line alone.
pub const OTHER_ACTIONS: [&str; 3] = ["sign_in", "set_up", "create_user"];

/// Returns every possible code of [`AuditEntry::operation`], in the order filters offer them. For their labels, see
/// [`crate::operation::label_of`].
pub fn operation_codes() -> impl Iterator<Item = &'static str> {
    // Agents poll every few seconds. Polls are counted in the keys' usage, and not logged.
    let operations = Operation::ALL.iter().copied().filter(|operation| *operation != Operation::PollQueue);
    OTHER_ACTIONS.into_iter().chain(operations.map(Operation::as_str))
}

/// The interface that a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The dashboard.
    Browser,
    /// The GraphQL API.
    Graphql,
    /// The REST API.
    Rest,
    /// The command line on the server.
    Cli,
    /// The service itself, in a background task.
    Service,
}

impl Channel {
    /// Returns the code stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Graphql => "graphql",
            Self::Rest => "rest",
            Self::Cli => "cli",
            Self::Service => "service",
        }
    }

    /// Returns the label of a code, or the code itself if it is unknown.
    pub fn label_of(word: &str) -> &str {
        match word {
            "browser" => "Dashboard",
            "graphql" => "GraphQL",
            "rest" => "REST",
            "cli" => "Command line",
            "service" => "System",
            other => other,
        }
    }
}

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The operation succeeded.
    Done,
    /// The actor wasn't allowed to do it.
    Refused,
}

impl Outcome {
    /// Both outcomes, in the order filters offer them.
    pub const ALL: [Self; 2] = [Self::Done, Self::Refused];

    /// Returns the code used in the database, in the APIs and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "Success",
            Self::Refused => "Denied",
        }
    }

    /// Returns the outcome with the given code.
    pub fn from_code(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// An entry of a tenant's audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The entry's id.
    pub id: AuditId,
    /// The position in the tenant's chain, starting at 1, without gaps.
    pub number: u64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The code of the operation: one of [`operation_codes`].
    pub operation: String,
    /// Whether it succeeded.
    pub outcome: Outcome,
    /// The kind of actor: `user`, `service_account`, `operator` or `service`.
    pub actor_kind: String,
    /// The actor's id, if it is a user or a service account.
    pub actor_id: Option<Uuid>,
    /// The actor's name at that time.
    pub actor_name: String,
    /// The code of the [`Channel`] that was used.
    pub channel: String,
    /// The key that authenticated the request, if any.
    pub key_id: Option<KeyId>,
    /// The client's IP address, if known.
    pub address: Option<String>,
    /// The client's `User-Agent`, if known.
    pub user_agent: Option<String>,
    /// The kind of resource.
    pub subject_kind: String,
    /// The resource's id.
    pub subject_id: Option<Uuid>,
    /// The resource's name at that time.
    pub subject_name: String,
    /// Details for people; can be empty.
    pub detail: String,
    /// SHA-256 over this entry and the hash of the previous one, in hexadecimal.
    pub hash: String,
}

/// Selects audit entries and a page of them, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    /// The actor's id or a part of the name. Empty for all actors.
    pub actor: String,
    /// The code of the operation: one of [`operation_codes`]. Empty for all operations.
    pub operation: String,
    /// The outcome; any, if `None`.
    pub outcome: Option<Outcome>,
    /// The id of a key, service account or user that acted or was affected.
    pub subject: Option<Uuid>,
    /// The earliest time, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// The latest time, exclusive.
    pub until: Option<DateTime<Utc>>,
    /// The page to return.
    pub page: PageRequest,
}

crate::input::inputs! {
    /// Reads one page of the tenant's audit log.
    GetAuditLog for ListAuditLog -> crate::Page<AuditEntry> {
        /// Which entries to return.
        query: AuditQuery,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::operation::label_of;

    #[test]
    fn every_code_has_a_label_of_its_own() {
        let labels: HashSet<_> = operation_codes().map(label_of).collect();
        assert_eq!(labels.len(), OTHER_ACTIONS.len() + Operation::ALL.len() - 1);
        assert!(labels.contains("Sign in") && labels.contains("Create user"), "{labels:?}");
    }
}
