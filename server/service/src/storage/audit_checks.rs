//! The results of the periodic verification of the audit log's chains.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Db, change, read};
use crate::error::Result;

/// The result of a chain's last verification.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct CheckRow {
    pub(crate) checked_at: i64,
    pub(crate) entries: i64,
    pub(crate) problem: Option<String>,
}

/// Claims the verification of a chain, unless it was claimed after `earlier`, by this server or another.
pub(crate) async fn claim(db: &Db, chain: Uuid, now: i64, earlier: i64) -> Result<bool> {
    let mut tx = db.begin().await?;
    let claimed = change!(
        &mut tx,
        sqlx::query(
            "INSERT INTO audit_checks (tenant_id, claimed_at) VALUES ($1, $2) \
             ON CONFLICT (tenant_id) DO UPDATE SET claimed_at = $2 WHERE audit_checks.claimed_at <= $3"
        )
        .bind(chain)
        .bind(now)
        .bind(earlier)
    )?;
    tx.commit().await?;
    Ok(claimed == 1)
}

/// Stores the result of a claimed verification.
pub(crate) async fn record(db: &Db, chain: Uuid, result: &CheckRow) -> Result<()> {
    let mut tx = db.begin().await?;
    change!(
        &mut tx,
        sqlx::query("UPDATE audit_checks SET checked_at = $2, entries = $3, problem = $4 WHERE tenant_id = $1")
            .bind(chain)
            .bind(result.checked_at)
            .bind(result.entries)
            .bind(result.problem.as_deref())
    )?;
    tx.commit().await
}

/// Finds the result of a chain's last verification.
pub(crate) async fn find(db: &Db, chain: Uuid) -> Result<Option<CheckRow>> {
    Ok(read!(db, c =>
        sqlx::query_as(
            "SELECT checked_at, entries, problem FROM audit_checks WHERE tenant_id = $1 AND checked_at IS NOT NULL",
        )
        .bind(chain)
        .fetch_optional(c))?)
}
