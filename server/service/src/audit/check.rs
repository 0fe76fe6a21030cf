//! The periodic verification of the audit log's chains, which the audit log's page shows.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Operation, audit::ChainCheck};

use super::log::AuditLog;
use crate::{
    access::{Actor, Target},
    error::Result,
    storage::{
        self,
        audit_checks::{self, CheckRow},
        instant, micros,
    },
};

/// How often each chain is verified.
const EVERY: TimeDelta = TimeDelta::hours(1);

impl AuditLog<'_> {
    /// Returns the result of the last periodic verification of the tenant's chain; `None` before the first.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn last_check(&self, actor: &Actor) -> Result<Option<ChainCheck>> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let row = audit_checks::find(self.audit.db(), permit.tenant_id().0).await?;
        Ok(row.map(|row| ChainCheck {
            at: instant(row.checked_at),
            entries: u64::try_from(row.entries).unwrap_or(0),
            problem: row.problem,
        }))
    }

    /// Verifies every chain whose last verification began an hour ago or earlier. A chain that was changed is logged,
    /// and shown to the tenant's administrators.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn check_due(&self, now: DateTime<Utc>) -> Result<()> {
        let db = self.audit.db();
        for head in storage::audit::list_heads(db).await? {
            let chain = head.tenant_id;
            if !audit_checks::claim(db, chain, micros(now), micros(now - EVERY)).await? {
                continue;
            }
            let report = self.verify_chain(head, Vec::new()).await?;
            let problem = report.problems.first().cloned();
            if let Some(problem) = &problem {
                tracing::error!(tenant = report.slug, problem, "the audit log was changed outside of Latchkey");
            }
            let result = CheckRow { checked_at: micros(self.audit.now()), entries: report.entries, problem };
            audit_checks::record(db, chain, &result).await?;
        }
        Ok(())
    }
}
