//! The queries of existing Prefect clients about projects, flows and runs.

use async_graphql::{Context, ID, Object, Result};
use domain::{AgentScope, ApiError, ListFlowRuns};
use service::{FlowColumn, FlowFilter, FlowTest, FlowValue};
use uuid::Uuid;

use super::{
    filters::UuidText,
    flow_filters::{
        FlowColumnName, FlowOrder, FlowRunFilter, FlowRunOrder, FlowWhere, ProjectFilter, ProjectOrder, TaskFilter,
        TaskOrder, TaskRunFilter, TaskRunOrder, order_of,
    },
    flow_types::{Flow, FlowRun, FlowTask, ListedFlowRun, Project, TaskRun},
};
use crate::graphql::{
    context::{actor, id, owner, services},
    error::refuse,
    query::page,
    types::PageOf,
};

/// The queries of existing Prefect clients about projects, flows and runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowQuery;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl FlowQuery {
    /// Projects of flows; at most 100.
    async fn project(
        &self,
        context: &Context<'_>,
        r#where: Option<ProjectFilter>,
        order_by: Option<Vec<ProjectOrder>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<Project>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let order = order_of(order_by.as_deref());
        let flows = services(context)?.flows();
        let projects = flows.projects(actor(context)?, &filter, &order, rows(limit)?).await.map_err(refuse)?;
        Ok(Some(projects.into_iter().map(Project).collect()))
    }

    /// Versions of flows; at most 100.
    async fn flow(
        &self,
        context: &Context<'_>,
        r#where: Option<FlowWhere>,
        order_by: Option<Vec<FlowOrder>>,
        #[graphql(desc = "Of each name, only the first")] distinct_on: Option<Vec<FlowColumnName>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<Flow>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let order = order_of(order_by.as_deref());
        let one_a_name = distinct_on.is_some_and(|columns| !columns.is_empty());
        let flows = services(context)?.flows();
        let found = flows.flows(actor(context)?, &filter, &order, rows(limit)?, one_a_name).await.map_err(refuse)?;
        Ok(Some(found.into_iter().map(Flow::from).collect()))
    }

    /// A version of a flow; null if there is none with this id.
    async fn flow_by_pk(&self, context: &Context<'_>, id: UuidText) -> Result<Option<Flow>> {
        let Ok(id) = id.0.parse() else { return Ok(None) };
        let flow = services(context)?.flows().find_flow(actor(context)?, id).await.map_err(refuse)?;
        Ok(flow.map(Flow::from))
    }

    /// Tasks of flows; at most 1,000.
    async fn task(
        &self,
        context: &Context<'_>,
        r#where: Option<TaskFilter>,
        order_by: Option<Vec<TaskOrder>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<FlowTask>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let order = order_of(order_by.as_deref());
        let flows = services(context)?.flows();
        let tasks = flows.tasks(actor(context)?, &filter, &order, rows(limit)?).await.map_err(refuse)?;
        Ok(Some(tasks.into_iter().map(FlowTask::from).collect()))
    }

    /// Runs of flows; at most 100.
    async fn flow_run(
        &self,
        context: &Context<'_>,
        r#where: Option<FlowRunFilter>,
        order_by: Option<Vec<FlowRunOrder>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<FlowRun>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let order = order_of(order_by.as_deref());
        let flows = services(context)?.flows();
        let runs = flows.runs(actor(context)?, &filter, &order, rows(limit)?).await.map_err(refuse)?;
        Ok(Some(runs.into_iter().map(FlowRun).collect()))
    }

    /// A run of a flow; null if there is none with this id.
    async fn flow_run_by_pk(&self, context: &Context<'_>, id: UuidText) -> Result<Option<FlowRun>> {
        let id = FlowTest::Equal(FlowValue::Id(Uuid::try_parse(id.0.trim()).ok()));
        let filter = FlowFilter::Is(FlowColumn::RunId, id);
        let runs = services(context)?.flows().runs(actor(context)?, &filter, &[], Some(1)).await.map_err(refuse)?;
        Ok(runs.into_iter().next().map(FlowRun))
    }

    /// Runs of tasks; at most 1,000.
    async fn task_run(
        &self,
        context: &Context<'_>,
        r#where: Option<TaskRunFilter>,
        order_by: Option<Vec<TaskRunOrder>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<TaskRun>>> {
        let filter = r#where.map(|filter| filter.filter()).unwrap_or_default();
        let order = order_of(order_by.as_deref());
        let flows = services(context)?.flows();
        let runs = flows.task_runs(actor(context)?, &filter, &order, rows(limit)?).await.map_err(refuse)?;
        Ok(Some(runs.into_iter().map(TaskRun::from).collect()))
    }

    /// A page of the runs that agents took with a key, with the keys of an owner or, with neither, of the whole tenant;
    /// newest first.
    async fn flow_runs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A service account's id, or the caller's own")] owner_id: Option<ID>,
        api_key_id: Option<ID>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<ListedFlowRun>>> {
        let scope = match (api_key_id, owner_id) {
            (Some(key), _) => AgentScope::Key(id(&key)?),
            (None, Some(text)) => AgentScope::Owner(owner(actor(context)?, &text)?),
            (None, None) => AgentScope::Tenant,
        };
        let input = ListFlowRuns { scope, page: page(after, before, limit)? };
        let page = services(context)?.flows().list(actor(context)?, &input).await.map_err(refuse)?;
        Ok(Some(PageOf::of(page, ListedFlowRun::from)))
    }
}

fn rows(limit: Option<i32>) -> Result<Option<u32>> {
    limit
        .map(|limit| u32::try_from(limit).map_err(|_| refuse(ApiError::field("limit", "Choose 0 or more."))))
        .transpose()
}
