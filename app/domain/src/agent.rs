//! Agents: long-running clients that authenticate with a key and hand it to the flows that they start.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentId, ApiKey, KeyId, KeyState, Name};

/// An agent counts as silent after three missed polls. Agents poll at least every 10 seconds.
pub const SILENT_AFTER: TimeDelta = TimeDelta::seconds(30);
/// The maximum number of labels of an agent.
pub const MAX_LABELS: usize = 100;
/// The maximum length of a label, in characters. Long enough for a host name.
pub const MAX_LABEL_CHARS: usize = 255;

/// An agent, as it described itself when it started, and when it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The id. An agent keeps it when it restarts in the same place with the same key and labels.
    pub id: AgentId,
    /// The key that it uses.
    pub key: ApiKey,
    /// The name that the agent reports.
    pub name: Name,
    /// The kind of agent, such as `LocalAgent`.
    pub kind: Name,
    /// The labels of the runs that it accepts, sorted.
    pub labels: Vec<Label>,
    /// The client's version.
    pub version: Option<String>,
    /// The IP address that it registered from.
    pub address: Option<String>,
    /// When it first started.
    pub first_seen_at: DateTime<Utc>,
    /// When it last started or polled.
    pub last_seen_at: DateTime<Utc>,
}

/// The state of an agent, derived from its key and its polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// The agent polls.
    Polling,
    /// The agent has stopped polling.
    Silent {
        /// When it last polled.
        since: DateTime<Utc>,
    },
    /// The agent's key is rejected. The agent may keep polling, but receives nothing.
    CutOff {
        /// When its key stopped working.
        since: DateTime<Utc>,
    },
}

impl AgentState {
    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Polling => "Polling",
            Self::Silent { .. } => "No heartbeat",
            Self::CutOff { .. } => "Rejected",
        }
    }

    /// Returns the code used in the APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Silent { .. } => "silent",
            Self::CutOff { .. } => "cut_off",
        }
    }
}

impl Agent {
    /// Returns the state at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> AgentState {
        match self.key.state(now) {
            KeyState::Revoked { at, .. } | KeyState::Expired { at } | KeyState::Suspended { at, .. } => {
                AgentState::CutOff { since: at }
            }
            KeyState::Active | KeyState::ExpiringSoon { .. } | KeyState::Rotating { .. } => {
                if now - self.last_seen_at > SILENT_AFTER {
                    AgentState::Silent { since: self.last_seen_at }
                } else {
                    AgentState::Polling
                }
            }
        }
    }
}

/// A label of 1–255 characters after trimming, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(String);

/// A text isn't a valid label, or there are too many labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Use at most 100 labels, each with 1 to 255 visible characters.")]
pub struct LabelError;

impl Label {
    /// Trims and validates labels. Returns them sorted and without duplicates.
    ///
    /// # Errors
    /// If a label is empty, too long, or contains a control character or an API key's token, or if there are more than
    /// [`MAX_LABELS`].
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, LabelError> {
        if texts.len() > MAX_LABELS {
            return Err(LabelError);
        }
        let mut labels = texts.iter().map(|text| Self::parse(text)).collect::<Result<Vec<_>, _>>()?;
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    fn parse(text: &str) -> Result<Self, LabelError> {
        let text = text.trim();
        let fits = !crate::secret::contains_token(text)
            && !text.is_empty()
            && text.chars().count() <= MAX_LABEL_CHARS
            && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(LabelError) }
    }

    /// Returns the label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Selects whose agents a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentScope {
    /// All agents of the tenant.
    #[default]
    Tenant,
    /// The agents that use a key of this owner.
    Owner(crate::Owner),
    /// The agents that use this key.
    Key(KeyId),
}

crate::input::inputs! {
    /// Lists agents and when they were last seen.
    ListAgents for ListAgents -> Vec<Agent> {
        /// Whose agents to list.
        scope: AgentScope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn labels_are_sorted_and_deduplicated() {
        let labels = Label::parse_all(&texts(&["b", " a ", "b"])).unwrap();
        assert_eq!(labels.iter().map(Label::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn empty_long_and_unprintable_labels_are_refused_and_so_are_too_many() {
        for bad in ["", " ", "a\nb", &"x".repeat(256)] {
            assert_eq!(Label::parse_all(&texts(&[bad])), Err(LabelError), "{bad:?}");
        }
        assert!(Label::parse_all(&vec!["x".to_owned(); 100]).is_ok());
        assert_eq!(Label::parse_all(&vec!["x".to_owned(); 101]), Err(LabelError));
    }

    #[test]
    fn an_agent_is_silent_after_three_missed_polls_and_cut_off_with_its_key() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(9);
        let agent = |last_seen_at, key| Agent {
            id: AgentId(uuid::Uuid::nil()),
            key,
            name: Name::parse("agent").unwrap(),
            kind: Name::parse("LocalAgent").unwrap(),
            labels: Vec::new(),
            version: None,
            address: None,
            first_seen_at: DateTime::UNIX_EPOCH,
            last_seen_at,
        };
        let key = crate::api_key::key::tests::key();
        assert_eq!(agent(now - SILENT_AFTER, key.clone()).state(now), AgentState::Polling);
        let since = now - SILENT_AFTER - TimeDelta::seconds(1);
        assert_eq!(agent(since, key.clone()).state(now), AgentState::Silent { since });
        let revoked = ApiKey { revocation: Some(crate::api_key::key::tests::revocation(now)), ..key };
        assert_eq!(agent(now, revoked).state(now), AgentState::CutOff { since: now });
    }
}
