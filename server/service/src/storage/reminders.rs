//! Expiry reminders and calendar feeds: which keys expire soon, and which reminders were sent.

use chrono::{DateTime, Utc};
use domain::{ApiKey, Email, KeyId, SessionId, TenantId, UserId};
use uuid::Uuid;

use super::db::TokenDigest;
use super::{
    DAY, Db, Tx,
    db::{change, read},
    keys::{COLUMNS, FROM, KeyPosition, KeyRow, NOT_REPLACED},
    lifecycle::{ACTIVE, NEVER, SUSPENDED, expiry, not_ended},
    micros,
    query::assembled,
};
use crate::error::{Error, Result};

const EXPIRY: &str = expiry!("k.expires_at");
const NOT_ENDED: &str = not_ended!("k.lifecycle");

/// Returns keys whose reminder `days` before expiry hasn't been sent, after `after` in the order of expiry and id, at
/// most `limit`. They are active, expire no later than `until`, were created more than `days` before their expiry, and
/// no unrevoked key replaces them.
pub(crate) async fn list_due(
    db: &Db,
    after: (DateTime<Utc>, KeyId),
    until: DateTime<Utc>,
    days: i64,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE (k.expires_at, k.id) > ($1, $5) AND k.expires_at <= $2 AND k.expires_at IS NOT NULL AND {NOT_ENDED} \
         AND k.suspended_at IS NULL AND s.suspended_at IS NULL AND {NOT_REPLACED} AND k.created_at < k.expires_at - $3 \
         AND NOT EXISTS (SELECT 1 FROM expiry_reminders e WHERE e.key_id = k.id AND e.days_before = $4) \
         ORDER BY k.expires_at, k.id LIMIT {limit}"
    );
    let rows: Vec<KeyRow> = read!(db, c => sqlx::query_as(assembled(sql))
        .bind(micros(after.0))
        .bind(micros(until))
        .bind(days * DAY)
        .bind(days)
        .bind(after.1.0)
        .fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Claims a reminder, so that no other server sends it. Returns false if another server has claimed it.
pub(crate) async fn claim(db: &Db, key: KeyId, days: i64, at: DateTime<Utc>) -> Result<bool> {
    let mut tx = db.begin().await?;
    let rows = change!(
        &mut tx,
        sqlx::query("INSERT INTO expiry_reminders (key_id, days_before, sent_at) VALUES ($1, $2, $3) ON CONFLICT (key_id, days_before) DO NOTHING")
            .bind(key.0)
            .bind(days)
            .bind(micros(at))
    )?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Releases the claim on a reminder that couldn't be sent.
pub(crate) async fn release(db: &Db, key: KeyId, days: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    change!(
        &mut tx,
        sqlx::query("DELETE FROM expiry_reminders WHERE key_id = $1 AND days_before = $2").bind(key.0).bind(days)
    )?;
    tx.commit().await
}

/// Returns the email addresses of a tenant's administrators.
pub(crate) async fn list_administrators(db: &Db, tenant: TenantId) -> Result<Vec<Email>> {
    let rows: Vec<(String,)> = read!(db, c =>
        sqlx::query_as(
            "SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1 AND m.role = 'TENANT_ADMIN' ORDER BY u.email",
        )
        .bind(tenant.0)
        .fetch_all(c))?;
    Ok(rows.into_iter().filter_map(|(text,)| Email::parse(&text).ok()).collect())
}

/// Returns the keys for a user's calendar that expire after `now`, soonest first, at most `limit`, after a position: the user's own and,
/// where the user is an administrator, those of service accounts. From all of the user's tenants, or only from
/// `tenant`.
pub(crate) async fn list_for_calendar(
    db: &Db,
    user: UserId,
    tenant: Option<TenantId>,
    now: DateTime<Utc>,
    after: Option<KeyPosition>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    // Before the first step, every key follows the position.
    let (at, last) = after.map_or((i64::MIN, Uuid::nil()), |position| (micros(position.at), position.id.0));
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} JOIN memberships m ON m.tenant_id = k.tenant_id AND m.user_id = $1 \
         WHERE k.lifecycle IN ({ACTIVE}, {SUSPENDED}) AND {EXPIRY} > $2 AND {EXPIRY} < {NEVER} AND {NOT_REPLACED} \
         AND (k.tenant_id = $3 OR $3 IS NULL) \
         AND (k.user_id = $1 OR (k.service_account_id IS NOT NULL AND m.role = 'TENANT_ADMIN')) \
         AND (k.expires_at, k.id) > ($4, $5) ORDER BY k.expires_at, k.id LIMIT {limit}"
    );
    let rows: Vec<KeyRow> = read!(db, c => sqlx::query_as(assembled(sql))
        .bind(user.0)
        .bind(micros(now))
        .bind(tenant.map(|id| id.0))
        .bind(at)
        .bind(last)
        .fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Creates a calendar feed or replaces its secret: the user's own feed or, with `key`, the feed of that key. `session`:
/// the browser session that creates it.
pub(crate) async fn set_feed(
    tx: &mut Tx,
    user: UserId,
    (key, session): (Option<KeyId>, Option<SessionId>),
    digest: &[u8; 32],
    at: DateTime<Utc>,
) -> Result<()> {
    let one_each = if key.is_some() { "(key_id) WHERE key_id IS NOT NULL" } else { "(user_id) WHERE key_id IS NULL" };
    let sql = format!(
        "INSERT INTO calendar_feeds (digest, user_id, key_id, created_at, session_id) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT {one_each} DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at, \
         session_id = excluded.session_id"
    );
    change!(
        tx,
        sqlx::query(assembled(sql.as_str()))
            .bind(digest.as_slice())
            .bind(user.0)
            .bind(key.map(|id| id.0))
            .bind(micros(at))
            .bind(session.map(|id| id.0))
    )?;
    Ok(())
}

/// Deletes all calendar feeds of a user or, with `key`, only that key's. Returns false if there was none.
pub(crate) async fn delete_feeds(tx: &mut Tx, user: UserId, key: Option<KeyId>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM calendar_feeds WHERE user_id = $1 AND ($2 IS NULL OR key_id = $2)")
            .bind(user.0)
            .bind(key.map(|id| id.0))
    )?;
    Ok(rows > 0)
}

/// Deletes a user's calendar feed that was created in a browser session. Returns false if there was none.
pub(crate) async fn delete_feed_of_session(tx: &mut Tx, user: UserId, session: SessionId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM calendar_feeds WHERE user_id = $1 AND session_id = $2").bind(user.0).bind(session.0)
    )?;
    Ok(rows > 0)
}

/// Deletes all calendar feeds of a user who isn't a member of any tenant.
pub(crate) async fn delete_without_tenant(tx: &mut Tx, user: UserId) -> Result<()> {
    let sql = "DELETE FROM calendar_feeds WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = $1)";
    change!(tx, sqlx::query(sql).bind(user.0))?;
    Ok(())
}

/// A calendar feed as its owner sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct FeedRow {
    pub(crate) created_at: i64,
    pub(crate) key_id: Option<Uuid>,
    pub(crate) key_name: Option<String>,
}

/// Returns a user's calendar feeds, at most 100: their own first, then those of keys that haven't ended, newest first.
pub(crate) async fn list_feeds(db: &Db, user: UserId, now: DateTime<Utc>) -> Result<Vec<FeedRow>> {
    Ok(read!(db, c =>
        sqlx::query_as(
            "SELECT f.created_at, f.key_id, k.name AS key_name FROM calendar_feeds f LEFT JOIN api_keys k ON k.id = f.key_id \
             WHERE f.user_id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) \
             ORDER BY f.key_id IS NOT NULL, f.created_at DESC LIMIT 100",
        )
        .bind(user.0)
        .bind(micros(now))
        .fetch_all(c))?)
}

/// Finds the user whose calendar feed has a secret and, for the feed of a key, the digest of the key's token.
pub(crate) async fn find_feed_owner(db: &Db, digest: &[u8; 32]) -> Result<Option<(UserId, Option<TokenDigest>)>> {
    let row: Option<(Uuid, Option<Vec<u8>>)> = read!(db, c =>
        sqlx::query_as(
            "SELECT f.user_id, k.digest FROM calendar_feeds f LEFT JOIN api_keys k ON k.id = f.key_id WHERE f.digest = $1",
        )
        .bind(digest.as_slice())
        .fetch_optional(c))?;
    let Some((id, key)) = row else { return Ok(None) };
    let key = key.map(TokenDigest::try_from).transpose();
    Ok(Some((UserId(id), key.map_err(|_| Error::Fault(format!("user {id}: a key has an invalid digest")))?)))
}
