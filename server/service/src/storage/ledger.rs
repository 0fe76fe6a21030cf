//! What the database says about the revocations in the revocation ledger.

use domain::{Operation, ServiceAccountId, TenantId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{Line, Revoked, change, read, read_list},
    instant,
    keys::{owner_of, revoked_owner},
    micros,
};
use crate::error::Result;

/// The operation of the audit entry that a restore writes.
pub(crate) const RESTORE: &str = "restore_backup";

/// A revoked key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct RevokedRow {
    pub(crate) id: Uuid,
    tenant_id: Uuid,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    revoked_at: i64,
}

impl RevokedRow {
    /// Returns the key's line in the ledger.
    pub(crate) fn line(&self) -> Line {
        Line { what: Revoked::Key(self.id), at: instant(self.revoked_at) }
    }

    /// Returns the owner, who may be in the ledger instead of the key.
    pub(crate) fn owner(&self) -> Revoked {
        revoked_owner(TenantId(self.tenant_id), owner_of(self.user_id, self.service_account_id))
    }
}

/// Returns up to `limit` revoked keys with ids above `after`, in the order of their ids.
pub(crate) async fn list_revoked(db: &Db, after: Uuid, limit: u32) -> Result<Vec<RevokedRow>> {
    Ok(read_list!(db, c =>
        sqlx::query_as(
            "SELECT id, tenant_id, user_id, service_account_id, revoked_at FROM api_keys \
             WHERE revoked_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(c))?)
}

/// Returns the lines about deleted service accounts, removed members and changed passwords, the latest of each tenant.
pub(crate) async fn list_others(db: &Db) -> Result<Vec<Line>> {
    let accounts: Vec<(Uuid, i64)> = read_list!(db, c =>
        sqlx::query_as("SELECT id, deleted_at FROM service_accounts WHERE deleted_at IS NOT NULL").fetch_all(c))?;
    let accounts = accounts.into_iter().map(|(id, at)| Line { what: Revoked::Account(id), at: instant(at) });
    let members = list_latest_entries(db, Operation::RemoveMember).await?.into_iter().filter_map(|entry| {
        let what = Revoked::Member { tenant: entry.tenant_id?, user: entry.subject_id };
        Some(Line { what, at: instant(entry.at) })
    });
    let passwords = list_latest_entries(db, Operation::ChangePassword).await?.into_iter();
    let passwords = passwords.map(|entry| Line { what: Revoked::Password(entry.subject_id), at: instant(entry.at) });
    Ok(accounts.chain(members).chain(passwords).collect())
}

#[derive(sqlx::FromRow)]
struct LatestEntryRow {
    tenant_id: Option<Uuid>,
    subject_id: Uuid,
    at: i64,
}

/// Returns the latest audit entry of an operation about each subject, in each tenant and outside of them.
async fn list_latest_entries(db: &Db, operation: Operation) -> Result<Vec<LatestEntryRow>> {
    Ok(read_list!(db, c =>
        sqlx::query_as(
            "SELECT a.tenant_id, a.subject_id, MAX(a.at) AS at FROM tenants t JOIN audit_log a ON a.tenant_id = t.id \
             WHERE a.operation = $1 AND a.outcome = 'done' AND a.subject_id IS NOT NULL GROUP BY a.tenant_id, a.subject_id \
             UNION ALL \
             SELECT tenant_id, subject_id, MAX(at) AS at FROM audit_log \
             WHERE tenant_id IS NULL AND operation = $1 AND outcome = 'done' AND subject_id IS NOT NULL \
             GROUP BY tenant_id, subject_id",
        )
        .bind(operation.as_str())
        .fetch_all(c))?)
}

/// What the database says about something in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is revoked here too.
    Revoked,
    /// It would still be accepted.
    Accepted,
    /// The database doesn't know it.
    Unknown,
}

/// Returns what the database says about a line.
pub(crate) async fn find_state(db: &Db, line: &Line) -> Result<State> {
    // 1 if it is still accepted, 0 if it is revoked.
    let (sql, id, other, operation) = match line.what {
        Revoked::Key(key) => (
            "SELECT CASE WHEN revoked_at IS NULL THEN 1 ELSE 0 END FROM api_keys WHERE id = $1 AND $2 = $2 AND $3 = $3 AND $4 = $4",
            key,
            key,
            "",
        ),
        Revoked::Account(account) => (
            "SELECT CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END FROM service_accounts WHERE id = $1 AND $2 = $2 AND $3 = $3 AND $4 = $4",
            account,
            account,
            "",
        ),
        // Somebody who came back is a member again rightly.
        Revoked::Member { tenant, user } => (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND m.tenant_id = $2 AND m.created_at <= $3) \
             THEN 1 ELSE 0 END FROM users u WHERE u.id = $1 AND $4 = $4",
            user,
            tenant,
            "",
        ),
        Revoked::Password(user) => (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM audit_log a WHERE a.subject_id = u.id AND a.at >= $3 \
             AND a.operation = $4 AND a.outcome = 'done') THEN 0 ELSE 1 END FROM users u WHERE u.id = $1 AND $2 = $2",
            user,
            user,
            Operation::ChangePassword.as_str(),
        ),
        Revoked::Restored => (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM audit_log WHERE tenant_id IS NULL AND operation = $4 AND at = $3) \
             THEN 0 ELSE 1 END WHERE $1 = $1 AND $2 = $2",
            Uuid::nil(),
            Uuid::nil(),
            RESTORE,
        ),
    };
    let row: Option<i32> = read!(db, c =>
        sqlx::query_scalar(sql).bind(id).bind(other).bind(micros(line.at)).bind(operation).fetch_optional(c))?;
    Ok(match row {
        None => State::Unknown,
        Some(0) => State::Revoked,
        Some(_) => State::Accepted,
    })
}

/// Finds the tenant of a service account.
pub(crate) async fn find_tenant_of_account(db: &Db, account: ServiceAccountId) -> Result<Option<TenantId>> {
    let tenant: Option<Uuid> = read!(db, c =>
        sqlx::query_scalar("SELECT tenant_id FROM service_accounts WHERE id = $1").bind(account.0).fetch_optional(c))?;
    Ok(tenant.map(TenantId))
}

/// Finds the time of the latest audit entry, in microseconds.
pub(crate) async fn find_latest_entry(db: &Db) -> Result<Option<i64>> {
    Ok(read_list!(db, c => sqlx::query_scalar("SELECT MAX(at) FROM audit_log").fetch_one(c))?)
}

/// Ends everything that may have been ended since the backup, and that people can get again: sessions, remembered
/// browsers, open invitations and calendar feeds.
pub(crate) async fn end_temporary_access(tx: &mut Tx, at: i64) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM sessions"))?;
    change!(tx, sqlx::query("DELETE FROM remembered_browsers"))?;
    change!(tx, sqlx::query("DELETE FROM calendar_feeds"))?;
    change!(tx, sqlx::query("UPDATE invitations SET closed_at = $1 WHERE closed_at IS NULL").bind(at))?;
    Ok(())
}
