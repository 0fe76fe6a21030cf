//! What browsers show to gateways, by the SHA-256 of its secret: passes, and the codes that are exchanged for them.

use chrono::{DateTime, Utc};
use domain::{Role, SessionId, Slug, TenantId, UserId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, retry, run},
    instant, micros, role_of,
};
use crate::error::{Error, Result};

/// A pass, or a code for one.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) digest: [u8; 32],
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Inserts a pass or, with a state, a code.
pub(crate) async fn insert(tx: &mut Tx, gateway: &str, pass: &Pass, state: Option<[u8; 32]>) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO gateway_passes (digest, gateway, user_id, session_id, state, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"
        )
        .bind(pass.digest.as_slice())
        .bind(gateway)
        .bind(pass.user.0)
        .bind(pass.session.0)
        .bind(state.as_ref().map(<[u8; 32]>::as_slice))
        .bind(micros(pass.expires_at))
    )?;
    Ok(())
}

/// Deletes a code that can be used at `now`, and returns the user and the session that it was issued to.
pub(crate) async fn take_code(
    tx: &mut Tx,
    gateway: &str,
    code: &[u8; 32],
    state: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<(UserId, SessionId)>> {
    let row: Option<(Uuid, Uuid)> = run!(tx, c =>
        sqlx::query_as(
            "DELETE FROM gateway_passes WHERE digest = $1 AND gateway = $2 AND state = $3 AND expires_at > $4 \
             RETURNING user_id, session_id",
        )
        .bind(code.as_slice())
        .bind(gateway)
        .bind(state.as_slice())
        .bind(micros(now))
        .fetch_optional(c))?;
    Ok(row.map(|(user, session)| (UserId(user), SessionId(session))))
}

/// A signed-in person who visits a gateway, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The user.
    pub user_id: UserId,
    /// Their name.
    pub name: String,
    /// Their role in the gateway's tenant.
    pub role: Role,
    /// The gateway's tenant.
    pub tenant_id: TenantId,
    /// The tenant's slug.
    pub tenant_slug: Slug,
    /// The session.
    pub session: SessionId,
}

/// The holder of a pass, and what limits their session.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) visitor: Visitor,
    pub(crate) signed_in_at: DateTime<Utc>,
    pub(crate) seen_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    user_id: Uuid,
    session_id: Uuid,
    name: String,
    role: String,
    slug: String,
    signed_in_at: i64,
    seen_at: i64,
}

/// Finds the holder of a pass, if their session hasn't ended at `now` and they are a member of a tenant.
pub(crate) async fn find(
    db: &Db,
    digest: &[u8; 32],
    gateway: &str,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<Option<Found>> {
    let row: Option<FoundRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT p.user_id, p.session_id, u.name, m.role, t.slug, s.signed_in_at, s.seen_at FROM gateway_passes p \
             JOIN sessions s ON s.user_id = p.user_id AND s.id = p.session_id AND s.expires_at > $4 \
             JOIN memberships m ON m.user_id = p.user_id AND m.tenant_id = $3 \
             JOIN users u ON u.id = p.user_id JOIN tenants t ON t.id = m.tenant_id \
             WHERE p.digest = $1 AND p.gateway = $2 AND p.state IS NULL AND p.expires_at > $4",
        )
        .bind(digest.as_slice())
        .bind(gateway)
        .bind(tenant.0)
        .bind(micros(now))
        .fetch_optional(c))?;
    let Some(row) = row else { return Ok(None) };
    let slug = Slug::parse(&row.slug).map_err(|_| Error::Fault(format!("tenant {}: invalid slug", tenant.0)))?;
    Ok(Some(Found {
        visitor: Visitor {
            user_id: UserId(row.user_id),
            name: row.name,
            role: role_of(&row.role)?,
            tenant_id: tenant,
            tenant_slug: slug,
            session: SessionId(row.session_id),
        },
        signed_in_at: instant(row.signed_in_at),
        seen_at: instant(row.seen_at),
    }))
}

/// Makes a session expire later. Leaves a later use as it is.
pub(crate) async fn extend(
    db: &Db,
    user: UserId,
    session: SessionId,
    seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    retry!(db, tx => {
        change!(
            tx,
            sqlx::query("UPDATE sessions SET seen_at = $3, expires_at = $4 WHERE user_id = $1 AND id = $2 AND seen_at < $3")
                .bind(user.0)
                .bind(session.0)
                .bind(micros(seen_at))
                .bind(micros(expires_at))
        )?;
        Ok(())
    })
}

/// Deletes passes and codes that have expired at `now`.
pub(crate) async fn delete_expired(db: &Db, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "DELETE FROM gateway_passes WHERE expires_at <= $1 AND digest IN \
         (SELECT digest FROM gateway_passes WHERE expires_at <= $1 LIMIT $2)";
    super::sweeping::delete_in_steps(db, SQL, micros(now)).await
}
