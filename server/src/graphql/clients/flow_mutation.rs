//! The mutations of existing Prefect clients about projects, flows and runs.

use async_graphql::{Context, Object, Result};
use domain::{ApiError, ErrorCode};
use service::{CreateFlowProject, CreateFlowRun, LogLine, RegisterFlow, TaskOfRun};

use super::{
    compressed::decompress,
    flow_inputs::{
        CancelFlowRunInput, CancelFlowRunPayload, CreateFlowRunInput, CreateProjectInput, FlowRunStatesInput,
        HeartbeatInput, NameFlowRunInput, NameTaskRunInput, RegisterFlowInput, RunLogsInput, StatesPayload,
        TaskHeartbeatInput, TaskRunInfoInput, TaskRunStatesInput,
    },
    flow_types::TaskRun,
    mutation::named_tenant,
    types::IdPayload,
};
use crate::graphql::{
    context::{actor, id, services},
    error::refuse,
    types::SuccessPayload,
};

/// The mutations of existing Prefect clients about projects, flows and runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowMutation;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl FlowMutation {
    /// Creates a project of flows.
    async fn create_project(&self, context: &Context<'_>, input: CreateProjectInput) -> Result<Option<IdPayload>> {
        let tenant_id = input.tenant_id.as_deref().map(named_tenant).transpose()?;
        let input = CreateFlowProject { name: input.name, description: input.description, tenant_id };
        let created = services(context)?.flows().create_project(actor(context)?, &input).await.map_err(refuse)?;
        // The clients look for these words, and then use the project that there is.
        let id = created.ok_or_else(|| refuse(ApiError::new(ErrorCode::Conflict, "Uniqueness violation.")))?;
        Ok(Some(IdPayload { id: id.into() }))
    }

    /// Registers a flow, or a new version of it.
    async fn create_flow_from_compressed_string(
        &self,
        context: &Context<'_>,
        input: RegisterFlowInput,
    ) -> Result<Option<IdPayload>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let project_id = id(&input.project_id.unwrap_or_default())?;
        let compressed = input.serialized_flow;
        // Decompressing takes up to 20 ms, and would delay other requests.
        let flow = tokio::task::spawn_blocking(move || decompress(&compressed)).await;
        let flow = flow.unwrap_or(Err("The flow couldn't be read."));
        let flow = flow.map_err(|message| refuse(ApiError::field("serialized_flow", message)))?;
        let input = RegisterFlow { project_id, content: flow, idempotency_key: input.idempotency_key };
        let id = services.flows().register(actor, &input).await.map_err(refuse)?;
        Ok(Some(IdPayload { id: id.into() }))
    }

    /// Creates a run of a flow, which waits for an agent.
    async fn create_flow_run(&self, context: &Context<'_>, input: CreateFlowRunInput) -> Result<Option<IdPayload>> {
        let group = input.version_group_id.as_deref().map(id::<domain::FlowId>).transpose()?;
        let input = CreateFlowRun {
            flow_id: input.flow_id.as_deref().map(id).transpose()?,
            group_id: group.map(|group| group.0),
            name: input.flow_run_name,
            parameters: input.parameters,
            context: input.context,
            run_config: input.run_config,
            labels: input.labels,
            scheduled_at: input.scheduled_start_time.map(|at| at.0),
            idempotency_key: input.idempotency_key,
        };
        let id = services(context)?.flows().create_run(actor(context)?, &input).await.map_err(refuse)?;
        Ok(Some(IdPayload { id: id.into() }))
    }

    /// Cancels a run. One that nobody has taken is cancelled at once; otherwise its process is told to cancel it.
    async fn cancel_flow_run(
        &self,
        context: &Context<'_>,
        input: CancelFlowRunInput,
    ) -> Result<Option<CancelFlowRunPayload>> {
        let id = id(&input.flow_run_id)?;
        let state = services(context)?.flows().cancel_run(actor(context)?, id).await.map_err(refuse)?;
        Ok(Some(CancelFlowRunPayload { state: state.as_str().to_owned() }))
    }

    /// Renames a run.
    async fn set_flow_run_name(
        &self,
        context: &Context<'_>,
        input: NameFlowRunInput,
    ) -> Result<Option<SuccessPayload>> {
        let id = id(&input.flow_run_id)?;
        services(context)?.flows().rename_run(actor(context)?, id, &input.name).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Reports states of flows' runs. The first agent that reports `Submitted` takes a run; every other is refused.
    async fn set_flow_run_states(
        &self,
        context: &Context<'_>,
        input: FlowRunStatesInput,
    ) -> Result<Option<StatesPayload>> {
        let ids: Vec<String> = input.states.iter().map(|state| state.flow_run_id.clone()).collect();
        let states = input.states.into_iter().map(|state| Ok((id(&state.flow_run_id)?, state.state)));
        let states = states.collect::<Result<Vec<_>>>()?;
        let reported = services(context)?.flows().report_run_states(actor(context)?, &states).await;
        reported.map_err(|error| refuse(of_state(error)))?;
        Ok(Some(StatesPayload::accepted(ids)))
    }

    /// Reports states of tasks' runs.
    async fn set_task_run_states(
        &self,
        context: &Context<'_>,
        input: TaskRunStatesInput,
    ) -> Result<Option<StatesPayload>> {
        let ids: Vec<String> = input.states.iter().map(|state| state.task_run_id.clone()).collect();
        let states = input.states.into_iter().map(|state| Ok((id(&state.task_run_id)?, state.state)));
        let states = states.collect::<Result<Vec<_>>>()?;
        let reported = services(context)?.flows().report_task_states(actor(context)?, &states).await;
        reported.map_err(|error| refuse(of_state(error)))?;
        Ok(Some(StatesPayload::accepted(ids)))
    }

    /// Returns the run of a task, which is created if there is none.
    async fn get_or_create_task_run_info(
        &self,
        context: &Context<'_>,
        input: TaskRunInfoInput,
    ) -> Result<Option<TaskRun>> {
        let of = TaskOfRun {
            run: id(&input.flow_run_id)?,
            task: id(&input.task_id)?,
            map_index: input.map_index.unwrap_or(-1),
        };
        let run = services(context)?.flows().task_run(actor(context)?, of).await.map_err(refuse)?;
        Ok(Some(run.into()))
    }

    /// Names the run of a task.
    async fn set_task_run_name(
        &self,
        context: &Context<'_>,
        input: NameTaskRunInput,
    ) -> Result<Option<SuccessPayload>> {
        let id = id(&input.task_run_id)?;
        services(context)?.flows().rename_task_run(actor(context)?, id, &input.name).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Records that a run's process is alive.
    async fn update_flow_run_heartbeat(
        &self,
        context: &Context<'_>,
        input: HeartbeatInput,
    ) -> Result<Option<SuccessPayload>> {
        services(context)?.flows().beat(actor(context)?, id(&input.flow_run_id)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Records that the process of a task's run is alive.
    async fn update_task_run_heartbeat(
        &self,
        context: &Context<'_>,
        input: TaskHeartbeatInput,
    ) -> Result<Option<SuccessPayload>> {
        services(context)?.flows().beat_task(actor(context)?, id(&input.task_run_id)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Appends lines to the logs of runs, of which 1 MB each is kept.
    async fn write_run_logs(&self, context: &Context<'_>, input: RunLogsInput) -> Result<Option<SuccessPayload>> {
        let services = services(context)?;
        let now = services.now();
        let mut lines = Vec::with_capacity(input.logs.len());
        for line in input.logs {
            let run = id(&line.flow_run_id.unwrap_or_default())?;
            let task_run_id = line.task_run_id.and_then(|id| id.parse().ok());
            let at = line.timestamp.map_or(now, |at| at.0);
            let (name, level) = (line.name.unwrap_or_default(), line.level.unwrap_or_else(|| "INFO".to_owned()));
            lines.push((run, LogLine { task_run_id, at, name, level, message: line.message.unwrap_or_default() }));
        }
        services.flows().write_logs(actor(context)?, lines).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }
}

/// Begins the message of a refused state with words that the agents look for: without them, an agent that comes too late
/// would report the run as failed.
fn of_state(error: service::Error) -> ApiError {
    let error = ApiError::from(error);
    match error.code {
        ErrorCode::Conflict => ApiError { message: format!("State update failed: {}", error.message), ..error },
        _ => error,
    }
}
