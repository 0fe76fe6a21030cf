//! What the clients read of projects, flows and runs. Everyone in the tenant may read all of it.

use domain::{ApiError, FlowId, FlowProjectId, FlowRunId};

use super::backend::Flows;
use crate::{
    access::{Actor, ReadPermit},
    error::Result,
    storage::{
        self,
        flow_filter::{FlowFilter, FlowOrder},
        flow_runs::{LogLine, RunRecord, StateRecord, TaskRunRecord},
        flows::{FlowProject, FlowRecord, FlowTaskRecord},
    },
};

/// The maximum number of rows that a list of projects, flows or runs returns.
const MAX_ROWS: u32 = 100;
/// The maximum number of rows that a list of tasks or of their runs returns.
const MAX_TASK_ROWS: u32 = 1_000;
/// The maximum number of conditions and values in a filter. `SQLite` binds at most 32,766.
const MAX_FILTER: usize = 1_000;

impl Flows<'_> {
    /// Returns projects.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a filter with too many values; `FORBIDDEN`; `CONFLICT` if the backend is off.
    pub async fn projects(
        &self,
        actor: &Actor,
        filter: &FlowFilter,
        order: &FlowOrder,
        limit: Option<u32>,
    ) -> Result<Vec<FlowProject>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flows::list_projects(self.context.db(), &permit, filter, order, rows(limit, MAX_ROWS)).await
    }

    /// Counts the flows of a project: each once or, if not `distinct`, all its versions.
    ///
    /// # Errors
    /// `FORBIDDEN`; `CONFLICT` if the backend is off.
    pub async fn count_of_project(&self, actor: &Actor, id: FlowProjectId, distinct: bool) -> Result<i64> {
        let permit = self.permit_read(actor)?;
        storage::flows::count_of_project(self.context.db(), &permit, id, distinct).await
    }

    /// Returns versions of flows. `one_a_name`: of each name, only the first.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn flows(
        &self,
        actor: &Actor,
        filter: &FlowFilter,
        order: &FlowOrder,
        limit: Option<u32>,
        one_a_name: bool,
    ) -> Result<Vec<FlowRecord>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flows::list(self.context.db(), &permit, filter, order, rows(limit, MAX_ROWS), one_a_name).await
    }

    /// Finds a version of a flow.
    ///
    /// # Errors
    /// `FORBIDDEN`; `CONFLICT` if the backend is off.
    pub async fn find_flow(&self, actor: &Actor, id: FlowId) -> Result<Option<FlowRecord>> {
        let permit = self.permit_read(actor)?;
        Ok(storage::flows::find_all(self.context.db(), &permit, &[id.0]).await?.pop())
    }

    /// Returns a flow in JSON, as its client sent it.
    ///
    /// # Errors
    /// `FORBIDDEN`; `CONFLICT` if the backend is off.
    pub async fn flow_content(&self, actor: &Actor, id: FlowId) -> Result<Option<String>> {
        let permit = self.permit_read(actor)?;
        storage::flows::find_content(self.context.db(), &permit, id).await
    }

    /// Returns tasks of flows.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn tasks(
        &self,
        actor: &Actor,
        filter: &FlowFilter,
        order: &FlowOrder,
        limit: Option<u32>,
    ) -> Result<Vec<FlowTaskRecord>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flows::list_tasks(self.context.db(), &permit, filter, order, rows(limit, MAX_TASK_ROWS)).await
    }

    /// Returns runs of flows.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn runs(
        &self,
        actor: &Actor,
        filter: &FlowFilter,
        order: &FlowOrder,
        limit: Option<u32>,
    ) -> Result<Vec<RunRecord>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flow_runs::list(self.context.db(), &permit, filter, order, rows(limit, MAX_ROWS)).await
    }

    /// Returns runs of tasks.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn task_runs(
        &self,
        actor: &Actor,
        filter: &FlowFilter,
        order: &FlowOrder,
        limit: Option<u32>,
    ) -> Result<Vec<TaskRunRecord>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flow_runs::list_task_runs(self.context.db(), &permit, filter, order, rows(limit, MAX_TASK_ROWS)).await
    }

    /// Returns the states of a run.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn states(
        &self,
        actor: &Actor,
        id: FlowRunId,
        filter: &FlowFilter,
        newest_first: bool,
    ) -> Result<Vec<StateRecord>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flow_runs::list_states(self.context.db(), &permit, id, filter, newest_first).await
    }

    /// Returns the log of a run.
    ///
    /// # Errors
    /// As [`Flows::projects`].
    pub async fn log(
        &self,
        actor: &Actor,
        id: FlowRunId,
        filter: &FlowFilter,
        newest_first: bool,
    ) -> Result<Vec<LogLine>> {
        let permit = self.permit_filtered(actor, filter)?;
        storage::flow_runs::list_log(self.context.db(), &permit, id, filter, newest_first).await
    }

    fn permit_filtered(&self, actor: &Actor, filter: &FlowFilter) -> Result<ReadPermit> {
        let permit = self.permit_read(actor)?;
        if filter.size() > MAX_FILTER {
            return Err(ApiError::field("where", "Use at most 1,000 conditions and values.").into());
        }
        Ok(permit)
    }
}

fn rows(limit: Option<u32>, most: u32) -> u32 {
    limit.map_or(most, |limit| limit.min(most))
}
