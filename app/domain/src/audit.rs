//! What the audit log keeps of an operation.

use serde::{Deserialize, Serialize};

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
}

impl Channel {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Graphql => "graphql",
            Self::Rest => "rest",
            Self::Cli => "cli",
        }
    }
}
