//! Runs of flows and of their tasks, their states and logs, in the built-in backend for flow runs.

use chrono::{DateTime, Utc};
use domain::{
    AgentId, AgentScope, Direction, FlowId, FlowRun, FlowRunId, FlowTaskId, KeyId, Label, Owner, Page, PageRequest,
    RunKey, StateType, TaskRunId, TenantId, flow_run::RUNNING,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read_list, run},
    flow_filter::{FlowColumn, FlowFilter, FlowOrder},
    flow_list::FlowList,
    instant, micros,
    query::{Conditions, Keyset, Place, SortValue, Value, assembled, statement},
    stored_name,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::Result,
};

/// How many runs one transaction deletes.
const SWEPT_AT_ONCE: i64 = 20;

/// A state as a client reported it.
#[derive(Clone, Debug)]
pub struct RunState {
    /// Its type.
    pub kind: StateType,
    /// The state itself, as JSON.
    pub json: String,
    /// The start time in it.
    pub start_at: Option<DateTime<Utc>>,
}

/// A run of a flow.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The run's id.
    pub id: FlowRunId,
    /// The flow's version.
    pub flow_id: FlowId,
    /// The run's name.
    pub name: String,
    /// How many states the run had.
    pub version: i64,
    /// The current state.
    pub state: RunState,
    /// When it is due.
    pub scheduled_at: DateTime<Utc>,
    /// The parameters, as JSON.
    pub parameters: String,
    /// The context, as JSON.
    pub context: String,
    /// How it should be deployed, as JSON.
    pub run_config: String,
    /// The labels that its agent must have, as a JSON array.
    pub labels: String,
    /// The key with which it was taken.
    pub key: Option<KeyId>,
    /// The agent that took it.
    pub agent: Option<AgentId>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was first reported as running.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many bytes of its log were kept.
    pub(crate) log_bytes: i64,
    /// How many lines of its log were kept.
    pub(crate) log_lines: i64,
}

/// A run of a task.
#[derive(Clone, Debug)]
pub struct TaskRunRecord {
    /// The run's id.
    pub id: TaskRunId,
    /// The run of the flow.
    pub flow_run_id: FlowRunId,
    /// The task.
    pub task_id: FlowTaskId,
    /// The task's slug.
    pub slug: String,
    /// The position of a mapped task's run; -1 otherwise.
    pub map_index: i64,
    /// The name that the client gave it.
    pub name: Option<String>,
    /// How many states the run had.
    pub version: i64,
    /// The current state.
    pub state: RunState,
}

/// A former or current state.
#[derive(Clone, Debug)]
pub struct StateRecord {
    /// The state, as JSON.
    pub json: String,
    /// When it was reported.
    pub at: DateTime<Utc>,
}

/// A line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The run of the task that wrote it.
    pub task_run_id: Option<TaskRunId>,
    /// When it was written, according to the client.
    pub at: DateTime<Utc>,
    /// The name of the logger.
    pub name: String,
    /// The level, such as `INFO`.
    pub level: String,
    /// The text.
    pub message: String,
}

/// Who takes a run.
#[derive(Clone, Debug)]
pub(crate) struct Taker {
    pub(crate) key: KeyId,
    pub(crate) agent: Option<AgentId>,
    pub(crate) agent_name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: Uuid,
    flow_id: Uuid,
    name: String,
    version: i64,
    state: String,
    state_json: String,
    start_at: Option<i64>,
    scheduled_at: i64,
    parameters: String,
    context: String,
    run_config: String,
    labels: String,
    key_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    created_at: i64,
    updated_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    log_bytes: i64,
    log_lines: i64,
}

impl From<RunRow> for RunRecord {
    fn from(row: RunRow) -> Self {
        Self {
            id: FlowRunId(row.id),
            flow_id: FlowId(row.flow_id),
            name: row.name,
            version: row.version,
            state: RunState {
                kind: stored_state(&row.state),
                json: row.state_json,
                start_at: row.start_at.map(instant),
            },
            scheduled_at: instant(row.scheduled_at),
            parameters: row.parameters,
            context: row.context,
            run_config: row.run_config,
            labels: row.labels,
            key: row.key_id.map(KeyId),
            agent: row.agent_id.map(AgentId),
            created_at: instant(row.created_at),
            updated_at: instant(row.updated_at),
            started_at: row.started_at.map(instant),
            ended_at: row.ended_at.map(instant),
            log_bytes: row.log_bytes,
            log_lines: row.log_lines,
        }
    }
}

/// Parses a stored type of a state. An unreadable one, from a change outside of the service, becomes a placeholder.
fn stored_state(text: &str) -> StateType {
    StateType::parse(text).unwrap_or_else(|| StateType::parse("Unreadable").expect("a constant type is valid"))
}

const RUN: &str = "r.id, r.flow_id, r.name, r.version, r.state, r.state_json, r.start_at, r.scheduled_at, r.parameters, r.context, \
    r.run_config, r.labels, r.key_id, r.agent_id, r.created_at, r.updated_at, r.started_at, r.ended_at, r.log_bytes, r.log_lines";

#[derive(sqlx::FromRow)]
struct TaskRunRow {
    id: Uuid,
    flow_run_id: Uuid,
    task_id: Uuid,
    slug: String,
    map_index: i64,
    name: Option<String>,
    version: i64,
    state: String,
    state_json: String,
    start_at: Option<i64>,
}

impl From<TaskRunRow> for TaskRunRecord {
    fn from(row: TaskRunRow) -> Self {
        Self {
            id: TaskRunId(row.id),
            flow_run_id: FlowRunId(row.flow_run_id),
            task_id: FlowTaskId(row.task_id),
            slug: row.slug,
            map_index: row.map_index,
            name: row.name,
            version: row.version,
            state: RunState {
                kind: stored_state(&row.state),
                json: row.state_json,
                start_at: row.start_at.map(instant),
            },
        }
    }
}

const TASK_RUN: &str =
    "t.id, t.flow_run_id, t.task_id, k.slug, t.map_index, t.name, t.version, t.state, t.state_json, t.start_at";

/// Counts the runs of the permit's tenant.
pub(crate) async fn count(tx: &mut Tx, permit: &WritePermit) -> Result<i64> {
    Ok(run!(tx, c => sqlx::query_scalar("SELECT COUNT(*) FROM flow_runs WHERE tenant_id = $1")
        .bind(permit.tenant_id().0)
        .fetch_one(c))?)
}

/// Finds the run of a flow that was created with an idempotency key.
pub(crate) async fn find_by_idempotency_key(tx: &mut Tx, flow: FlowId, key: &str) -> Result<Option<FlowRunId>> {
    let id: Option<Uuid> = run!(tx, c => sqlx::query_scalar(
            "SELECT id FROM flow_runs WHERE flow_id = $1 AND idempotency_key = $2"
        )
        .bind(flow.0)
        .bind(key)
        .fetch_optional(c))?;
    Ok(id.map(FlowRunId))
}

/// Inserts a run of the permit's tenant, with its first state. Returns false if the flow has a run with the same
/// idempotency key.
pub(crate) async fn insert(
    tx: &mut Tx,
    permit: &WritePermit,
    run: &RunRecord,
    idempotency_key: Option<&str>,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "INSERT INTO flow_runs (id, tenant_id, flow_id, name, version, state, state_json, start_at, scheduled_at, parameters, context, \
             run_config, labels, idempotency_key, created_at, updated_at, log_bytes, log_lines) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, 0, 0) \
             ON CONFLICT (flow_id, idempotency_key) DO NOTHING"
        )
        .bind(run.id.0)
        .bind(permit.tenant_id().0)
        .bind(run.flow_id.0)
        .bind(run.name.as_str())
        .bind(run.version)
        .bind(run.state.kind.as_str())
        .bind(run.state.json.as_str())
        .bind(run.state.start_at.map(micros))
        .bind(micros(run.scheduled_at))
        .bind(run.parameters.as_str())
        .bind(run.context.as_str())
        .bind(run.run_config.as_str())
        .bind(run.labels.as_str())
        .bind(idempotency_key)
        .bind(micros(run.created_at))
    )?;
    if rows == 1 {
        insert_state(tx, run.id, run.version, &run.state, run.created_at).await?;
    }
    Ok(rows == 1)
}

async fn insert_state(tx: &mut Tx, id: FlowRunId, version: i64, state: &RunState, at: DateTime<Utc>) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO flow_run_states (flow_run_id, version, state, state_json, at) VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(id.0)
        .bind(version)
        .bind(state.kind.as_str())
        .bind(state.json.as_str())
        .bind(micros(at))
    )?;
    Ok(())
}

/// Finds a run of a tenant.
pub(crate) async fn find_in(tx: &mut Tx, tenant: TenantId, id: FlowRunId) -> Result<Option<RunRecord>> {
    let sql = format!("SELECT {RUN} FROM flow_runs r WHERE r.id = $1 AND r.tenant_id = $2");
    let row: Option<RunRow> =
        run!(tx, c => sqlx::query_as(assembled(sql)).bind(id.0).bind(tenant.0).fetch_optional(c))?;
    Ok(row.map(RunRecord::from))
}

/// Gives a run of the permit's tenant its next state, unless it has had another since it was read. `taker`: who takes it
/// with this state. Returns false if the run has changed.
pub(crate) async fn set_state(
    tx: &mut Tx,
    permit: &WritePermit,
    run: &RunRecord,
    state: &RunState,
    taker: Option<&Taker>,
    at: DateTime<Utc>,
) -> Result<bool> {
    let starts = state.kind.as_str() == RUNNING && run.started_at.is_none();
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE flow_runs SET version = version + 1, state = $4, state_json = $5, start_at = $6, updated_at = $7, \
             key_id = COALESCE(key_id, $8), agent_id = COALESCE(agent_id, $9), agent_name = COALESCE(agent_name, $10), \
             started_at = COALESCE(started_at, $11), ended_at = COALESCE(ended_at, $12) \
             WHERE id = $1 AND tenant_id = $2 AND version = $3"
        )
        .bind(run.id.0)
        .bind(permit.tenant_id().0)
        .bind(run.version)
        .bind(state.kind.as_str())
        .bind(state.json.as_str())
        .bind(state.start_at.map(micros))
        .bind(micros(at))
        .bind(taker.map(|taker| taker.key.0))
        .bind(taker.and_then(|taker| taker.agent).map(|agent| agent.0))
        .bind(taker.and_then(|taker| taker.agent_name.as_deref()))
        .bind(starts.then(|| micros(at)))
        .bind(state.kind.is_finished().then(|| micros(at)))
    )?;
    if rows == 1 {
        insert_state(tx, run.id, run.version + 1, state, at).await?;
    }
    Ok(rows == 1)
}

/// Renames a run of the permit's tenant.
pub(crate) async fn rename(tx: &mut Tx, permit: &WritePermit, id: FlowRunId, name: &str) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE flow_runs SET name = $3 WHERE id = $1 AND tenant_id = $2")
            .bind(id.0)
            .bind(permit.tenant_id().0)
            .bind(name)
    )?;
    Ok(rows == 1)
}

/// Records a heartbeat of a run that was taken with a key. Returns false if the key has taken no such run.
pub(crate) async fn beat(
    tx: &mut Tx,
    permit: &WritePermit,
    id: FlowRunId,
    key: KeyId,
    at: DateTime<Utc>,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE flow_runs SET heartbeat_at = $4 WHERE id = $1 AND tenant_id = $2 AND key_id = $3")
            .bind(id.0)
            .bind(permit.tenant_id().0)
            .bind(key.0)
            .bind(micros(at))
    )?;
    Ok(rows == 1)
}

/// Returns runs of the permit's tenant that wait for an agent with this key and are due before an instant, earliest
/// first: those that follow a run in this order, at most `limit`, with their labels.
pub(crate) async fn list_waiting(
    db: &Db,
    permit: &ReadPermit,
    key: Option<KeyId>,
    before: DateTime<Utc>,
    after: Option<(i64, Uuid)>,
    limit: u32,
) -> Result<Vec<(Uuid, i64, String)>> {
    let (at, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    Ok(read_list!(db, c => sqlx::query_as(
            "SELECT id, start_at, labels FROM flow_runs WHERE tenant_id = $1 AND state = $2 AND start_at <= $3 \
             AND (start_at, id) > ($4, $5) AND (key_id IS NULL OR key_id = $7) ORDER BY start_at, id LIMIT $6"
        )
        .bind(permit.tenant_id().0)
        .bind(domain::flow_run::SCHEDULED)
        .bind(micros(before))
        .bind(at)
        .bind(id)
        .bind(i64::from(limit))
        .bind(key.map(|key| key.0))
        .fetch_all(c))?)
}

/// Returns runs of the permit's tenant that were taken with a key, whose process has been silent since an instant, and of
/// which a task was to be tried again before another, at most `limit`, with their labels.
pub(crate) async fn list_retrying(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    (silent_since, before): (DateTime<Utc>, DateTime<Utc>),
    limit: u32,
) -> Result<Vec<(Uuid, String)>> {
    Ok(read_list!(db, c => sqlx::query_as(
            "SELECT r.id, r.labels FROM flow_runs r WHERE r.tenant_id = $1 AND r.state = $2 AND r.key_id = $3 \
             AND COALESCE(r.heartbeat_at, r.updated_at) < $4 AND r.updated_at < $4 \
             AND EXISTS (SELECT 1 FROM task_runs t WHERE t.flow_run_id = r.id AND t.start_at <= $5) ORDER BY r.id LIMIT $6"
        )
        .bind(permit.tenant_id().0)
        .bind(RUNNING)
        .bind(key.0)
        .bind(micros(silent_since))
        .bind(micros(before))
        .bind(i64::from(limit))
        .fetch_all(c))?)
}

/// Returns the labels in a row.
pub(crate) fn labels_of(stored: &str) -> Vec<Label> {
    let texts: Vec<String> = serde_json::from_str(stored).unwrap_or_default();
    Label::parse_all(&texts).unwrap_or_default()
}

/// Returns the text of labels in a row.
pub(crate) fn stored_labels(labels: &[Label]) -> String {
    let texts: Vec<&str> = labels.iter().map(Label::as_str).collect();
    serde_json::to_string(&texts).unwrap_or_default()
}

/// Returns runs of the permit's tenant, at most `limit`.
pub(crate) async fn list(
    db: &Db,
    permit: &ReadPermit,
    filter: &FlowFilter,
    order: &FlowOrder,
    limit: u32,
) -> Result<Vec<RunRecord>> {
    let list = FlowList {
        columns: RUN,
        tables: "flow_runs r JOIN flows f ON f.id = r.flow_id JOIN flow_projects p ON p.id = f.project_id",
        tenant: "r.tenant_id",
        id: FlowColumn::RunId,
    };
    let rows: Vec<RunRow> = list.rows(db, permit, (filter, order), Some(limit)).await?;
    Ok(rows.into_iter().map(RunRecord::from).collect())
}

/// Returns runs of tasks of the permit's tenant, at most `limit`.
pub(crate) async fn list_task_runs(
    db: &Db,
    permit: &ReadPermit,
    filter: &FlowFilter,
    order: &FlowOrder,
    limit: u32,
) -> Result<Vec<TaskRunRecord>> {
    let list = FlowList {
        columns: TASK_RUN,
        tables: "task_runs t JOIN flow_tasks k ON k.id = t.task_id JOIN flow_runs r ON r.id = t.flow_run_id \
                 JOIN flows f ON f.id = r.flow_id JOIN flow_projects p ON p.id = f.project_id",
        tenant: "r.tenant_id",
        id: FlowColumn::TaskRunId,
    };
    let rows: Vec<TaskRunRow> = list.rows(db, permit, (filter, order), Some(limit)).await?;
    Ok(rows.into_iter().map(TaskRunRecord::from).collect())
}

/// Returns the states of a run of the permit's tenant, oldest first.
pub(crate) async fn list_states(
    db: &Db,
    permit: &ReadPermit,
    id: FlowRunId,
    filter: &FlowFilter,
    newest_first: bool,
) -> Result<Vec<StateRecord>> {
    let mut conditions = Conditions::default();
    let (tenant, run) = (Value::Id(permit.tenant_id().0), Value::Id(id.0));
    let (tenant, run) = (conditions.bind(tenant), conditions.bind(run));
    let filter = filter.sql(&mut conditions);
    let word = if newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT s.state_json, s.at FROM flow_run_states s JOIN flow_runs r ON r.id = s.flow_run_id \
         WHERE r.tenant_id = {tenant} AND s.flow_run_id = {run} AND {filter} ORDER BY s.version {word}"
    );
    let rows: Vec<(String, i64)> = read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(rows.into_iter().map(|(json, at)| StateRecord { json, at: instant(at) }).collect())
}

#[derive(sqlx::FromRow)]
struct LogRow {
    task_run_id: Option<Uuid>,
    at: i64,
    name: String,
    level: String,
    message: String,
}

/// Returns the log of a run of the permit's tenant, oldest first unless said otherwise.
pub(crate) async fn list_log(
    db: &Db,
    permit: &ReadPermit,
    id: FlowRunId,
    filter: &FlowFilter,
    newest_first: bool,
) -> Result<Vec<LogLine>> {
    let mut conditions = Conditions::default();
    let (tenant, run) = (Value::Id(permit.tenant_id().0), Value::Id(id.0));
    let (tenant, run) = (conditions.bind(tenant), conditions.bind(run));
    let filter = filter.sql(&mut conditions);
    let word = if newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT l.task_run_id, l.at, l.name, l.level, l.message FROM flow_run_logs l JOIN flow_runs r ON r.id = l.flow_run_id \
         WHERE r.tenant_id = {tenant} AND l.flow_run_id = {run} AND {filter} ORDER BY l.at {word}, l.number {word}"
    );
    let rows: Vec<LogRow> = read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(rows
        .into_iter()
        .map(|row| LogLine {
            task_run_id: row.task_run_id.map(TaskRunId),
            at: instant(row.at),
            name: row.name,
            level: row.level,
            message: row.message,
        })
        .collect())
}

/// Locks a run of the permit's tenant until the transaction ends, so that two parts of its log aren't written at once.
pub(crate) async fn lock(tx: &mut Tx, permit: &WritePermit, id: FlowRunId) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE flow_runs SET log_lines = log_lines WHERE id = $1 AND tenant_id = $2")
            .bind(id.0)
            .bind(permit.tenant_id().0)
    )?;
    Ok(())
}

/// Appends lines to the log of a run that was locked and then read in this transaction. `bytes`: those that the run's log
/// then has.
pub(crate) async fn append_log(
    tx: &mut Tx,
    permit: &WritePermit,
    run: &RunRecord,
    lines: &[LogLine],
    bytes: i64,
) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE flow_runs SET log_bytes = $3, log_lines = log_lines + $4 WHERE id = $1 AND tenant_id = $2")
            .bind(run.id.0)
            .bind(permit.tenant_id().0)
            .bind(bytes)
            .bind(i64::try_from(lines.len()).unwrap_or(i64::MAX))
    )?;
    for (line, number) in lines.iter().zip(run.log_lines..) {
        change!(
            tx,
            sqlx::query(
                "INSERT INTO flow_run_logs (flow_run_id, number, task_run_id, at, name, level, message) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            )
            .bind(run.id.0)
            .bind(number)
            .bind(line.task_run_id.map(|id| id.0))
            .bind(micros(line.at))
            .bind(line.name.as_str())
            .bind(line.level.as_str())
            .bind(line.message.as_str())
        )?;
    }
    Ok(())
}

/// Inserts a run of a task unless there is one at this index.
pub(crate) async fn insert_task_run(
    tx: &mut Tx,
    id: TaskRunId,
    run: FlowRunId,
    task: FlowTaskId,
    map_index: i64,
    state: &RunState,
    at: DateTime<Utc>,
) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO task_runs (id, flow_run_id, task_id, map_index, version, state, state_json, start_at, updated_at) \
             VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8) ON CONFLICT (flow_run_id, task_id, map_index) DO NOTHING"
        )
        .bind(id.0)
        .bind(run.0)
        .bind(task.0)
        .bind(map_index)
        .bind(state.kind.as_str())
        .bind(state.json.as_str())
        .bind(state.start_at.map(micros))
        .bind(micros(at))
    )?;
    Ok(())
}

/// Counts the runs of tasks of a flow's run.
pub(crate) async fn count_task_runs(tx: &mut Tx, run: FlowRunId) -> Result<i64> {
    Ok(run!(tx, c => sqlx::query_scalar("SELECT COUNT(*) FROM task_runs WHERE flow_run_id = $1")
        .bind(run.0)
        .fetch_one(c))?)
}

/// Finds the run of a task of a flow's run at an index.
pub(crate) async fn find_task_run(
    tx: &mut Tx,
    run: FlowRunId,
    task: FlowTaskId,
    map_index: i64,
) -> Result<Option<TaskRunRecord>> {
    let sql = format!(
        "SELECT {TASK_RUN} FROM task_runs t JOIN flow_tasks k ON k.id = t.task_id \
         WHERE t.flow_run_id = $1 AND t.task_id = $2 AND t.map_index = $3"
    );
    let row: Option<TaskRunRow> = run!(tx, c =>
        sqlx::query_as(assembled(sql)).bind(run.0).bind(task.0).bind(map_index).fetch_optional(c))?;
    Ok(row.map(TaskRunRecord::from))
}

/// Finds a run of a task, and the run of the flow that it belongs to.
pub(crate) async fn find_task_run_by_id(tx: &mut Tx, id: TaskRunId) -> Result<Option<TaskRunRecord>> {
    let sql = format!("SELECT {TASK_RUN} FROM task_runs t JOIN flow_tasks k ON k.id = t.task_id WHERE t.id = $1");
    let row: Option<TaskRunRow> = run!(tx, c => sqlx::query_as(assembled(sql)).bind(id.0).fetch_optional(c))?;
    Ok(row.map(TaskRunRecord::from))
}

/// Gives a run of a task its next state, unless it has had another since it was read. The caller has found its flow's run
/// in the permit's tenant. Returns false if it has changed.
pub(crate) async fn set_task_state(
    tx: &mut Tx,
    run: &TaskRunRecord,
    state: &RunState,
    at: DateTime<Utc>,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE task_runs SET version = version + 1, state = $2, state_json = $3, start_at = $4, updated_at = $5 \
             WHERE id = $1 AND version = $6"
        )
        .bind(run.id.0)
        .bind(state.kind.as_str())
        .bind(state.json.as_str())
        .bind(state.start_at.map(micros))
        .bind(micros(at))
        .bind(run.version)
    )?;
    Ok(rows == 1)
}

/// Renames a run of a task. The caller has found its flow's run in the permit's tenant.
pub(crate) async fn rename_task_run(tx: &mut Tx, id: TaskRunId, name: &str) -> Result<()> {
    change!(tx, sqlx::query("UPDATE task_runs SET name = $2 WHERE id = $1").bind(id.0).bind(name))?;
    Ok(())
}

/// Whether a task belongs to a version of a flow.
pub(crate) async fn is_task_of(tx: &mut Tx, task: FlowTaskId, flow: FlowId) -> Result<bool> {
    let found: Option<Uuid> = run!(tx, c => sqlx::query_scalar("SELECT id FROM flow_tasks WHERE id = $1 AND flow_id = $2")
        .bind(task.0)
        .bind(flow.0)
        .fetch_optional(c))?;
    Ok(found.is_some())
}

/// Finds the name and the labels of an agent of a key.
pub(crate) async fn find_agent(tx: &mut Tx, agent: AgentId, key: KeyId) -> Result<Option<(String, String)>> {
    Ok(run!(tx, c => sqlx::query_as("SELECT name, labels FROM agents WHERE id = $1 AND key_id = $2")
        .bind(agent.0)
        .bind(key.0)
        .fetch_optional(c))?)
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: Uuid,
    name: String,
    flow_name: String,
    project_name: String,
    state: String,
    agent_name: Option<String>,
    key_id: Option<Uuid>,
    key_name: Option<String>,
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
}

impl From<ListedRow> for FlowRun {
    fn from(row: ListedRow) -> Self {
        let key = row.key_id.zip(row.key_name.as_deref());
        Self {
            id: FlowRunId(row.id),
            name: row.name,
            flow: row.flow_name,
            project: row.project_name,
            state: stored_state(&row.state),
            agent: row.agent_name,
            key: key.map(|(id, name)| RunKey { id: KeyId(id), name: stored_name(name) }),
            created_at: instant(row.created_at),
            started_at: row.started_at.map(instant),
            ended_at: row.ended_at.map(instant),
        }
    }
}

/// Returns one page of the runs that were taken with keys of the permit's tenant, newest first. `scope`: whose keys; with
/// the tenant, also the runs that nobody has taken.
pub(crate) async fn list_page(
    db: &Db,
    permit: &ReadPermit,
    scope: AgentScope,
    page: &PageRequest,
) -> Result<Page<FlowRun>> {
    let keyset = Keyset::of(page, Direction::Desc, false)?;
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    conditions.and(&format!("r.tenant_id = {tenant}"));
    let owner = match scope {
        AgentScope::Tenant => None,
        AgentScope::Owner(Owner::User(id)) => Some(("k.user_id", id.0)),
        AgentScope::Owner(Owner::ServiceAccount(id)) => Some(("k.service_account_id", id.0)),
        AgentScope::Key(id) => Some(("r.key_id", id.0)),
    };
    if let Some((column, id)) = owner {
        let id = conditions.bind(Value::Id(id));
        conditions.and(&format!("{column} = {id}"));
    }
    let place = keyset.clause("r.created_at", "r.id", &mut conditions);
    let sql = format!(
        "SELECT r.id, r.name, f.name AS flow_name, p.name AS project_name, r.state, r.agent_name, r.key_id, k.name AS key_name, \
         r.created_at, r.started_at, r.ended_at FROM flow_runs r JOIN flows f ON f.id = r.flow_id \
         JOIN flow_projects p ON p.id = f.project_id LEFT JOIN api_keys k ON k.id = r.key_id \
         WHERE {}{place}{}",
        conditions.sql(),
        keyset.order("r.created_at", "r.id")
    );
    let rows: Vec<ListedRow> = read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(keyset.page(rows, |row| Place(SortValue::Number(row.created_at), row.id), FlowRun::from))
}

/// Deletes the runs that were created before an instant, with all that belongs to them.
pub(crate) async fn sweep(db: &Db, before: DateTime<Utc>) -> Result<()> {
    loop {
        let old: Vec<Uuid> = read_list!(db, c =>
            sqlx::query_scalar("SELECT id FROM flow_runs WHERE created_at < $1 ORDER BY created_at LIMIT $2")
                .bind(micros(before))
                .bind(SWEPT_AT_ONCE)
                .fetch_all(c))?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for id in old {
            for sql in [
                "DELETE FROM flow_run_logs WHERE flow_run_id = $1",
                "DELETE FROM flow_run_states WHERE flow_run_id = $1",
                "DELETE FROM task_runs WHERE flow_run_id = $1",
                "DELETE FROM flow_runs WHERE id = $1",
            ] {
                change!(&mut tx, sqlx::query(sql).bind(id))?;
            }
        }
        tx.commit().await?;
    }
}
