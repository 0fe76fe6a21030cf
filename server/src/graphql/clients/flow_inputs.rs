//! What clients send about projects, flows and runs. Objects that only the clients read are JSON.

use async_graphql::{ID, InputObject, SimpleObject};
use serde_json::Value;

use crate::graphql::scalars::Timestamp;

/// Input for `create_project`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_project_input", rename_fields = "snake_case")]
pub struct CreateProjectInput {
    /// The project's name, unique in the tenant.
    pub name: String,
    /// What the project is for.
    pub description: Option<String>,
    /// The id of the key's tenant. Any other is rejected.
    pub tenant_id: Option<String>,
}

/// Input for `create_flow_from_compressed_string`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_flow_from_compressed_string_input", rename_fields = "snake_case")]
pub struct RegisterFlowInput {
    /// The flow in JSON, compressed by gzip, in base64.
    pub serialized_flow: String,
    /// The id of the project.
    pub project_id: Option<String>,
    /// Two registrations with the same key are one, unless there was another in between.
    pub idempotency_key: Option<String>,
    /// Ignored: nothing is scheduled.
    pub set_schedule_active: Option<bool>,
    /// Ignored: versions of a flow have the same name in the same project.
    pub version_group_id: Option<String>,
}

/// Input for `create_flow_run`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_flow_run_input", rename_fields = "snake_case")]
pub struct CreateFlowRunInput {
    /// The id of the flow.
    pub flow_id: Option<String>,
    /// The flow group's id, for its current version, if there is no `flow_id`.
    pub version_group_id: Option<String>,
    /// Two runs of a flow with the same key are one.
    pub idempotency_key: Option<String>,
    /// The parameters: an object.
    pub parameters: Option<Value>,
    /// The context: an object.
    pub context: Option<Value>,
    /// How the agent should deploy the run; as the flow says if null.
    pub run_config: Option<Value>,
    /// The labels that the agent must have; those of `run_config` if null.
    pub labels: Option<Vec<String>>,
    /// When the run is due; now if null.
    pub scheduled_start_time: Option<Timestamp>,
    /// The run's name; made up if null.
    pub flow_run_name: Option<String>,
}

/// Input for `cancel_flow_run`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "cancel_flow_run_input", rename_fields = "snake_case")]
pub struct CancelFlowRunInput {
    /// The id of the run.
    pub flow_run_id: String,
}

/// The result of `cancel_flow_run`.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "cancel_flow_run_payload", rename_fields = "snake_case")]
pub struct CancelFlowRunPayload {
    /// The type of the run's state.
    pub state: String,
}

/// Input for `set_flow_run_name`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_flow_run_name_input", rename_fields = "snake_case")]
pub struct NameFlowRunInput {
    /// The id of the run.
    pub flow_run_id: String,
    /// The new name.
    pub name: String,
}

/// Input for `set_task_run_name`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_task_run_name_input", rename_fields = "snake_case")]
pub struct NameTaskRunInput {
    /// The id of the run.
    pub task_run_id: String,
    /// The new name.
    pub name: String,
}

/// A state of a flow's run.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_flow_run_state_input", rename_fields = "snake_case")]
pub struct FlowRunStateInput {
    /// The id of the run.
    pub flow_run_id: String,
    /// The state: an object with a `type`.
    pub state: Value,
    /// Ignored: versions aren't compared.
    pub version: Option<i32>,
}

/// Input for `set_flow_run_states`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_flow_run_states_input", rename_fields = "snake_case")]
pub struct FlowRunStatesInput {
    /// The states; at most 100.
    pub states: Vec<FlowRunStateInput>,
}

/// A state of a task's run.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_task_run_state_input", rename_fields = "snake_case")]
pub struct TaskRunStateInput {
    /// The id of the run.
    pub task_run_id: String,
    /// The state: an object with a `type`.
    pub state: Value,
    /// Ignored: versions aren't compared.
    pub version: Option<i32>,
}

/// Input for `set_task_run_states`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_task_run_states_input", rename_fields = "snake_case")]
pub struct TaskRunStatesInput {
    /// The states; at most 100.
    pub states: Vec<TaskRunStateInput>,
}

/// The result of one state.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "set_state_result", rename_fields = "snake_case")]
pub struct StateResult {
    /// The id of the run.
    pub id: ID,
    /// Always `SUCCESS`.
    pub status: String,
    /// Always null.
    pub message: Option<String>,
}

/// The results of `set_flow_run_states` and `set_task_run_states`.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "set_states_payload", rename_fields = "snake_case")]
pub struct StatesPayload {
    /// One for each state.
    pub states: Vec<StateResult>,
}

impl StatesPayload {
    /// Returns the results of states that were all accepted. `ids`: those of the runs.
    pub(super) fn accepted(ids: impl IntoIterator<Item = String>) -> Self {
        let accepted = |id| StateResult { id: ID(id), status: "SUCCESS".to_owned(), message: None };
        Self { states: ids.into_iter().map(accepted).collect() }
    }
}

/// Input for `get_or_create_task_run_info`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "get_or_create_task_run_info_input", rename_fields = "snake_case")]
pub struct TaskRunInfoInput {
    /// The id of the flow's run.
    pub flow_run_id: String,
    /// The id of the task.
    pub task_id: String,
    /// The position of a mapped task's run; -1 or null if it isn't mapped.
    pub map_index: Option<i32>,
}

/// Input for `update_flow_run_heartbeat`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "update_flow_run_heartbeat_input", rename_fields = "snake_case")]
pub struct HeartbeatInput {
    /// The id of the run.
    pub flow_run_id: String,
}

/// Input for `update_task_run_heartbeat`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "update_task_run_heartbeat_input", rename_fields = "snake_case")]
pub struct TaskHeartbeatInput {
    /// The id of the run.
    pub task_run_id: String,
}

/// A line of a log.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "run_log_input", rename_fields = "snake_case")]
pub struct RunLogInput {
    /// The id of the flow's run.
    pub flow_run_id: Option<String>,
    /// The id of the task's run.
    pub task_run_id: Option<String>,
    /// When it was written; now if null.
    pub timestamp: Option<Timestamp>,
    /// The name of the logger.
    pub name: Option<String>,
    /// The level; `INFO` if null.
    pub level: Option<String>,
    /// The text.
    pub message: Option<String>,
    /// Ignored.
    pub info: Option<Value>,
}

/// Input for `write_run_logs`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "write_run_logs_input", rename_fields = "snake_case")]
pub struct RunLogsInput {
    /// The lines.
    pub logs: Vec<RunLogInput>,
}
