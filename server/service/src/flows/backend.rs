//! The backend as a whole: whether it is on, its rights and its limits.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{ApiError, ErrorCode, Operation, TenantId};

use crate::{
    access::{Actor, ReadPermit, Target, WritePermit, authorize, authorize_write},
    context::Context,
    error::Result,
    keys::usage::UsageBuffer,
};

/// How long a run is kept after it was created, and an archived version of a flow after its last run.
pub(crate) const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// Use cases of the built-in backend for flow runs.
pub struct Flows<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) is_on: bool,
}

impl Flows<'_> {
    /// Whether the operator has turned the backend on. Otherwise, every other use case fails.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn require_on(&self) -> Result<()> {
        if self.is_on {
            return Ok(());
        }
        let message = "Flow runs are turned off here. The operator can turn them on: latchkey serve --flow-runs.";
        Err(conflict(message))
    }

    /// Authorizes the actor to read flows.
    pub(super) fn permit_read(&self, actor: &Actor) -> Result<ReadPermit> {
        self.require_on()?;
        let permit = authorize(actor, Operation::ReadFlows, Target::Tenant(actor.tenant_id()));
        self.context.audit().count_demand(actor, Operation::ReadFlows);
        Ok(permit?)
    }

    /// Authorizes the actor to change something for itself, and records a refusal. `tenant`: the one that the client
    /// expects.
    pub(super) async fn permit_change(
        &self,
        actor: &Actor,
        operation: Operation,
        tenant: Option<TenantId>,
    ) -> Result<WritePermit> {
        self.require_on()?;
        let target = own(actor, tenant)?;
        self.context.permit_write(actor, operation, target).await
    }

    /// Authorizes an agent or a flow to report on a run. Refusals aren't in the audit log: they may come every second.
    pub(super) fn permit_report(&self, actor: &Actor) -> Result<WritePermit> {
        self.require_on()?;
        let permit = authorize_write(actor, Operation::ReportFlowRun, own(actor, None)?);
        self.context.audit().count_demand(actor, Operation::ReportFlowRun);
        Ok(permit?)
    }
}

/// Returns the actor as a target. A tenant other than the actor's gets the error that the clients expect.
fn own(actor: &Actor, tenant: Option<TenantId>) -> Result<Target> {
    if tenant.is_some_and(|id| id != actor.tenant_id()) {
        return Err(ApiError::unauthenticated().into());
    }
    Ok(Target::Owner(actor.tenant_id(), actor.require_owner()?))
}

pub(super) fn conflict(message: impl Into<String>) -> crate::error::Error {
    ApiError::new(ErrorCode::Conflict, message).into()
}
