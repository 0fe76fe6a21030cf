//! Server functions for the audit log, agents and their runs.

use domain::{
    Agent, FlowRun, ListFlowRuns, Page,
    agent::ListAgents,
    audit::{AuditEntry, GetAuditLog},
};
use leptos::prelude::*;

use super::{error::AppError, protocol::Reads};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns one page of the tenant's audit log.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetAuditLogCall, prefix = "/fn", endpoint = "audit_log", protocol = Reads<GetAuditLog>)]
pub async fn get_audit_log(input: GetAuditLog) -> Result<Page<AuditEntry>, AppError> {
    let request = context();
    Ok(request.services.audit_log().list(request.actor()?, &input.query).await?)
}

/// Returns agents with the time of their last heartbeat.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListAgentsCall, prefix = "/fn", endpoint = "agents", protocol = Reads<ListAgents>)]
pub async fn get_agents(input: ListAgents) -> Result<Vec<Agent>, AppError> {
    let request = context();
    Ok(request.services.agents().list(request.actor()?, input.scope).await?)
}

/// Returns one page of the runs that agents took with some keys.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListFlowRunsCall, prefix = "/fn", endpoint = "flow_runs", protocol = Reads<ListFlowRuns>)]
pub async fn get_flow_runs(input: ListFlowRuns) -> Result<Page<FlowRun>, AppError> {
    let request = context();
    Ok(request.services.flows().list(request.actor()?, &input).await?)
}
