//! The audit log: its entries and how they are filtered.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AuditId, KeyId, Operation, PageRequest, ServiceAccountId, UserId, operation::Action};

/// A group of actions in filters. The order is that of the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionGroup {
    /// API keys, except their rotation.
    Keys,
    /// Rotations of keys.
    Rotation,
    /// Service accounts.
    ServiceAccounts,
    /// Members and their accounts.
    Members,
    /// Invitations.
    Invitations,
    /// Tenants.
    Tenants,
    /// Key policies.
    KeyPolicies,
    /// The catalogue of scopes.
    Scopes,
    /// Signing in, and sessions.
    Sessions,
    /// Passwords and two-factor authentication.
    Credentials,
    /// Agents.
    Agents,
    /// Expiry calendars.
    Calendar,
    /// The audit log itself.
    AuditLog,
}

impl ActionGroup {
    /// All groups, in the order of the filters.
    pub const ALL: [Self; 13] = [
        Self::Keys,
        Self::Rotation,
        Self::ServiceAccounts,
        Self::Members,
        Self::Invitations,
        Self::Tenants,
        Self::KeyPolicies,
        Self::Scopes,
        Self::Sessions,
        Self::Credentials,
        Self::Agents,
        Self::Calendar,
        Self::AuditLog,
    ];

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Keys => "Keys",
            Self::Rotation => "Rotation",
            Self::ServiceAccounts => "Service accounts",
            Self::Members => "Members",
            Self::Invitations => "Invitations",
            Self::Tenants => "Tenants",
            Self::KeyPolicies => "Key policies",
            Self::Scopes => "Scopes",
            Self::Sessions => "Sessions",
            Self::Credentials => "Password and two-factor authentication",
            Self::Agents => "Agents",
            Self::Calendar => "Calendar",
            Self::AuditLog => "Audit log",
        }
    }

    /// Returns the actions to offer in a filter that also selects `outcome`, in the order of the table. Those that only
    /// read are offered together with denied attempts, because otherwise they aren't in the log. The exception is the
    /// audit log itself, whose export is an entry.
    pub fn offered(self, outcome: Option<Outcome>) -> impl Iterator<Item = &'static Action> {
        let with_reads = outcome == Some(Outcome::Refused) || self == Self::AuditLog;
        Action::ALL
            .iter()
            .filter(move |action| action.group == self && (with_reads || !action.is_read))
            // Agents poll every few seconds. Polls are counted in the keys' usage, and not logged.
            .filter(|action| action.code != Operation::PollQueue.as_str())
            // So do the runs that they report on, whose states are listed with the runs.
            .filter(|action| action.code != Operation::ReportFlowRun.as_str())
    }
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
    /// The code of the operation: that of an [`Action`].
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

/// A part of an entry's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text of the sentence.
    Text(&'a str),
    /// The actor's name.
    Actor(&'a str),
    /// The resource's name.
    Subject(&'a str),
}

impl<'a> Part<'a> {
    /// Returns the part as text.
    pub fn text(self) -> &'a str {
        match self {
            Self::Text(text) | Self::Actor(text) | Self::Subject(text) => text,
        }
    }
}

impl AuditEntry {
    /// Returns the entry as a sentence, like "Ada created the key “Laptop”."
    pub fn sentence(&self) -> String {
        self.parts().into_iter().map(Part::text).collect()
    }

    /// Returns the parts of the entry's sentence, in order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let Some(action) = Action::from_code(&self.operation) else {
            // Written by a later version.
            let code = Part::Text(&self.operation);
            return vec![Part::Actor(&self.actor_name), Part::Text(" performed the action “"), code, Part::Text("”.")];
        };
        let subject = if self.subject_name.is_empty() { "unknown" } else { &self.subject_name };
        let pieces = action.sentence(self.outcome).split(['{', '}']).filter(|piece| !piece.is_empty());
        pieces
            .map(|piece| match piece {
                "actor" => Part::Actor(&self.actor_name),
                "subject" => Part::Subject(subject),
                text => Part::Text(text),
            })
            .collect()
    }
}

/// The number of entries on one day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayActivity {
    /// The day.
    pub day: NaiveDate,
    /// The number of successful operations.
    pub done: u64,
    /// The number of denied attempts.
    pub denied: u64,
}

/// The activity of a tenant: the number of entries per day, up to today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The days in order, including those without entries.
    pub days: Vec<DayActivity>,
    /// Whether older entries weren't counted, because there are too many.
    pub is_capped: bool,
}

/// The result of a periodic verification of the chain of a tenant's entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainCheck {
    /// When the verification ended.
    pub at: DateTime<Utc>,
    /// The number of entries in the chain.
    pub entries: u64,
    /// What was found, for example "entry 17 was changed"; `None` if the chain is intact.
    pub problem: Option<String>,
}

/// A resource that an entry is about, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A key of a user.
    UserKey(KeyId),
    /// A key of a service account.
    AccountKey(ServiceAccountId, KeyId),
    /// A service account.
    Account(ServiceAccountId),
    /// A member of the tenant.
    Member(UserId),
}

/// The resources that still exist of those that some entries are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(HashMap<Uuid, Resource>);

impl Resources {
    /// Returns what an entry is about, if that still exists.
    pub fn of(&self, entry: &AuditEntry) -> Option<&Resource> {
        self.0.get(&entry.subject_id?)
    }
}

impl FromIterator<(Uuid, Resource)> for Resources {
    fn from_iter<T: IntoIterator<Item = (Uuid, Resource)>>(resources: T) -> Self {
        Self(resources.into_iter().collect())
    }
}

/// Selects audit entries and a page of them, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    /// The actor's id or a part of the name. Empty for all actors.
    pub actor: String,
    /// The code of an [`Action`]. Empty for all operations.
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
    use super::*;

    fn entry(operation: &str, outcome: Outcome, subject: &str) -> AuditEntry {
        AuditEntry {
            id: AuditId(Uuid::nil()),
            number: 1,
            at: DateTime::UNIX_EPOCH,
            operation: operation.to_owned(),
            outcome,
            actor_kind: "user".to_owned(),
            actor_id: None,
            actor_name: "Ada {subject}".to_owned(),
            channel: Channel::Browser.as_str().to_owned(),
            key_id: None,
            address: None,
            user_agent: None,
            subject_kind: "api_key".to_owned(),
            subject_id: None,
            subject_name: subject.to_owned(),
            detail: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn an_entry_reads_as_a_sentence_and_names_are_taken_literally() {
        let sentence = |operation: &str, outcome, subject: &str| entry(operation, outcome, subject).sentence();
        assert_eq!(sentence("create_api_key", Outcome::Done, "{actor}"), "Ada {subject} created the key “{actor}”.");
        assert_eq!(
            sentence("delete_api_key", Outcome::Refused, "Laptop"),
            "Ada {subject} tried to revoke the key “Laptop” and was denied."
        );
        assert_eq!(sentence("sign_in", Outcome::Refused, ""), "A sign-in as Ada {subject} was denied.");
        assert_eq!(sentence("new_one", Outcome::Done, ""), "Ada {subject} performed the action “new_one”.");
    }

    #[test]
    fn no_placeholder_is_left_in_any_sentence() {
        for action in Action::ALL {
            for outcome in Outcome::ALL {
                let entry = AuditEntry { actor_name: "Ada".to_owned(), ..entry(action.code, outcome, "") };
                let sentence = entry.sentence();
                assert!(sentence.contains("Ada") && !sentence.contains(['{', '}']), "{sentence}");
            }
        }
    }

    #[test]
    fn every_action_is_offered_in_one_group_with_denied_attempts() {
        let offered = |outcome| ActionGroup::ALL.into_iter().flat_map(move |group| group.offered(outcome));
        assert_eq!(offered(Some(Outcome::Refused)).count(), Action::ALL.len() - 2, "all except polls and reports");
        let reads: Vec<_> = offered(None).filter(|action| action.is_read).map(|action| action.code).collect();
        assert_eq!(reads, ["audit_log"]);
    }
}
