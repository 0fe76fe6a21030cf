//! Invitations.

use chrono::{DateTime, Utc};
use domain::{Email, Invitation, InvitationId, Role, TenantId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read},
    instant, micros, stored_name,
    tenants::role_of,
};
use crate::{Error, Result, policy::Permit};

const COLUMNS: &str =
    "i.id, i.tenant_id, t.name AS tenant_name, i.email, i.role, i.created_at, i.created_by, i.expires_at";

/// Who invited may do so still: nobody's word goes further than their rights do. The operator's has no id, and those of
/// earlier versions have none.
const BY_AN_ADMINISTRATOR: &str = "(i.created_by_id IS NULL \
     OR EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = i.tenant_id AND m.user_id = i.created_by_id AND m.role = 'TENANT_ADMIN') \
     OR EXISTS (SELECT 1 FROM service_accounts s WHERE s.id = i.created_by_id AND s.tenant_id = i.tenant_id AND s.role = 'TENANT_ADMIN' \
     AND s.deleted_at IS NULL AND s.suspended_at IS NULL))";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    tenant_name: String,
    email: String,
    role: String,
    created_at: i64,
    created_by: String,
    expires_at: i64,
}

impl Row {
    fn into_invitation(self) -> Result<Invitation> {
        let email =
            Email::parse(&self.email).map_err(|_| Error::Fault(format!("invitation {} has a bad address", self.id)))?;
        Ok(Invitation {
            id: InvitationId(self.id),
            tenant_id: TenantId(self.tenant_id),
            tenant_name: stored_name(&self.tenant_name),
            email,
            role: role_of(&self.role)?,
            created_at: instant(self.created_at),
            created_by: self.created_by,
            expires_at: instant(self.expires_at),
        })
    }
}

/// An invitation about to be.
#[derive(Clone, Debug)]
pub(crate) struct NewInvitation {
    pub(crate) id: InvitationId,
    pub(crate) email: Email,
    pub(crate) role: Role,
    pub(crate) digest: [u8; 32],
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) created_by_id: Option<Uuid>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Adds one to the permit's tenant; an open one for the same address is closed.
pub(crate) async fn insert(tx: &mut Tx, permit: &Permit, invitation: &NewInvitation) -> Result<()> {
    close_all_for(tx, permit.tenant_id(), &invitation.email, invitation.created_at).await?;
    change!(
        tx,
        sqlx::query(
            "INSERT INTO invitations (id, tenant_id, email, role, digest, created_at, created_by, expires_at, created_by_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(invitation.id.0)
        .bind(permit.tenant_id().0)
        .bind(invitation.email.as_str())
        .bind(invitation.role.as_str())
        .bind(invitation.digest.as_slice())
        .bind(micros(invitation.created_at))
        .bind(invitation.created_by.as_str())
        .bind(micros(invitation.expires_at))
        .bind(invitation.created_by_id)
    )?;
    Ok(())
}

/// The open ones of the permit's tenant, the newest first; also those that don't count now, see [`find_by_digest`].
pub(crate) async fn list(db: &Db, permit: &Permit, now: DateTime<Utc>) -> Result<Vec<Invitation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
         WHERE i.tenant_id = $1 AND i.closed_at IS NULL AND i.expires_at > $2 ORDER BY i.created_at DESC, i.id"
    );
    let rows: Vec<Row> = read!(db, c =>
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(permit.tenant_id().0).bind(micros(now)).fetch_all(c))?;
    rows.into_iter().map(Row::into_invitation).collect()
}

/// The open one whose link holds a secret.
pub(crate) async fn find_by_digest(db: &Db, digest: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Invitation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
         WHERE i.digest = $1 AND i.closed_at IS NULL AND i.expires_at > $2 AND {BY_AN_ADMINISTRATOR}"
    );
    let row: Option<Row> = read!(db, c =>
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(digest.as_slice()).bind(micros(now)).fetch_optional(c))?;
    row.map(Row::into_invitation).transpose()
}

/// Closes one that is open: by whoever comes first. False when it is over. `that_counts`: false as well when who invited
/// may not do so any more.
pub(crate) async fn close(
    tx: &mut Tx,
    tenant: TenantId,
    id: InvitationId,
    that_counts: bool,
    at: DateTime<Utc>,
) -> Result<bool> {
    let counts = if that_counts { BY_AN_ADMINISTRATOR } else { "1 = 1" };
    let sql = format!(
        "UPDATE invitations AS i SET closed_at = $3 WHERE id = $1 AND tenant_id = $2 AND closed_at IS NULL AND expires_at > $3 \
         AND {counts}"
    );
    let rows = change!(tx, sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(id.0).bind(tenant.0).bind(micros(at)))?;
    Ok(rows == 1)
}

/// Closes all that are open for an address.
pub(crate) async fn close_all_for(tx: &mut Tx, tenant: TenantId, email: &Email, at: DateTime<Utc>) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE invitations SET closed_at = $3 WHERE tenant_id = $1 AND email = $2 AND closed_at IS NULL")
            .bind(tenant.0)
            .bind(email.as_str())
            .bind(micros(at))
    )?;
    Ok(())
}
