//! Projects, flows and their tasks, in the built-in backend for flow runs.

use chrono::{DateTime, Utc};
use domain::{FlowId, FlowProjectId, FlowTaskId, Name, TenantId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    flow_filter::{FlowColumn, FlowFilter, FlowOrder},
    flow_list::FlowList,
    instant, micros,
    query::{Conditions, Value, assembled, statement},
    stored_name,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::Result,
};

/// A project of flows.
#[derive(Clone, Debug)]
pub struct FlowProject {
    /// The project's id.
    pub id: FlowProjectId,
    /// The project's name, unique in its tenant.
    pub name: Name,
    /// What the project is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A version of a flow.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    /// The version's id.
    pub id: FlowId,
    /// The id that the versions of the flow share.
    pub group_id: Uuid,
    /// The flow's name, unique in its project.
    pub name: Name,
    /// The number of the version, from 1.
    pub version: i64,
    /// The version of the client that registered it.
    pub core_version: Option<String>,
    /// The flow without its tasks and edges, as a JSON object.
    pub details: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When a newer version replaced it.
    pub archived_at: Option<DateTime<Utc>>,
    /// Its project.
    pub project: FlowProject,
}

/// A task of a flow.
#[derive(Clone, Debug)]
pub struct FlowTaskRecord {
    /// The task's id.
    pub id: FlowTaskId,
    /// The name by which the client finds the task in the flow.
    pub slug: String,
    /// The task's name.
    pub name: String,
    /// What else is known of it, as a JSON object.
    pub details: String,
    /// The name of the flow.
    pub flow_name: Name,
    /// The number of the flow's version.
    pub flow_version: i64,
    /// When the flow was registered.
    pub created_at: DateTime<Utc>,
}

/// A task to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub(crate) id: FlowTaskId,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) details: String,
}

/// A version of a flow to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewFlow {
    pub(crate) id: FlowId,
    pub(crate) project_id: FlowProjectId,
    pub(crate) name: Name,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) core_version: Option<String>,
    pub(crate) details: String,
    pub(crate) content: String,
    pub(crate) tasks: Vec<NewTask>,
    pub(crate) at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
#[expect(clippy::struct_field_names, reason = "the columns of a join, whose other table has the same names")]
struct ProjectRow {
    project_id: Uuid,
    project_name: String,
    project_description: Option<String>,
    project_created_at: i64,
}

impl From<ProjectRow> for FlowProject {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: FlowProjectId(row.project_id),
            name: stored_name(&row.project_name),
            description: row.project_description,
            created_at: instant(row.project_created_at),
        }
    }
}

#[derive(sqlx::FromRow)]
struct FlowRow {
    id: Uuid,
    group_id: Uuid,
    name: String,
    version: i64,
    core_version: Option<String>,
    details: String,
    created_at: i64,
    archived_at: Option<i64>,
    #[sqlx(flatten)]
    project: ProjectRow,
}

impl From<FlowRow> for FlowRecord {
    fn from(row: FlowRow) -> Self {
        Self {
            id: FlowId(row.id),
            group_id: row.group_id,
            name: stored_name(&row.name),
            version: row.version,
            core_version: row.core_version,
            details: row.details,
            created_at: instant(row.created_at),
            archived_at: row.archived_at.map(instant),
            project: row.project.into(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct TaskRow {
    id: Uuid,
    slug: String,
    name: String,
    details: String,
    flow_name: String,
    flow_version: i64,
    created_at: i64,
}

impl From<TaskRow> for FlowTaskRecord {
    fn from(row: TaskRow) -> Self {
        Self {
            id: FlowTaskId(row.id),
            slug: row.slug,
            name: row.name,
            details: row.details,
            flow_name: stored_name(&row.flow_name),
            flow_version: row.flow_version,
            created_at: instant(row.created_at),
        }
    }
}

const PROJECT: &str = "p.id AS project_id, p.name AS project_name, p.description AS project_description, \
    p.created_at AS project_created_at";

/// Inserts a project of the permit's tenant. Returns false if the name is taken.
pub(crate) async fn insert_project(tx: &mut Tx, permit: &WritePermit, project: &FlowProject) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "INSERT INTO flow_projects (id, tenant_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant_id, name) DO NOTHING"
        )
        .bind(project.id.0)
        .bind(permit.tenant_id().0)
        .bind(project.name.as_str())
        .bind(project.description.as_deref())
        .bind(micros(project.created_at))
    )?;
    Ok(rows == 1)
}

/// Counts the projects of the permit's tenant.
pub(crate) async fn count_projects(tx: &mut Tx, permit: &WritePermit) -> Result<i64> {
    Ok(run!(tx, c => sqlx::query_scalar("SELECT COUNT(*) FROM flow_projects WHERE tenant_id = $1")
        .bind(permit.tenant_id().0)
        .fetch_one(c))?)
}

/// Counts the registered versions of the permit's tenant.
pub(crate) async fn count_flows(tx: &mut Tx, permit: &WritePermit) -> Result<i64> {
    Ok(run!(tx, c => sqlx::query_scalar("SELECT COUNT(*) FROM flows WHERE tenant_id = $1")
        .bind(permit.tenant_id().0)
        .fetch_one(c))?)
}

/// Locks a project of the permit's tenant until the transaction ends. Returns false if there is none.
pub(crate) async fn lock_project(tx: &mut Tx, permit: &WritePermit, id: FlowProjectId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE flow_projects SET created_at = created_at WHERE id = $1 AND tenant_id = $2")
            .bind(id.0)
            .bind(permit.tenant_id().0)
    )?;
    Ok(rows == 1)
}

/// The current version of a flow.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct CurrentFlow {
    pub(crate) id: Uuid,
    pub(crate) group_id: Uuid,
    pub(crate) version: i64,
    pub(crate) idempotency_key: Option<String>,
}

/// Finds the current version of a flow in a project that the caller has locked.
pub(crate) async fn find_current(tx: &mut Tx, project: FlowProjectId, name: &Name) -> Result<Option<CurrentFlow>> {
    Ok(run!(tx, c => sqlx::query_as(
            "SELECT f.id, f.group_id, f.version, f.idempotency_key FROM flows f WHERE f.project_id = $1 AND f.name = $2 \
             ORDER BY f.version DESC LIMIT 1"
        )
        .bind(project.0)
        .bind(name.as_str())
        .fetch_optional(c))?)
}

/// Inserts a version of a flow, with its tasks, and archives the one before it.
pub(crate) async fn insert(
    tx: &mut Tx,
    permit: &WritePermit,
    flow: &NewFlow,
    before: Option<&CurrentFlow>,
) -> Result<()> {
    if let Some(before) = before {
        change!(
            tx,
            sqlx::query("UPDATE flows SET archived_at = $2 WHERE id = $1").bind(before.id).bind(micros(flow.at))
        )?;
    }
    change!(
        tx,
        sqlx::query(
            "INSERT INTO flows (id, tenant_id, project_id, group_id, name, version, idempotency_key, core_version, details, content, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        )
        .bind(flow.id.0)
        .bind(permit.tenant_id().0)
        .bind(flow.project_id.0)
        .bind(before.map_or(flow.id.0, |before| before.group_id))
        .bind(flow.name.as_str())
        .bind(before.map_or(1, |before| before.version + 1))
        .bind(flow.idempotency_key.as_deref())
        .bind(flow.core_version.as_deref())
        .bind(flow.details.as_str())
        .bind(flow.content.as_str())
        .bind(micros(flow.at))
    )?;
    for task in &flow.tasks {
        change!(
            tx,
            sqlx::query("INSERT INTO flow_tasks (id, flow_id, slug, name, details) VALUES ($1, $2, $3, $4, $5)")
                .bind(task.id.0)
                .bind(flow.id.0)
                .bind(task.slug.as_str())
                .bind(task.name.as_str())
                .bind(task.details.as_str())
        )?;
    }
    Ok(())
}

/// Returns projects of the permit's tenant, at most `limit`.
pub(crate) async fn list_projects(
    db: &Db,
    permit: &ReadPermit,
    filter: &FlowFilter,
    order: &FlowOrder,
    limit: u32,
) -> Result<Vec<FlowProject>> {
    let tables = "flow_projects p";
    let list = FlowList { columns: PROJECT, tables, tenant: "p.tenant_id", id: FlowColumn::ProjectId };
    let rows: Vec<ProjectRow> = list.rows(db, permit, (filter, order), Some(limit)).await?;
    Ok(rows.into_iter().map(FlowProject::from).collect())
}

/// Counts the flows of a project, each once whatever its versions, or all versions.
pub(crate) async fn count_of_project(db: &Db, permit: &ReadPermit, id: FlowProjectId, distinct: bool) -> Result<i64> {
    let what = if distinct { "DISTINCT f.name" } else { "f.id" };
    let sql = format!("SELECT COUNT({what}) FROM flows f WHERE f.project_id = $1 AND f.tenant_id = $2");
    Ok(read!(db, c => sqlx::query_scalar(assembled(sql)).bind(id.0).bind(permit.tenant_id().0).fetch_one(c))?)
}

/// Returns versions of flows of the permit's tenant, at most `limit`. `one_a_name`: of each name, only the first.
pub(crate) async fn list(
    db: &Db,
    permit: &ReadPermit,
    filter: &FlowFilter,
    order: &FlowOrder,
    limit: u32,
    one_a_name: bool,
) -> Result<Vec<FlowRecord>> {
    let tables = "flows f JOIN flow_projects p ON p.id = f.project_id";
    let list = FlowList { columns: "f.id, f.name", tables, tenant: "f.tenant_id", id: FlowColumn::FlowId };
    // No tenant has more versions than the use case allows.
    let most = if one_a_name { None } else { Some(limit) };
    let mut found: Vec<(Uuid, String)> = list.rows(db, permit, (filter, order), most).await?;
    if one_a_name {
        let mut names = std::collections::HashSet::new();
        found.retain(|(_, name)| names.insert(name.clone()));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let ids: Vec<Uuid> = found.into_iter().map(|(id, _)| id).collect();
    find_all(db, permit, &ids).await
}

/// Returns versions of flows of the permit's tenant, in the order of their ids in `ids`.
pub(crate) async fn find_all(db: &Db, permit: &ReadPermit, ids: &[Uuid]) -> Result<Vec<FlowRecord>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let bound: Vec<_> = ids.iter().map(|id| conditions.bind(Value::Id(*id))).collect();
    let sql = format!(
        "SELECT f.id, f.group_id, f.name, f.version, f.core_version, f.details, f.created_at, f.archived_at, {PROJECT} \
         FROM flows f JOIN flow_projects p ON p.id = f.project_id WHERE f.tenant_id = {tenant} AND f.id IN ({})",
        bound.join(", ")
    );
    let rows: Vec<FlowRow> = read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    let mut flows: Vec<_> = rows.into_iter().map(FlowRecord::from).collect();
    flows.sort_by_key(|flow| ids.iter().position(|id| *id == flow.id.0));
    Ok(flows)
}

/// Returns the flow in JSON as its client sent it.
pub(crate) async fn find_content(db: &Db, permit: &ReadPermit, id: FlowId) -> Result<Option<String>> {
    Ok(read_list!(db, c => sqlx::query_scalar("SELECT content FROM flows WHERE id = $1 AND tenant_id = $2")
        .bind(id.0)
        .bind(permit.tenant_id().0)
        .fetch_optional(c))?)
}

/// Returns tasks of the permit's tenant, at most `limit`.
pub(crate) async fn list_tasks(
    db: &Db,
    permit: &ReadPermit,
    filter: &FlowFilter,
    order: &FlowOrder,
    limit: u32,
) -> Result<Vec<FlowTaskRecord>> {
    let list = FlowList {
        columns: "k.id, k.slug, k.name, k.details, f.name AS flow_name, f.version AS flow_version, f.created_at",
        tables: "flows f JOIN flow_tasks k ON k.flow_id = f.id JOIN flow_projects p ON p.id = f.project_id",
        tenant: "f.tenant_id",
        id: FlowColumn::TaskId,
    };
    let rows: Vec<TaskRow> = list.rows(db, permit, (filter, order), Some(limit)).await?;
    Ok(rows.into_iter().map(FlowTaskRecord::from).collect())
}

/// Deletes versions that were archived before an instant and have no runs, one by one.
pub(crate) async fn sweep(db: &Db, before: DateTime<Utc>) -> Result<()> {
    let old: Vec<Uuid> = read_list!(db, c =>
        sqlx::query_scalar(
            "SELECT f.id FROM flows f WHERE f.archived_at < $1 AND NOT EXISTS (SELECT 1 FROM flow_runs r WHERE r.flow_id = f.id)"
        )
        .bind(micros(before))
        .fetch_all(c))?;
    for id in old {
        let mut tx = db.begin().await?;
        change!(&mut tx, sqlx::query("DELETE FROM flow_tasks WHERE flow_id = $1").bind(id))?;
        change!(&mut tx, sqlx::query("DELETE FROM flows WHERE id = $1").bind(id))?;
        tx.commit().await?;
    }
    Ok(())
}

/// Returns whether a version of a flow belongs to a tenant, and its details.
pub(crate) async fn find_in(tx: &mut Tx, tenant: TenantId, id: FlowId) -> Result<Option<(String, Option<String>)>> {
    Ok(run!(tx, c => sqlx::query_as("SELECT details, core_version FROM flows WHERE id = $1 AND tenant_id = $2")
        .bind(id.0)
        .bind(tenant.0)
        .fetch_optional(c))?)
}

/// Finds the current version of a group of the permit's tenant.
pub(crate) async fn find_of_group(tx: &mut Tx, tenant: TenantId, group: Uuid) -> Result<Option<FlowId>> {
    let id: Option<Uuid> = run!(tx, c => sqlx::query_scalar(
            "SELECT f.id FROM flows f WHERE f.tenant_id = $1 AND f.group_id = $2 AND f.archived_at IS NULL"
        )
        .bind(tenant.0)
        .bind(group)
        .fetch_optional(c))?;
    Ok(id.map(FlowId))
}

/// Returns the tasks of a version of a flow.
pub(crate) async fn list_task_ids(tx: &mut Tx, id: FlowId) -> Result<Vec<FlowTaskId>> {
    let ids: Vec<Uuid> = run!(tx, c => sqlx::query_scalar("SELECT id FROM flow_tasks WHERE flow_id = $1 ORDER BY id")
        .bind(id.0)
        .fetch_all(c))?;
    Ok(ids.into_iter().map(FlowTaskId).collect())
}
