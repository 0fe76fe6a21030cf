//! What the audit log keeps of an operation.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AuditId, KeyId, Operation, PageRequest};

/// The words of lines that tell of no [`Operation`]: what is done before somebody is known, or by the command line alone.
pub const BESIDE_OPERATIONS: [&str; 3] = ["sign_in", "set_up", "create_user"];

/// Every word that a line can bear in [`AuditEntry::operation`], in the order they are offered. Each has a label, see
/// [`crate::operation::label_of`].
pub fn words() -> impl Iterator<Item = &'static str> {
    // What an agent asks for every few seconds stands in the keys' usage instead.
    let operations = Operation::ALL.iter().copied().filter(|operation| *operation != Operation::PollQueue);
    BESIDE_OPERATIONS.into_iter().chain(operations.map(Operation::as_str))
}

/// The door that a request came through.
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
    /// The service itself, beside all requests.
    Service,
}

impl Channel {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Graphql => "graphql",
            Self::Rest => "rest",
            Self::Cli => "cli",
            Self::Service => "service",
        }
    }

    /// The word on the screen, for a word in the database.
    pub fn label_of(word: &str) -> &str {
        match word {
            "browser" => "Dashboard",
            "graphql" => "GraphQL",
            "rest" => "REST",
            "cli" => "Command line",
            "service" => "Latchkey itself",
            other => other,
        }
    }
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// The rights didn't allow it.
    Refused,
}

impl Outcome {
    /// Both, in the order they are offered.
    pub const ALL: [Self; 2] = [Self::Done, Self::Refused];

    /// The word in the database, on the wire and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Refused => "Refused",
        }
    }

    /// The outcome of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One line of a tenant's audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// Its place in the tenant's chain, from 1 on, without gaps.
    pub number: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What: one of [`words`].
    pub operation: String,
    /// What came of it.
    pub outcome: Outcome,
    /// `user`, `service_account`, `operator` or `service`.
    pub actor_kind: String,
    /// Who, when it was a person or a service account.
    pub actor_id: Option<Uuid>,
    /// The name that they had then.
    pub actor_name: String,
    /// Through which door: a [`Channel`]'s word.
    pub channel: String,
    /// With which key, if it was by key.
    pub key_id: Option<KeyId>,
    /// From which network address.
    pub address: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which.
    pub subject_id: Option<Uuid>,
    /// The name that it had then.
    pub subject_name: String,
    /// More, in words.
    pub detail: String,
    /// SHA-256 over the line and the hash of the one before it, in hexadecimal digits.
    pub hash: String,
}

/// Which lines, and which page of them; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Whose: an id, or a part of the name. Empty: everybody's.
    pub actor: String,
    /// Of which operation: one of [`words`]. Empty: of every.
    pub operation: String,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// About which thing: by it, or done to it. A key, an account, a person.
    pub subject: Option<Uuid>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
    /// The page.
    pub page: PageRequest,
}

crate::input::inputs! {
    /// One page of the tenant's audit log.
    GetAuditLog for ListAuditLog -> crate::Page<AuditEntry> {
        /// Which entries.
        query: AuditQuery,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::operation::label_of;

    #[test]
    fn every_word_of_the_log_is_offered_once_under_a_label_of_its_own() {
        let labels: HashSet<_> = words().map(label_of).collect();
        assert_eq!(labels.len(), BESIDE_OPERATIONS.len() + Operation::ALL.len() - 1);
        assert!(labels.contains("Sign in") && labels.contains("Create user"), "{labels:?}");
    }
}
