//! What agents and flows report on a run: states, heartbeats and logs. Only the key that took the run may do so.

use chrono::{DateTime, Utc};
use domain::{
    AgentId, ApiError, FlowRunId, KeyId, Operation, StateType, TaskRunId, flow_run::SUBMITTED, secret::without_tokens,
};
use serde_json::Value;

use super::{
    backend::{Flows, conflict},
    json,
    runs::{TaskOfRun, has_all},
};
use crate::{
    access::{Actor, Target, WritePermit, authorize},
    error::Result,
    random,
    storage::{
        self, Tx,
        db::retry,
        flow_runs::{LogLine, RunRecord, Taker, TaskRunRecord},
    },
};

/// The maximum number of states in a report.
const MAX_STATES: usize = 100;
/// The maximum number of runs of tasks of a flow's run.
const MAX_TASK_RUNS: i64 = 5_000;
/// How many bytes of a run's log are kept.
pub(crate) const MAX_LOG_BYTES: i64 = 1_024 * 1_024;
/// How many bytes each line counts in addition to its texts.
const LINE_BYTES: usize = 64;
/// The line that follows the last one that was kept.
const DROPPED: &str = "Latchkey keeps 1 MB of a run's log. It dropped the rest.";

/// How a report changes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It takes the run.
    Take,
    /// The run continues.
    Continue,
    /// The run has this state already.
    Repeat,
}

/// Decides whether a client may report a state of a run.
fn step_of(run: &RunRecord, key: KeyId, agent: Option<AgentId>, next: &StateType) -> Result<Step> {
    let is_own = run.key == Some(key) && (agent.is_none() || run.agent.is_none() || agent == run.agent);
    if run.state.kind.is_finished() {
        // A client sends its last report again if it got no answer.
        return if is_own && run.state.kind == *next {
            Ok(Step::Repeat)
        } else {
            Err(conflict("This flow run has ended."))
        };
    }
    if run.key.is_none() {
        return Ok(if next.phase() == domain::RunPhase::Waiting { Step::Continue } else { Step::Take });
    }
    // Two agents may have been offered the run. Only the first of them takes it.
    let is_late = next.as_str() == SUBMITTED && !run.state.kind.is_scheduled();
    if is_own && !is_late { Ok(Step::Continue) } else { Err(conflict("Another agent has taken this flow run.")) }
}

impl Flows<'_> {
    /// Reports states of flows' runs: all of them or, if one is refused, none. A run that nobody has taken is taken by the
    /// first report that isn't about waiting: by an agent with its labels or, without an agent, by a client that may
    /// create runs.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the field `state`; `NOT_FOUND`; `FORBIDDEN`; `CONFLICT` if another agent has taken the run,
    /// or it has ended, or the backend is off.
    pub async fn report_run_states(&self, actor: &Actor, reports: &[(FlowRunId, Value)]) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let now = self.context.now();
        let key = require_key(actor)?;
        let reports = parsed(reports, now)?;
        retry!(self.context.db(), tx => {
            for (id, state) in &reports {
                let run = find_run(tx, &permit, *id).await?;
                let agent = actor.client().agent_id;
                let step = step_of(&run, key, agent, &state.kind)?;
                let taker = match step {
                    Step::Repeat => continue,
                    Step::Continue => None,
                    Step::Take => Some(take(tx, actor, &run, key).await?),
                };
                if !storage::flow_runs::set_state(tx, &permit, &run, state, taker.as_ref(), now).await? {
                    return Err(conflict("This flow run has just changed."));
                }
            }
            Ok(())
        })
    }

    /// Reports states of tasks' runs: all of them or, if one is refused, none.
    ///
    /// # Errors
    /// As [`Flows::report_run_states`].
    pub async fn report_task_states(&self, actor: &Actor, reports: &[(TaskRunId, Value)]) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let now = self.context.now();
        let key = require_key(actor)?;
        let reports = parsed(reports, now)?;
        retry!(self.context.db(), tx => {
            for (id, state) in &reports {
                let task = find_task_run(tx, &permit, key, *id).await?;
                if state.kind.as_str() == SUBMITTED {
                    // An agent starts the run again, because a task of it is due. No other may do so now.
                    if task.state.kind == state.kind {
                        return Err(conflict("Another agent has taken this task run."));
                    }
                    storage::flow_runs::beat(tx, &permit, task.flow_run_id, key, now).await?;
                }
                if !storage::flow_runs::set_task_state(tx, &task, state, now).await? {
                    return Err(conflict("This task run has just changed."));
                }
            }
            Ok(())
        })
    }

    /// Returns the run of a task of a flow's run. Creates it if there is none, as for each part of a mapped task.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key has taken no such run, or its flow has no such task; `CONFLICT` if it has too many runs of
    /// tasks, or the backend is off.
    pub async fn task_run(&self, actor: &Actor, of: TaskOfRun) -> Result<TaskRunRecord> {
        let permit = self.permit_report(actor)?;
        let now = self.context.now();
        let key = require_key(actor)?;
        let pending = json::new_state("Pending", "Task run created.", None, None);
        let index = i64::from(of.map_index.max(-1));
        retry!(self.context.db(), tx => {
            let run = own_run(tx, &permit, key, of.run).await?;
            if let Some(found) = storage::flow_runs::find_task_run(tx, run.id, of.task, index).await? {
                return Ok(found);
            }
            if !storage::flow_runs::is_task_of(tx, of.task, run.flow_id).await? {
                return Err(ApiError::not_found().into());
            }
            if storage::flow_runs::count_task_runs(tx, run.id).await? >= MAX_TASK_RUNS {
                return Err(conflict("A flow run has at most 5,000 task runs here."));
            }
            let id = TaskRunId(random::new_id(now));
            storage::flow_runs::insert_task_run(tx, id, run.id, of.task, index, &pending, now).await?;
            let found = storage::flow_runs::find_task_run(tx, run.id, of.task, index).await?;
            Ok(found.ok_or_else(ApiError::not_found)?)
        })
    }

    /// Records that a run's process is alive.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key has taken no such run; `CONFLICT` if the backend is off.
    pub async fn beat(&self, actor: &Actor, id: FlowRunId) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let (now, key) = (self.context.now(), require_key(actor)?);
        let is_known = retry!(self.context.db(), tx => storage::flow_runs::beat(tx, &permit, id, key, now).await)?;
        if is_known { Ok(()) } else { Err(ApiError::not_found().into()) }
    }

    /// Like [`Flows::beat`], while the process waits to try a task again.
    ///
    /// # Errors
    /// As [`Flows::beat`].
    pub async fn beat_task(&self, actor: &Actor, id: TaskRunId) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let (now, key) = (self.context.now(), require_key(actor)?);
        retry!(self.context.db(), tx => {
            let task = find_task_run(tx, &permit, key, id).await?;
            storage::flow_runs::beat(tx, &permit, task.flow_run_id, key, now).await?;
            Ok(())
        })
    }

    /// Names the run of a task. At most 255 characters are kept.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key has taken no such run; `CONFLICT` if it has ended, or the backend is off.
    pub async fn rename_task_run(&self, actor: &Actor, id: TaskRunId, name: &str) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let key = require_key(actor)?;
        let name = plain(name, 255);
        retry!(self.context.db(), tx => {
            let task = find_task_run(tx, &permit, key, id).await?;
            storage::flow_runs::rename_task_run(tx, task.id, &name).await
        })
    }

    /// Appends lines to the logs of runs. Keeps 1 MB of each log, and removes tokens.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key has taken no such run; `CONFLICT` if the backend is off.
    pub async fn write_logs(&self, actor: &Actor, lines: Vec<(FlowRunId, LogLine)>) -> Result<()> {
        let permit = self.permit_report(actor)?;
        let (now, key) = (self.context.now(), require_key(actor)?);
        let mut runs: Vec<(FlowRunId, Vec<LogLine>)> = Vec::new();
        for (id, line) in lines {
            match runs.iter().position(|(run, _)| *run == id) {
                Some(at) => runs[at].1.push(cleaned(line)),
                None => runs.push((id, vec![cleaned(line)])),
            }
        }
        if runs.len() > MAX_STATES {
            return Err(too_many());
        }
        retry!(self.context.db(), tx => {
            for (id, lines) in &runs {
                storage::flow_runs::lock(tx, &permit, *id).await?;
                let run = own_run(tx, &permit, key, *id).await?;
                let (kept, bytes) = within_limit(run.log_bytes, lines, now);
                if bytes != run.log_bytes {
                    storage::flow_runs::append_log(tx, &permit, &run, &kept, bytes).await?;
                }
            }
            Ok(())
        })
    }
}

fn require_key(actor: &Actor) -> Result<KeyId> {
    Ok(actor.key_id().ok_or_else(ApiError::unauthenticated)?)
}

fn too_many() -> crate::error::Error {
    ApiError::field("states", "Report at most 100 states or logs at once.").into()
}

fn parsed<Id: Copy>(reports: &[(Id, Value)], now: DateTime<Utc>) -> Result<Vec<(Id, storage::flow_runs::RunState)>> {
    if reports.len() > MAX_STATES {
        return Err(too_many());
    }
    reports.iter().map(|(id, state)| Ok((*id, json::state(state, now)?))).collect()
}

async fn find_run(tx: &mut Tx, permit: &WritePermit, id: FlowRunId) -> Result<RunRecord> {
    let run = storage::flow_runs::find_in(tx, permit.tenant_id(), id).await?;
    Ok(run.ok_or_else(ApiError::not_found)?)
}

/// Finds a run that was taken with a key.
async fn own_run(tx: &mut Tx, permit: &WritePermit, key: KeyId, id: FlowRunId) -> Result<RunRecord> {
    let run = find_run(tx, permit, id).await?;
    if run.key == Some(key) { Ok(run) } else { Err(ApiError::not_found().into()) }
}

/// Finds the run of a task of a flow's run that was taken with a key and hasn't ended.
async fn find_task_run(tx: &mut Tx, permit: &WritePermit, key: KeyId, id: TaskRunId) -> Result<TaskRunRecord> {
    let task = storage::flow_runs::find_task_run_by_id(tx, id).await?.ok_or_else(ApiError::not_found)?;
    let run = own_run(tx, permit, key, task.flow_run_id).await?;
    if run.state.kind.is_finished() { Err(conflict("This flow run has ended.")) } else { Ok(task) }
}

/// Checks that the actor may take a run that nobody has taken.
async fn take(tx: &mut Tx, actor: &Actor, run: &RunRecord, key: KeyId) -> Result<Taker> {
    let agent = actor.client().agent_id;
    let known = match agent {
        Some(agent) => storage::flow_runs::find_agent(tx, agent, key).await?,
        None => None,
    };
    let Some((name, labels)) = known else {
        let own = Target::Owner(actor.tenant_id(), actor.require_owner()?);
        authorize(actor, Operation::CreateFlowRun, own)?;
        return Ok(Taker { key, agent: None, agent_name: None });
    };
    if !has_all(&storage::flow_runs::labels_of(&labels), &run.labels) {
        return Err(conflict("The agent lacks a label of this flow run."));
    }
    Ok(Taker { key, agent, agent_name: Some(name) })
}

fn plain(text: &str, most: usize) -> String {
    without_tokens(text).chars().filter(|c| !c.is_control()).take(most).collect()
}

fn cleaned(line: LogLine) -> LogLine {
    LogLine {
        name: plain(&line.name, 100),
        level: plain(&line.level, 20),
        message: without_tokens(&line.message).replace('\0', ""),
        ..line
    }
}

/// Returns the lines that a log still keeps, and how many bytes it then has. A log that is full has more than it keeps.
fn within_limit(mut bytes: i64, lines: &[LogLine], now: DateTime<Utc>) -> (Vec<LogLine>, i64) {
    let mut kept = Vec::new();
    for line in lines {
        if bytes > MAX_LOG_BYTES {
            break;
        }
        let size = line.message.len() + line.name.len() + line.level.len() + LINE_BYTES;
        let after = bytes.saturating_add(i64::try_from(size).unwrap_or(i64::MAX));
        if after > MAX_LOG_BYTES {
            let (name, level) = ("latchkey".to_owned(), "WARNING".to_owned());
            kept.push(LogLine { task_run_id: None, at: now.max(line.at), name, level, message: DROPPED.to_owned() });
            return (kept, MAX_LOG_BYTES + 1);
        }
        kept.push(line.clone());
        bytes = after;
    }
    (kept, bytes)
}

#[cfg(test)]
mod tests {
    use domain::FlowId;
    use uuid::Uuid;

    use super::*;

    const KEY: KeyId = KeyId(Uuid::from_u128(1));
    const OTHER: KeyId = KeyId(Uuid::from_u128(2));
    const AGENT: AgentId = AgentId(Uuid::from_u128(3));
    const SECOND: AgentId = AgentId(Uuid::from_u128(4));

    fn run(state: &str, key: Option<KeyId>, agent: Option<AgentId>) -> RunRecord {
        let at = DateTime::UNIX_EPOCH;
        RunRecord {
            id: FlowRunId(Uuid::nil()),
            flow_id: FlowId(Uuid::nil()),
            name: "run".to_owned(),
            version: 1,
            state: json::new_state(state, "", None, None),
            scheduled_at: at,
            parameters: "{}".to_owned(),
            context: "{}".to_owned(),
            run_config: "{}".to_owned(),
            labels: "[]".to_owned(),
            key,
            agent,
            created_at: at,
            updated_at: at,
            started_at: None,
            ended_at: None,
            log_bytes: 0,
            log_lines: 0,
        }
    }

    fn step(run: &RunRecord, key: KeyId, agent: Option<AgentId>, next: &str) -> Option<Step> {
        step_of(run, key, agent, &StateType::parse(next).unwrap()).ok()
    }

    #[test]
    fn the_first_agent_takes_a_run_and_no_other_agent_reports_on_it() {
        let waiting = run("Scheduled", None, None);
        assert_eq!(step(&waiting, KEY, Some(AGENT), "Submitted"), Some(Step::Take));
        assert_eq!(step(&waiting, KEY, Some(AGENT), "Scheduled"), Some(Step::Continue));
        let taken = run("Submitted", Some(KEY), Some(AGENT));
        for (key, agent) in [(OTHER, Some(SECOND)), (OTHER, None), (KEY, Some(SECOND))] {
            for next in ["Submitted", "Running", "Failed"] {
                assert_eq!(step(&taken, key, agent, next), None, "{key} {agent:?} {next}");
            }
        }
        assert_eq!(step(&taken, KEY, Some(AGENT), "Submitted"), None, "a second process with the same identity");
        assert_eq!(step(&taken, KEY, Some(AGENT), "Failed"), Some(Step::Continue));
        assert_eq!(step(&taken, KEY, None, "Running"), Some(Step::Continue), "the flow's process");
    }

    #[test]
    fn a_run_that_has_ended_stays_as_it_is() {
        let ended = run("Success", Some(KEY), Some(AGENT));
        assert_eq!(step(&ended, KEY, None, "Success"), Some(Step::Repeat));
        assert_eq!(step(&ended, OTHER, None, "Success"), None);
        assert_eq!(step(&ended, KEY, None, "Running"), None);
        assert_eq!(step(&run("Cancelled", None, None), KEY, Some(AGENT), "Submitted"), None);
    }

    #[test]
    fn a_log_keeps_a_megabyte_and_says_once_that_it_dropped_the_rest() {
        let at = DateTime::UNIX_EPOCH;
        let line = |length: usize| LogLine {
            task_run_id: None,
            at,
            name: String::new(),
            level: String::new(),
            message: "x".repeat(length),
        };
        let (kept, bytes) = within_limit(0, &[line(100), line(100)], at);
        assert_eq!((kept.len(), bytes), (2, 328));
        let (kept, bytes) = within_limit(bytes, &[line(1), line(2_000_000), line(1)], at);
        assert_eq!(kept.iter().map(|line| line.message.len()).collect::<Vec<_>>(), [1, DROPPED.len()]);
        assert!(bytes > MAX_LOG_BYTES);
        assert_eq!(within_limit(bytes, &[line(1)], at).0.len(), 0);
    }
}
