//! Runs of flows: creation, cancellation, the queue of agents, and the list for people.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, FlowId, FlowRun, FlowRunId, FlowTaskId, Label, ListFlowRuns, Name, Operation, Page, StateType, TaskRunId,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    backend::{Flows, conflict},
    json,
    registration::idempotency_key,
};
use crate::{
    access::{Actor, Target, authorize},
    error::Result,
    input,
    keys::agents::permit_scope,
    random,
    storage::{self, audit::Entry, db::retry, flow_runs::RunRecord},
};

/// The maximum number of runs of a tenant.
pub(crate) const MAX_RUNS: i64 = 10_000;
/// The maximum number of runs that an agent is offered at once. It writes their ids into the text of its next query.
pub const MAX_OFFERED: usize = 100;
/// How many waiting runs are read at once, and how often, to find those that an agent's labels fit.
const WAITING_AT_ONCE: u32 = 1_000;
const MAX_READS: usize = 10;
/// How long the process of a run is silent before an agent may start the run again to try a task once more. Processes that
/// wait themselves, for at most ten minutes, send a heartbeat every 30 seconds.
const SILENT_FOR: TimeDelta = TimeDelta::minutes(2);
/// How far ahead a run may be scheduled, as it would be deleted before.
const MAX_AHEAD: TimeDelta = TimeDelta::days(29);

/// A run to create.
#[derive(Clone, Debug, Default)]
pub struct CreateFlowRun {
    /// The flow's version; `None` for the current one of `group_id`.
    pub flow_id: Option<FlowId>,
    /// The id that the versions of the flow share.
    pub group_id: Option<Uuid>,
    /// The run's name; made up if `None`.
    pub name: Option<String>,
    /// The parameters: an object.
    pub parameters: Option<Value>,
    /// The context: an object.
    pub context: Option<Value>,
    /// How the agent should deploy it: an object; the flow's if `None`.
    pub run_config: Option<Value>,
    /// The labels that the agent must have; those of the `run_config` if `None`.
    pub labels: Option<Vec<String>>,
    /// When it is due; now if `None`.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Two runs of a flow with the same key are one.
    pub idempotency_key: Option<String>,
}

impl Flows<'_> {
    /// Creates a run, which waits for an agent.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `flow_run_name`, `parameters`, `context`, `run_config`, `labels`,
    /// `scheduled_start_time`, `idempotency_key`; `NOT_FOUND` without the flow; `FORBIDDEN`; `CONFLICT` if the tenant has
    /// too many runs, or the backend is off.
    #[tracing::instrument(skip_all)]
    pub async fn create_run(&self, actor: &Actor, input: &CreateFlowRun) -> Result<FlowRunId> {
        let permit = self.permit_change(actor, Operation::CreateFlowRun, None).await?;
        let now = self.context.now();
        let id = FlowRunId(random::new_id(now));
        let name = run_name(input.name.as_deref(), id)?;
        let scheduled_at = input.scheduled_at.unwrap_or(now);
        if scheduled_at - now > MAX_AHEAD {
            return Err(ApiError::field("scheduled_start_time", "Choose a time within 29 days.").into());
        }
        let parameters = json::object("parameters", input.parameters.as_ref())?;
        let context = json::object("context", input.context.as_ref())?;
        let key = idempotency_key(input.idempotency_key.as_deref())?;
        retry!(self.context.db(), tx => {
            let flow = match (input.flow_id, input.group_id) {
                (None, Some(group)) => storage::flows::find_of_group(tx, permit.tenant_id(), group).await?,
                (flow, _) => flow,
            };
            let flow_id = flow.ok_or_else(ApiError::not_found)?;
            let found = storage::flows::find_in(tx, permit.tenant_id(), flow_id).await?;
            let (details, core_version) = found.ok_or_else(ApiError::not_found)?;
            if let Some(key) = &key
                && let Some(id) = storage::flow_runs::find_by_idempotency_key(tx, flow_id, key).await?
            {
                return Ok(id);
            }
            if storage::flow_runs::count(tx, &permit).await? >= MAX_RUNS {
                return Err(conflict("This tenant has 10,000 flow runs, the maximum. Runs are deleted after 30 days."));
            }
            let (run_config, labels) = deployment(input, &details)?;
            let run = RunRecord {
                id,
                flow_id,
                name: name.to_string(),
                version: 1,
                state: json::scheduled(scheduled_at, core_version.as_deref()),
                scheduled_at,
                parameters: parameters.clone(),
                context: context.clone(),
                run_config,
                labels: storage::flow_runs::stored_labels(&labels),
                key: None,
                agent: None,
                created_at: now,
                updated_at: now,
                started_at: None,
                ended_at: None,
                log_bytes: 0,
                log_lines: 0,
            };
            if !storage::flow_runs::insert(tx, &permit, &run, key.as_deref()).await? {
                return Err(conflict("This flow run is being created. Try again."));
            }
            let pending = json::new_state("Pending", "Task run created.", None, core_version.as_deref());
            for task in storage::flows::list_task_ids(tx, flow_id).await? {
                let task_run = TaskRunId(random::new_id(now));
                storage::flow_runs::insert_task_run(tx, task_run, id, task, -1, &pending, now).await?;
            }
            let entry = Entry::by(actor, Operation::CreateFlowRun, now, ("flow_run", id.0, name.as_str()));
            storage::audit::insert(tx, &entry).await?;
            Ok(id)
        })
    }

    /// Cancels a run. One that nobody has taken is cancelled at once; otherwise its process is told to cancel it. Returns
    /// the type of its state.
    ///
    /// # Errors
    /// `NOT_FOUND`; `FORBIDDEN`; `CONFLICT` if the run has just changed, or the backend is off.
    #[tracing::instrument(skip_all)]
    pub async fn cancel_run(&self, actor: &Actor, id: FlowRunId) -> Result<StateType> {
        let permit = self.permit_change(actor, Operation::CancelFlowRun, None).await?;
        let now = self.context.now();
        retry!(self.context.db(), tx => {
            let run = storage::flow_runs::find_in(tx, permit.tenant_id(), id).await?.ok_or_else(ApiError::not_found)?;
            if run.state.kind.is_finished() {
                return Ok(run.state.kind);
            }
            let kind = if run.key.is_none() { "Cancelled" } else { "Cancelling" };
            let state = json::new_state(kind, "Flow run is cancelled.", None, None);
            if !storage::flow_runs::set_state(tx, &permit, &run, &state, None, now).await? {
                return Err(conflict("This flow run has just changed. Try again."));
            }
            let entry = Entry::by(actor, Operation::CancelFlowRun, now, ("flow_run", id.0, &run.name));
            storage::audit::insert(tx, &entry).await?;
            Ok(state.kind)
        })
    }

    /// Renames a run. Whoever may cancel runs may do so, and the flow itself.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the field `name`; `NOT_FOUND`; `FORBIDDEN`; `CONFLICT` if the backend is off.
    #[tracing::instrument(skip_all)]
    pub async fn rename_run(&self, actor: &Actor, id: FlowRunId, name: &str) -> Result<()> {
        let permit = match self.permit_report(actor) {
            Ok(permit) => permit,
            Err(_) => self.permit_change(actor, Operation::CancelFlowRun, None).await?,
        };
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        let may_rename_all =
            authorize(actor, Operation::CancelFlowRun, Target::Owner(actor.tenant_id(), actor.require_owner()?))
                .is_ok();
        retry!(self.context.db(), tx => {
            let run = storage::flow_runs::find_in(tx, permit.tenant_id(), id).await?.ok_or_else(ApiError::not_found)?;
            if !may_rename_all && run.key != actor.key_id() {
                return Err(ApiError::not_found().into());
            }
            storage::flow_runs::rename(tx, &permit, id, name.as_str()).await?;
            Ok(())
        })
    }

    /// Returns the runs that an agent with the labels may take and that are due before an instant, earliest first; at
    /// most [`MAX_OFFERED`]. Several agents may be offered the same run: the first that takes it gets it. Then those that
    /// were taken with the key, whose process has ended because a task is to be tried again much later, and whose task is
    /// due by now.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the field `labels`; `FORBIDDEN`; `CONFLICT` if the backend is off.
    pub async fn queue(&self, actor: &Actor, labels: &[String], before: DateTime<Utc>) -> Result<Vec<FlowRunId>> {
        let permit = self.permit_report(actor)?;
        let labels = Label::parse_all(labels).map_err(|error| ApiError::field("labels", error.to_string()))?;
        let (mut offered, mut after) = (Vec::new(), None);
        for _ in 0..MAX_READS {
            let waiting = storage::flow_runs::list_waiting(
                self.context.db(),
                &permit,
                actor.key_id(),
                before,
                after,
                WAITING_AT_ONCE,
            )
            .await?;
            let Some((last, at, _)) = waiting.last() else { break };
            after = Some((*at, *last));
            let fitting = waiting.iter().filter(|(_, _, needed)| has_all(&labels, needed));
            offered.extend(fitting.map(|(id, _, _)| FlowRunId(*id)).take(MAX_OFFERED - offered.len()));
            if offered.len() == MAX_OFFERED {
                break;
            }
        }
        if let Some(key) = actor.key_id().filter(|_| offered.len() < MAX_OFFERED) {
            let silent_since = self.context.now() - SILENT_FOR;
            let times = (silent_since, before.min(self.context.now()));
            let due =
                storage::flow_runs::list_retrying(self.context.db(), &permit, key, times, WAITING_AT_ONCE).await?;
            let fitting = due.iter().filter(|(_, needed)| has_all(&labels, needed));
            offered.extend(fitting.map(|(id, _)| FlowRunId(*id)).take(MAX_OFFERED - offered.len()));
        }
        Ok(offered)
    }

    /// Lists runs for people: those that were taken with some keys, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` for keys of others without the right; `NOT_FOUND` for a key that doesn't exist; `CONFLICT` if the
    /// backend is off.
    pub async fn list(&self, actor: &Actor, input: &ListFlowRuns) -> Result<Page<FlowRun>> {
        self.require_on()?;
        let permit = permit_scope(self.context, self.usage, actor, Operation::ListFlowRuns, input.scope).await?;
        storage::flow_runs::list_page(self.context.db(), &permit, input.scope, &input.page).await
    }
}

/// Whether labels contain all of those in a row.
pub(super) fn has_all(labels: &[Label], needed: &str) -> bool {
    storage::flow_runs::labels_of(needed).iter().all(|label| labels.contains(label))
}

fn run_name(name: Option<&str>, id: FlowRunId) -> Result<Name> {
    // The end of the id is random.
    let made_up = || format!("run-{}", &id.0.simple().to_string()[24..]);
    let name = name.map(str::trim).filter(|name| !name.is_empty()).map_or_else(made_up, str::to_owned);
    Ok(input::name(&name).map_err(|error| ApiError::field("flow_run_name", error.to_string()))?)
}

/// Returns how a run should be deployed, and the labels that its agent must have. `details`: those of the flow.
fn deployment(input: &CreateFlowRun, details: &str) -> Result<(String, Vec<Label>)> {
    let flow: Value = serde_json::from_str(details).unwrap_or_default();
    let given = input.run_config.as_ref().filter(|config| !config.is_null());
    let config = given.or_else(|| flow.get("run_config").filter(|config| config.is_object()));
    // Older clients have an environment instead, and no run_config at all.
    let text = match config {
        Some(_) => json::object("run_config", config)?,
        None => "null".to_owned(),
    };
    let in_config = config.unwrap_or(&flow["environment"]).get("labels").and_then(Value::as_array);
    let labels = input
        .labels
        .clone()
        .unwrap_or_else(|| in_config.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect());
    let labels = Label::parse_all(&labels).map_err(|error| ApiError::field("labels", error.to_string()))?;
    Ok((text, labels))
}

/// A task of a flow's run, by which a client finds its run.
#[derive(Clone, Copy, Debug)]
pub struct TaskOfRun {
    /// The run of the flow.
    pub run: FlowRunId,
    /// The task.
    pub task: FlowTaskId,
    /// The position of a mapped task's run; -1 otherwise.
    pub map_index: i32,
}
