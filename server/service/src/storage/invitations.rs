//! Invitations.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{Email, Invitation, InvitationId, KeyId, Role, SessionId, TenantId, UserId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, run},
    instant, micros,
    query::assembled,
    role_of, stored_name,
};
use crate::{
    access::{Inviter, ReadPermit, WritePermit},
    error::{Error, Result},
};

const COLUMNS: &str = "i.id, i.tenant_id, t.name AS tenant_name, i.email, i.role, i.created_at, i.created_by, \
    i.created_by_key, i.expires_at";

/// The inviter's current role in the tenant, as a member or as a service account that is neither suspended nor deleted.
/// NULL while the key that created the invitation is suspended.
const INVITER_ROLE: &str = "CASE WHEN NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = i.created_by_key \
     AND k.suspended_at IS NOT NULL) THEN COALESCE( \
     (SELECT m.role FROM memberships m WHERE m.tenant_id = i.tenant_id AND m.user_id = i.created_by_id), \
     (SELECT s.role FROM service_accounts s WHERE s.id = i.created_by_id AND s.tenant_id = i.tenant_id \
     AND s.deleted_at IS NULL AND s.suspended_at IS NULL)) END AS inviter_role";

#[derive(sqlx::FromRow)]
struct InviterRow {
    created_by_id: Option<Uuid>,
    inviter_role: Option<String>,
}

impl InviterRow {
    fn into_inviter(self) -> Result<Inviter> {
        let role = self.inviter_role.as_deref().map(role_of).transpose()?;
        Ok(if self.created_by_id.is_some() { Inviter::Named(role) } else { Inviter::Unnamed })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    tenant_name: String,
    email: String,
    role: String,
    created_at: i64,
    created_by: String,
    created_by_key: Option<Uuid>,
    expires_at: i64,
}

impl Row {
    fn into_invitation(self) -> Result<Invitation> {
        let email =
            Email::parse(&self.email).map_err(|_| Error::Fault(format!("invitation {}: invalid email", self.id)))?;
        Ok(Invitation {
            id: InvitationId(self.id),
            tenant_id: TenantId(self.tenant_id),
            tenant_name: stored_name(&self.tenant_name),
            email,
            role: role_of(&self.role)?,
            created_at: instant(self.created_at),
            created_by: self.created_by,
            created_by_key: self.created_by_key.map(KeyId),
            expires_at: instant(self.expires_at),
            is_paused: false,
        })
    }
}

/// An invitation to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewInvitation {
    pub(crate) id: InvitationId,
    pub(crate) email: Email,
    pub(crate) role: Role,
    pub(crate) digest: [u8; 32],
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) created_by_id: Option<Uuid>,
    pub(crate) created_by_key: Option<KeyId>,
    pub(crate) created_by_session: Option<SessionId>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Inserts an invitation to the permit's tenant, and closes an open one for the same email address.
pub(crate) async fn insert(tx: &mut Tx, permit: &WritePermit, invitation: &NewInvitation) -> Result<()> {
    close_all_for(tx, permit.tenant_id(), &invitation.email, invitation.created_at).await?;
    change!(
        tx,
        sqlx::query(
            "INSERT INTO invitations (id, tenant_id, email, role, digest, created_at, created_by, expires_at, created_by_id, \
             created_by_key, created_by_session) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
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
        .bind(invitation.created_by_key.map(|id| id.0))
        .bind(invitation.created_by_session.map(|id| id.0))
    )?;
    Ok(())
}

/// Returns the open invitations to the permit's tenant with their inviters, newest first.
pub(crate) async fn list(db: &Db, permit: &ReadPermit, now: DateTime<Utc>) -> Result<Vec<(Invitation, Inviter)>> {
    let sql = format!(
        "SELECT {COLUMNS}, i.created_by_id, {INVITER_ROLE} FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
         WHERE i.tenant_id = $1 AND i.closed_at IS NULL AND i.expires_at > $2 ORDER BY i.created_at DESC, i.id"
    );
    let rows: Vec<Found> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(permit.tenant_id().0).bind(micros(now)).fetch_all(c))?;
    rows.into_iter().map(Found::into_parts).collect()
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    invitation: Row,
    #[sqlx(flatten)]
    inviter: InviterRow,
}

impl Found {
    fn into_parts(self) -> Result<(Invitation, Inviter)> {
        Ok((self.invitation.into_invitation()?, self.inviter.into_inviter()?))
    }
}

/// Finds the open invitation with the digest of a link's secret, and its inviter.
pub(crate) async fn find_by_digest(
    db: &Db,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<(Invitation, Inviter)>> {
    let sql = format!(
        "SELECT {COLUMNS}, i.created_by_id, {INVITER_ROLE} FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
         WHERE i.digest = $1 AND i.closed_at IS NULL AND i.expires_at > $2"
    );
    let found: Option<Found> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(digest.as_slice()).bind(micros(now)).fetch_optional(c))?;
    found.map(Found::into_parts).transpose()
}

/// Finds the inviter of an invitation, inside a transaction.
pub(crate) async fn find_inviter(tx: &mut Tx, tenant: TenantId, id: InvitationId) -> Result<Option<Inviter>> {
    let sql = format!("SELECT i.created_by_id, {INVITER_ROLE} FROM invitations i WHERE i.id = $1 AND i.tenant_id = $2");
    let row: Option<InviterRow> = run!(tx, c =>
        sqlx::query_as(assembled(sql)).bind(id.0).bind(tenant.0).fetch_optional(c))?;
    row.map(InviterRow::into_inviter).transpose()
}

/// Closes an open invitation; only the first attempt succeeds. Returns false if it is already closed or has expired.
pub(crate) async fn close(tx: &mut Tx, tenant: TenantId, id: InvitationId, at: DateTime<Utc>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE invitations SET closed_at = $3 WHERE id = $1 AND tenant_id = $2 AND closed_at IS NULL AND expires_at > $3"
        )
        .bind(id.0)
        .bind(tenant.0)
        .bind(micros(at))
    )?;
    Ok(rows == 1)
}

/// Closes all open invitations for an email address.
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

/// An invitation that was closed together with what created it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Closed {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) email: String,
}

/// The condition for the open invitations in the tenant `$1` at the time `$3` that were created with the key `$2`, or
/// with a key that it replaced and that has been revoked: a replaced key passes its invitations on.
const OPEN_OF_KEY: &str = "tenant_id = $1 AND closed_at IS NULL AND expires_at > $3 \
     AND created_by_key IN (WITH RECURSIVE chain (id, replaces) AS (\
     SELECT k.id, k.replaces FROM api_keys k WHERE k.id = $2 UNION \
     SELECT k.id, k.replaces FROM chain JOIN api_keys k ON k.id = chain.replaces WHERE k.revoked_at IS NOT NULL) \
     SELECT chain.id FROM chain)";

/// Closes the open invitations that were created with a revoked key, or with a key that it replaced and that has been
/// revoked too, and returns them.
pub(crate) async fn close_of_key(tx: &mut Tx, tenant: TenantId, key: KeyId, at: DateTime<Utc>) -> Result<Vec<Closed>> {
    let sql = format!("UPDATE invitations SET closed_at = $3 WHERE {OPEN_OF_KEY} RETURNING id, tenant_id, email");
    Ok(run!(tx, c =>
        sqlx::query_as(assembled(sql)).bind(tenant.0).bind(key.0).bind(micros(at)).fetch_all(c))?)
}

/// Returns the invitations that [`close_of_key`] would close, with their inviters, newest first.
pub(crate) async fn list_of_key(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<Vec<(Invitation, Inviter)>> {
    let sql = format!(
        "SELECT {COLUMNS}, i.created_by_id, {INVITER_ROLE} FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
         WHERE {OPEN_OF_KEY} ORDER BY i.created_at DESC, i.id"
    );
    let rows: Vec<Found> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(permit.tenant_id().0).bind(key.0).bind(micros(now)).fetch_all(c))?;
    rows.into_iter().map(Found::into_parts).collect()
}

/// Closes the open invitations that were created in a browser session, in whatever tenant, and returns them.
pub(crate) async fn close_of_session(tx: &mut Tx, session: SessionId, at: DateTime<Utc>) -> Result<Vec<Closed>> {
    Ok(run!(tx, c =>
        sqlx::query_as(
            "UPDATE invitations SET closed_at = $2 WHERE created_by_session = $1 AND closed_at IS NULL AND expires_at > $2 \
             RETURNING id, tenant_id, email",
        )
        .bind(session.0)
        .bind(micros(at))
        .fetch_all(c))?)
}

/// Returns the addresses of the open invitations that were created in each of a user's sessions, newest first. `now`: in
/// microseconds.
pub(crate) async fn list_of_sessions(db: &Db, user: UserId, now: i64) -> Result<HashMap<SessionId, Vec<String>>> {
    let rows: Vec<(Uuid, String)> = read!(db, c =>
        sqlx::query_as(
            "SELECT i.created_by_session, i.email FROM sessions s JOIN invitations i ON i.created_by_session = s.id \
             WHERE s.user_id = $1 AND i.closed_at IS NULL AND i.expires_at > $2 ORDER BY i.created_at DESC, i.id",
        )
        .bind(user.0)
        .bind(now)
        .fetch_all(c))?;
    let mut invited = HashMap::<_, Vec<_>>::new();
    for (session, email) in rows {
        invited.entry(SessionId(session)).or_default().push(email);
    }
    Ok(invited)
}

/// Closes the open invitations of a user or a service account, and returns how many they were.
pub(crate) async fn close_of_inviter(tx: &mut Tx, tenant: TenantId, inviter: Uuid, at: DateTime<Utc>) -> Result<u64> {
    Ok(change!(
        tx,
        sqlx::query(
            "UPDATE invitations SET closed_at = $3 WHERE tenant_id = $1 AND created_by_id = $2 AND closed_at IS NULL \
             AND expires_at > $3"
        )
        .bind(tenant.0)
        .bind(inviter)
        .bind(micros(at))
    )?)
}
