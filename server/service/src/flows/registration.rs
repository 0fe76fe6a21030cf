//! Projects, and the registration of flows.

use std::collections::HashSet;

use domain::{ApiError, FlowId, FlowProjectId, FlowTaskId, Operation, TenantId, secret};
use serde_json::{Map, Value, json};

use super::backend::{Flows, conflict};
use crate::{
    access::Actor,
    error::Result,
    input, random,
    storage::{
        self,
        audit::Entry,
        db::retry,
        flows::{FlowProject, NewFlow, NewTask},
    },
};

/// The maximum number of projects of a tenant.
const MAX_PROJECTS: i64 = 100;
/// The maximum number of versions of flows of a tenant, including archived ones.
const MAX_FLOWS: i64 = 500;
/// The maximum number of tasks of a flow.
const MAX_TASKS: usize = 1_000;
/// The maximum length of a flow, in bytes of JSON.
pub const MAX_FLOW_BYTES: usize = 4 * 1_024 * 1_024;
/// The maximum length of a flow without its tasks and edges.
const MAX_DETAIL_BYTES: usize = 64 * 1_024;
/// The maximum length of a slug, an idempotency key or a version, in bytes.
const MAX_TEXT: usize = 255;

/// A project to create.
#[derive(Clone, Debug, Default)]
pub struct CreateFlowProject {
    /// The project's name, unique in the tenant.
    pub name: String,
    /// What it is for; at most 1,000 characters are kept.
    pub description: Option<String>,
    /// The tenant that the client expects.
    pub tenant_id: Option<TenantId>,
}

/// A flow to register.
#[derive(Clone, Debug, Default)]
pub struct RegisterFlow {
    /// The project.
    pub project_id: FlowProjectId,
    /// The flow as a JSON object: its `name`, its `tasks` with their `slug`, and what only its clients read.
    pub content: String,
    /// Two registrations with the same key are one, unless there was another in between.
    pub idempotency_key: Option<String>,
}

impl Flows<'_> {
    /// Creates a project. Returns `None` if the tenant has one with this name.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the field `name`; `FORBIDDEN`; `UNAUTHENTICATED` for another tenant; `CONFLICT` if the
    /// tenant has too many, or the backend is off.
    #[tracing::instrument(skip_all)]
    pub async fn create_project(&self, actor: &Actor, input: &CreateFlowProject) -> Result<Option<FlowProjectId>> {
        let permit = self.permit_change(actor, Operation::CreateFlowProject, input.tenant_id).await?;
        let name = input::name(&input.name).map_err(|error| ApiError::field("name", error.to_string()))?;
        let at = self.context.now();
        let description = input.description.as_deref().map(|text| secret::without_tokens(text).into_owned());
        let description = description.map(|text| text.chars().filter(|c| *c != '\0').take(1_000).collect());
        let project = FlowProject { id: FlowProjectId(random::new_id(at)), name, description, created_at: at };
        let subject = ("flow_project", project.id.0, project.name.as_str());
        let entry = Entry::by(actor, Operation::CreateFlowProject, at, subject);
        retry!(self.context.db(), tx => {
            if storage::flows::count_projects(tx, &permit).await? >= MAX_PROJECTS {
                return Err(conflict(format!("This tenant has {MAX_PROJECTS} flow projects, the maximum.")));
            }
            if !storage::flows::insert_project(tx, &permit, &project).await? {
                return Ok(None);
            }
            storage::audit::insert(tx, &entry).await?;
            Ok(Some(project.id))
        })
    }

    /// Registers a flow, or a new version of it. The version before it is archived.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `serialized_flow`, `name`, `tasks`, `idempotency_key`; `NOT_FOUND` without the
    /// project; `FORBIDDEN`; `CONFLICT` if the tenant has too many versions, or the backend is off.
    #[tracing::instrument(skip_all)]
    pub async fn register(&self, actor: &Actor, input: &RegisterFlow) -> Result<FlowId> {
        let permit = self.permit_change(actor, Operation::RegisterFlow, None).await?;
        let flow = self.parse(input)?;
        let entry = Entry::by(actor, Operation::RegisterFlow, flow.at, ("flow", flow.id.0, flow.name.as_str()));
        retry!(self.context.db(), tx => {
            if !storage::flows::lock_project(tx, &permit, flow.project_id).await? {
                return Err(ApiError::not_found().into());
            }
            let current = storage::flows::find_current(tx, flow.project_id, &flow.name).await?;
            if let Some(current) = &current
                && flow.idempotency_key.is_some()
                && current.idempotency_key == flow.idempotency_key
            {
                return Ok(FlowId(current.id));
            }
            if storage::flows::count_flows(tx, &permit).await? >= MAX_FLOWS {
                return Err(conflict(format!(
                    "This tenant has {MAX_FLOWS} versions of flows, the maximum. Archived ones are deleted after 30 days."
                )));
            }
            storage::flows::insert(tx, &permit, &flow, current.as_ref()).await?;
            storage::audit::insert(tx, &entry).await?;
            Ok(flow.id)
        })
    }

    fn parse(&self, input: &RegisterFlow) -> Result<NewFlow> {
        let refuse = |message: &str| ApiError::field("serialized_flow", message);
        if input.content.len() > MAX_FLOW_BYTES {
            return Err(refuse("The flow is longer than 4 MiB.").into());
        }
        if secret::contains_token(&input.content) {
            return Err(refuse("The flow contains an API key. Let it read the key elsewhere.").into());
        }
        let Ok(Value::Object(mut flow)) = serde_json::from_str(&input.content) else {
            return Err(refuse("The flow isn't a JSON object.").into());
        };
        let name = input::name(text(&flow, "name")).map_err(|error| ApiError::field("name", error.to_string()))?;
        let at = self.context.now();
        let tasks = tasks_of(&flow, at)?;
        for part in ["tasks", "edges", "reference_tasks"] {
            flow.remove(part);
        }
        let core_version = Some(text(&flow, "__version__")).filter(|text| !text.is_empty() && text.len() <= MAX_TEXT);
        let core_version = core_version.map(str::to_owned);
        let details = Value::Object(flow).to_string();
        if details.len() > MAX_DETAIL_BYTES {
            return Err(refuse("The flow without its tasks is longer than 64 KiB. Store its code in a file.").into());
        }
        Ok(NewFlow {
            id: FlowId(random::new_id(at)),
            project_id: input.project_id,
            name,
            idempotency_key: idempotency_key(input.idempotency_key.as_deref())?,
            core_version,
            details,
            content: input.content.replace('\0', ""),
            tasks,
            at,
        })
    }
}

/// Checks an idempotency key. An empty one is none.
pub(super) fn idempotency_key(key: Option<&str>) -> Result<Option<String>> {
    let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(None) };
    if key.len() > MAX_TEXT || key.chars().any(char::is_control) {
        return Err(ApiError::field("idempotency_key", "Use at most 255 visible characters.").into());
    }
    Ok(Some(key.to_owned()))
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(flow: &'a Map<String, Value>, field: &str) -> &'a [Value] {
    flow.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn tasks_of(flow: &Map<String, Value>, at: chrono::DateTime<chrono::Utc>) -> Result<Vec<NewTask>> {
    let refuse = |message: &str| ApiError::field("tasks", message);
    let listed = items(flow, "tasks");
    if listed.len() > MAX_TASKS {
        return Err(refuse("A flow has at most 1,000 tasks here.").into());
    }
    let mapped: HashSet<&str> = items(flow, "edges")
        .iter()
        .filter(|edge| edge["mapped"] == true)
        .filter_map(|edge| edge["downstream_task"]["slug"].as_str())
        .collect();
    let mut known = HashSet::new();
    let mut tasks = Vec::with_capacity(listed.len());
    for task in listed {
        let slug = task["slug"].as_str().unwrap_or_default();
        if slug.is_empty() || slug.len() > MAX_TEXT || slug.chars().any(char::is_control) || !known.insert(slug) {
            return Err(refuse("Each task needs a slug of its own, of at most 255 characters.").into());
        }
        let name: String =
            task["name"].as_str().unwrap_or(slug).chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        let details = json!({
            "type": task["type"],
            "description": task["description"],
            "max_retries": task["max_retries"],
            "retry_delay": task["retry_delay"],
            "mapped": mapped.contains(slug),
        });
        let id = FlowTaskId(random::new_id(at));
        tasks.push(NewTask { id, slug: slug.to_owned(), name, details: details.to_string() });
    }
    Ok(tasks)
}
