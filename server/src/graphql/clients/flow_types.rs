//! Projects, flows and runs, as clients read them.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use domain::ApiError;
use serde_json::{Value, json};
use service::{
    FlowColumn, FlowFilter, FlowProject, FlowRecord, FlowTaskRecord, FlowTest, FlowValue, RunRecord, TaskRunRecord,
};

use super::flow_filters::{FlowColumnName, LogFilter, LogOrder, StateFilter, StateOrder, TaskRunFilter, newest_first};
use crate::graphql::{
    context::{ResponseBytes, actor, services},
    error::refuse,
    scalars::{Time, Timestamp},
};

/// Parses JSON that was stored. It was valid then.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Counts bytes of a response.
///
/// # Errors
/// If the response has too many.
fn count(context: &Context<'_>, bytes: usize) -> Result<()> {
    if context.data::<ResponseBytes>()?.take(bytes) {
        return Ok(());
    }
    Err(refuse(ApiError::field("limit", "The response would be longer than 16 MB. Ask for less at once.")))
}

/// A project of flows.
pub struct Project(pub(super) FlowProject);

/// A project of flows.
#[Object(name = "project", rename_fields = "snake_case", rename_args = "snake_case")]
impl Project {
    /// The project's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The project's name, unique in the tenant.
    async fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// What the project is for.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// When the project was created.
    async fn created(&self) -> Timestamp {
        self.0.created_at.into()
    }

    /// The number of the project's flows.
    async fn flows_aggregate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Counts each name once")] distinct_on: Option<Vec<FlowColumnName>>,
    ) -> Result<Option<FlowsAggregate>> {
        let distinct = distinct_on.is_some_and(|columns| !columns.is_empty());
        let flows = services(context)?.flows();
        let count = flows.count_of_project(actor(context)?, self.0.id, distinct).await.map_err(refuse)?;
        Ok(Some(FlowsAggregate { aggregate: FlowsCount { count } }))
    }
}

/// Numbers of flows.
#[derive(Clone, Copy, Debug, SimpleObject)]
#[graphql(name = "flow_aggregate", rename_fields = "snake_case")]
pub struct FlowsAggregate {
    /// The numbers.
    pub aggregate: FlowsCount,
}

/// A number of flows.
#[derive(Clone, Copy, Debug, SimpleObject)]
#[graphql(name = "flow_aggregate_fields", rename_fields = "snake_case")]
pub struct FlowsCount {
    /// The number.
    pub count: i64,
}

/// What the versions of a flow share.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "flow_group", rename_fields = "snake_case")]
pub struct FlowGroup {
    /// The group's id.
    pub id: ID,
    /// Always null: labels are those of the flow's `run_config`.
    pub labels: Option<Value>,
}

/// A version of a flow.
pub struct Flow {
    record: FlowRecord,
    details: Value,
}

impl From<FlowRecord> for Flow {
    fn from(record: FlowRecord) -> Self {
        Self { details: parse(&record.details), record }
    }
}

impl Flow {
    fn detail(&self, name: &str) -> Option<Value> {
        self.details.get(name).filter(|value| !value.is_null()).cloned()
    }
}

/// A version of a flow.
#[Object(name = "flow", rename_fields = "snake_case", rename_args = "snake_case")]
impl Flow {
    /// The version's id.
    async fn id(&self) -> ID {
        self.record.id.into()
    }

    /// The flow's name, unique in its project.
    async fn name(&self) -> &str {
        self.record.name.as_str()
    }

    /// The number of the version, from 1.
    async fn version(&self) -> i64 {
        self.record.version
    }

    /// The version of the client that registered it.
    async fn core_version(&self) -> Option<&str> {
        self.record.core_version.as_deref()
    }

    /// What the flow does.
    async fn description(&self) -> Option<Value> {
        self.detail("description")
    }

    /// Where the flow's code is.
    async fn storage(&self) -> Option<Value> {
        self.detail("storage")
    }

    /// How older clients deploy the flow.
    async fn environment(&self) -> Option<Value> {
        self.detail("environment")
    }

    /// How the flow is deployed.
    async fn run_config(&self) -> Option<Value> {
        self.detail("run_config")
    }

    /// The flow's parameters.
    async fn parameters(&self) -> Option<Value> {
        self.detail("parameters")
    }

    /// The flow as its client sent it.
    async fn serialized_flow(&self, context: &Context<'_>) -> Result<Option<Value>> {
        let flows = services(context)?.flows();
        let flow = flows.flow_content(actor(context)?, self.record.id).await.map_err(refuse)?;
        let Some(flow) = flow else { return Ok(None) };
        count(context, flow.len())?;
        Ok(Some(parse(&flow)))
    }

    /// What clients ask before they run the flow: that they send heartbeats, and that versions of states aren't compared.
    async fn settings(&self) -> Value {
        json!({ "heartbeat_enabled": true, "lazarus_enabled": false, "version_locking_enabled": false })
    }

    /// Whether a newer version replaced it.
    async fn archived(&self) -> bool {
        self.record.archived_at.is_some()
    }

    /// When it was registered.
    async fn created(&self) -> Timestamp {
        self.record.created_at.into()
    }

    /// The id that the versions of the flow share.
    async fn flow_group_id(&self) -> ID {
        ID(self.record.group_id.to_string())
    }

    /// What the versions of the flow share.
    async fn flow_group(&self) -> FlowGroup {
        FlowGroup { id: ID(self.record.group_id.to_string()), labels: None }
    }

    /// The project.
    async fn project(&self) -> Project {
        Project(self.record.project.clone())
    }

    /// The tasks.
    async fn tasks(&self, context: &Context<'_>) -> Result<Option<Vec<FlowTask>>> {
        let of_flow = FlowTest::Equal(FlowValue::Id(Some(self.record.id.0)));
        let filter = FlowFilter::Is(FlowColumn::FlowId, of_flow);
        let tasks = services(context)?.flows().tasks(actor(context)?, &filter, &[], None).await.map_err(refuse)?;
        Ok(Some(tasks.into_iter().map(FlowTask::from).collect()))
    }
}

/// A task of a flow.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "task", rename_fields = "snake_case")]
pub struct FlowTask {
    /// The task's id.
    pub id: ID,
    /// The name by which clients find the task in the flow.
    pub slug: String,
    /// The task's name.
    pub name: String,
    /// When the flow was registered.
    pub created: Timestamp,
    /// What the task does.
    pub description: Option<Value>,
    /// The class of the task.
    pub r#type: Option<Value>,
    /// How often the task is tried again.
    pub max_retries: Option<Value>,
    /// The seconds between two tries.
    pub retry_delay: Option<Value>,
    /// Whether the task runs once for each item of a list.
    pub mapped: bool,
    /// The flow.
    pub flow: FlowOfTask,
}

/// The flow of a task.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "flow_of_task", rename_fields = "snake_case")]
pub struct FlowOfTask {
    /// The flow's name.
    pub name: String,
    /// The number of the flow's version.
    pub version: i64,
}

impl From<FlowTaskRecord> for FlowTask {
    fn from(task: FlowTaskRecord) -> Self {
        let details = parse(&task.details);
        let detail = |name: &str| details.get(name).filter(|value| !value.is_null()).cloned();
        Self {
            id: task.id.into(),
            slug: task.slug,
            name: task.name,
            created: task.created_at.into(),
            description: detail("description"),
            r#type: detail("type"),
            max_retries: detail("max_retries"),
            retry_delay: detail("retry_delay"),
            mapped: details["mapped"] == true,
            flow: FlowOfTask { name: task.flow_name.to_string(), version: task.flow_version },
        }
    }
}

/// A run of a flow.
pub struct FlowRun(pub(super) RunRecord);

/// A run of a flow.
#[Object(name = "flow_run", rename_fields = "snake_case", rename_args = "snake_case")]
impl FlowRun {
    /// The run's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The run's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The id of the flow's version.
    async fn flow_id(&self) -> ID {
        self.0.flow_id.into()
    }

    /// The number of states that the run had.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// The type of the current state.
    async fn state(&self) -> &str {
        self.0.state.kind.as_str()
    }

    /// The current state, as its client sent it.
    async fn serialized_state(&self) -> Value {
        parse(&self.0.state.json)
    }

    /// The parameters.
    async fn parameters(&self) -> Value {
        parse(&self.0.parameters)
    }

    /// The context.
    async fn context(&self) -> Value {
        parse(&self.0.context)
    }

    /// The labels that the agent must have.
    async fn labels(&self) -> Value {
        parse(&self.0.labels)
    }

    /// How the run is deployed.
    async fn run_config(&self) -> Option<Value> {
        Some(parse(&self.0.run_config)).filter(|config| !config.is_null())
    }

    /// When the run is due.
    async fn scheduled_start_time(&self) -> Timestamp {
        self.0.scheduled_at.into()
    }

    /// When the run started.
    async fn start_time(&self) -> Option<Timestamp> {
        self.0.started_at.map(Timestamp::from)
    }

    /// When the run ended.
    async fn end_time(&self) -> Option<Timestamp> {
        self.0.ended_at.map(Timestamp::from)
    }

    /// When the run was created.
    async fn created(&self) -> Timestamp {
        self.0.created_at.into()
    }

    /// When the run's state was last reported.
    async fn updated(&self) -> Timestamp {
        self.0.updated_at.into()
    }

    /// Always false: nothing is scheduled.
    async fn auto_scheduled(&self) -> bool {
        false
    }

    /// The flow's version.
    async fn flow(&self, context: &Context<'_>) -> Result<Option<Flow>> {
        let flow = services(context)?.flows().find_flow(actor(context)?, self.0.flow_id).await.map_err(refuse)?;
        Ok(flow.map(Flow::from))
    }

    /// The states that the run had, oldest first unless `order_by` says otherwise.
    async fn states(
        &self,
        context: &Context<'_>,
        r#where: Option<StateFilter>,
        order_by: Option<Vec<StateOrder>>,
    ) -> Result<Option<Vec<RunState>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let newest_first = newest_first(order_by.as_deref());
        let flows = services(context)?.flows();
        let states = flows.states(actor(context)?, self.0.id, &filter, newest_first).await.map_err(refuse)?;
        count(context, states.iter().map(|state| state.json.len()).sum())?;
        Ok(Some(states.into_iter().map(RunState::from).collect()))
    }

    /// The runs of the flow's tasks.
    async fn task_runs(&self, context: &Context<'_>, r#where: Option<TaskRunFilter>) -> Result<Option<Vec<TaskRun>>> {
        let of_run = FlowTest::Equal(FlowValue::Id(Some(self.0.id.0)));
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let filter = FlowFilter::All(vec![FlowFilter::Is(FlowColumn::RunId, of_run), filter]);
        let runs = services(context)?.flows().task_runs(actor(context)?, &filter, &[], None).await.map_err(refuse)?;
        count(context, runs.iter().map(|run| run.state.json.len()).sum())?;
        Ok(Some(runs.into_iter().map(TaskRun::from).collect()))
    }

    /// The log of the run, oldest first unless `order_by` says otherwise.
    async fn logs(
        &self,
        context: &Context<'_>,
        r#where: Option<LogFilter>,
        order_by: Option<Vec<LogOrder>>,
    ) -> Result<Option<Vec<RunLog>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let newest_first = newest_first(order_by.as_deref());
        let flows = services(context)?.flows();
        let lines = flows.log(actor(context)?, self.0.id, &filter, newest_first).await.map_err(refuse)?;
        count(context, lines.iter().map(|line| line.message.len()).sum())?;
        Ok(Some(lines.into_iter().map(RunLog::from).collect()))
    }
}

/// A state that a run had.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "flow_run_state", rename_fields = "snake_case")]
pub struct RunState {
    /// When it was reported.
    pub timestamp: Timestamp,
    /// When it was reported.
    pub created: Timestamp,
    /// The start time in the state.
    pub start_time: Option<Value>,
    /// The state, as its client sent it.
    pub serialized_state: Value,
}

impl From<service::StateRecord> for RunState {
    fn from(state: service::StateRecord) -> Self {
        let serialized_state = parse(&state.json);
        let start_time = serialized_state.get("start_time").filter(|value| !value.is_null()).cloned();
        Self { timestamp: state.at.into(), created: state.at.into(), start_time, serialized_state }
    }
}

/// A line of a log.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "log", rename_fields = "snake_case")]
pub struct RunLog {
    /// When it was written.
    pub timestamp: Timestamp,
    /// The text.
    pub message: String,
    /// The level, such as `INFO`.
    pub level: String,
    /// The name of the logger.
    pub name: String,
    /// The id of the task's run.
    pub task_run_id: Option<ID>,
    /// Always null.
    pub info: Option<Value>,
}

impl From<service::LogLine> for RunLog {
    fn from(line: service::LogLine) -> Self {
        Self {
            timestamp: line.at.into(),
            message: line.message,
            level: line.level,
            name: line.name,
            task_run_id: line.task_run_id.map(ID::from),
            info: None,
        }
    }
}

/// The task of a task's run.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "task_of_run", rename_fields = "snake_case")]
pub struct TaskOfRun {
    /// The task's id.
    pub id: ID,
    /// The name by which clients find the task in the flow.
    pub slug: String,
}

/// A run of a task.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "task_run", rename_fields = "snake_case")]
pub struct TaskRun {
    /// The run's id.
    pub id: ID,
    /// The name that the client gave it.
    pub name: Option<String>,
    /// The number of states that the run had.
    pub version: i64,
    /// The id of the task.
    pub task_id: ID,
    /// The task.
    pub task: TaskOfRun,
    /// The position of a mapped task's run; -1 if it isn't mapped.
    pub map_index: i64,
    /// The id of the flow's run.
    pub flow_run_id: ID,
    /// The type of the current state.
    pub state: String,
    /// The start time in the current state.
    pub state_start_time: Option<Timestamp>,
    /// The current state, as its client sent it.
    pub serialized_state: Value,
}

impl From<TaskRunRecord> for TaskRun {
    fn from(run: TaskRunRecord) -> Self {
        Self {
            id: run.id.into(),
            name: run.name,
            version: run.version,
            task_id: run.task_id.into(),
            task: TaskOfRun { id: run.task_id.into(), slug: run.slug },
            map_index: run.map_index,
            flow_run_id: run.flow_run_id.into(),
            state: run.state.kind.as_str().to_owned(),
            state_start_time: run.state.start_at.map(Timestamp::from),
            serialized_state: parse(&run.state.json),
        }
    }
}

/// A run of a flow, as evidence of what an agent did with a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "listed_flow_run", rename_fields = "snake_case")]
pub struct ListedFlowRun {
    /// The run's id.
    pub id: ID,
    /// The run's name.
    pub name: String,
    /// The name of the flow.
    pub flow: String,
    /// The name of the flow's project.
    pub project: String,
    /// The type of the current state.
    pub state: String,
    /// The name of the agent that took the run.
    pub agent: Option<String>,
    /// The id of the key with which it was taken.
    pub api_key_id: Option<ID>,
    /// The name of that key.
    pub api_key_name: Option<String>,
    /// When the run was created.
    pub created: Time,
    /// When the run started.
    pub started: Option<Time>,
    /// When the run ended.
    pub ended: Option<Time>,
}

impl From<domain::FlowRun> for ListedFlowRun {
    fn from(run: domain::FlowRun) -> Self {
        Self {
            id: run.id.into(),
            name: run.name,
            flow: run.flow,
            project: run.project,
            state: run.state.as_str().to_owned(),
            agent: run.agent,
            api_key_id: run.key.as_ref().map(|key| key.id.into()),
            api_key_name: run.key.map(|key| key.name.to_string()),
            created: run.created_at.into(),
            started: run.started_at.map(Time::from),
            ended: run.ended_at.map(Time::from),
        }
    }
}
