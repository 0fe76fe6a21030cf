//! Runs of flows in the built-in backend: a client creates a run, an agent takes it and reports what happens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentScope, FlowRunId, KeyId, Name, Page, PageRequest};

/// The maximum length of the type of a state, in characters.
const MAX_STATE_CHARS: usize = 50;
/// The type of the state of a run that waits for an agent.
pub const SCHEDULED: &str = "Scheduled";
/// The type of the state of a run that an agent has taken.
pub const SUBMITTED: &str = "Submitted";

/// The type of the state of a run whose process has started.
pub const RUNNING: &str = "Running";

/// The type of a state, such as `Running`. The clients define the types, so unknown ones are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateType(String);

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// No agent has started it.
    Waiting,
    /// It runs, or its agent starts it.
    Running,
    /// It ended as it should.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Someone cancelled it.
    Cancelled,
}

impl StateType {
    /// Validates a type: 1 to 50 ASCII letters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= MAX_STATE_CHARS && text.chars().all(|c| c.is_ascii_alphabetic());
        fits.then(|| Self(text.to_owned()))
    }

    /// Returns the type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns how far a run in this state is.
    pub fn phase(&self) -> RunPhase {
        match self.0.as_str() {
            "Scheduled" | "Pending" | "Queued" | "Paused" | "Resume" => RunPhase::Waiting,
            "Success" | "Cached" | "Mapped" | "Skipped" => RunPhase::Succeeded,
            "Failed" | "TriggerFailed" | "TimedOut" | "ValidationFailed" | "Finished" | "Looped" => RunPhase::Failed,
            "Cancelled" => RunPhase::Cancelled,
            _ => RunPhase::Running,
        }
    }

    /// Whether a run in this state has ended.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase(), RunPhase::Succeeded | RunPhase::Failed | RunPhase::Cancelled)
    }

    /// Whether a run in this state waits for an agent.
    pub fn is_scheduled(&self) -> bool {
        self.0 == SCHEDULED
    }
}

/// The key with which a run was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKey {
    /// The key's id.
    pub id: KeyId,
    /// The key's name.
    pub name: Name,
}

/// A run of a flow, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRun {
    /// The run's id.
    pub id: FlowRunId,
    /// The run's name.
    pub name: String,
    /// The name of the flow.
    pub flow: String,
    /// The name of the flow's project.
    pub project: String,
    /// The type of the current state.
    pub state: StateType,
    /// The name of the agent that took it; `None` if none has, or if a client runs it without an agent.
    pub agent: Option<String>,
    /// The key with which it was taken.
    pub key: Option<RunKey>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was first reported as running.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

crate::input::inputs! {
    /// Lists the runs that agents took with some keys, newest first.
    ListFlowRuns for ListFlowRuns -> Page<FlowRun> {
        /// Whose keys; with the whole tenant, also the runs that nobody has taken.
        scope: AgentScope,
        /// The page to return.
        page: PageRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> StateType {
        StateType::parse(text).unwrap()
    }

    #[test]
    fn a_state_is_of_ascii_letters() {
        for bad in ["", "a b", "<b>", "Läuft", &"x".repeat(51)] {
            assert_eq!(StateType::parse(bad), None, "{bad:?}");
        }
        assert_eq!(state("Running").as_str(), "Running");
    }

    #[test]
    fn an_unknown_state_is_neither_waiting_nor_finished() {
        assert_eq!(state("SomethingNew").phase(), RunPhase::Running);
        assert!(!state("SomethingNew").is_finished() && !state("Cancelling").is_finished());
        assert!(state("Success").is_finished() && state("Cancelled").is_finished() && state("Failed").is_finished());
        assert!(state("Scheduled").is_scheduled() && !state("Queued").is_scheduled());
    }
}
