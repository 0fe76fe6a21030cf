//! Server functions about the audit log and agents.

use domain::{
    Agent, Page,
    agent::ListAgents,
    audit::{AuditEntry, GetAuditLog},
};
use leptos::prelude::*;

use super::{error::AppError, protocol::Reads};
#[cfg(feature = "ssr")]
use crate::request::context;

/// One page of the tenant's audit log.
///
/// # Errors
/// As the use case.
#[server(name = GetAuditLogCall, prefix = "/fn", endpoint = "audit_log", protocol = Reads<GetAuditLog>)]
pub async fn get_audit_log(input: GetAuditLog) -> Result<Page<AuditEntry>, AppError> {
    let request = context();
    Ok(request.services.audit_log().list(request.actor()?, &input.query).await?)
}

/// Agents, and when they were last heard of.
///
/// # Errors
/// As the use case.
#[server(name = ListAgentsCall, prefix = "/fn", endpoint = "agents", protocol = Reads<ListAgents>)]
pub async fn get_agents(input: ListAgents) -> Result<Vec<Agent>, AppError> {
    let request = context();
    Ok(request.services.agents().list(request.actor()?, input.scope).await?)
}
