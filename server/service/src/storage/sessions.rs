//! Browser sessions, under the SHA-256 of the cookie's secret: who reads the table can't take one over.

use domain::UserId;
use uuid::Uuid;

use super::{
    Db,
    db::{change, read},
    instant, micros,
};
use crate::{Result, sessions::StoredSession};

#[derive(sqlx::FromRow)]
struct SessionRow {
    user_id: Option<Uuid>,
    data: String,
    expires_at: i64,
}

/// One that is good at `now`.
pub(crate) async fn find(db: &Db, digest: &[u8; 32], now: i64) -> Result<Option<StoredSession>> {
    let row: Option<SessionRow> = read!(db, c =>
        sqlx::query_as("SELECT user_id, data, expires_at FROM sessions WHERE digest = $1 AND expires_at > $2")
            .bind(digest.as_slice())
            .bind(now)
            .fetch_optional(c))?;
    Ok(row.map(|row| StoredSession {
        data: row.data,
        user_id: row.user_id.map(UserId),
        expires_at: instant(row.expires_at),
    }))
}

/// Adds or replaces.
pub(crate) async fn save(db: &Db, digest: [u8; 32], session: StoredSession) -> Result<()> {
    db.write(move |tx| {
        Box::pin(async move {
            change!(
                tx,
                sqlx::query(
                    "INSERT INTO sessions (digest, user_id, data, expires_at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (digest) DO UPDATE SET user_id = excluded.user_id, data = excluded.data, expires_at = excluded.expires_at"
                )
                .bind(digest.as_slice())
                .bind(session.user_id.map(|id| id.0))
                .bind(session.data.as_str())
                .bind(micros(session.expires_at))
            )?;
            Ok(())
        })
    })
    .await
}

/// Ends one.
pub(crate) async fn delete(db: &Db, digest: [u8; 32]) -> Result<()> {
    db.write(move |tx| {
        Box::pin(async move {
            change!(tx, sqlx::query("DELETE FROM sessions WHERE digest = $1").bind(digest.as_slice()))?;
            Ok(())
        })
    })
    .await
}

/// Ends all of a person's.
pub(crate) async fn delete_of_user(tx: &mut super::Tx, user: UserId) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user.0))?;
    Ok(())
}

/// Ends all of a person's but one.
pub(crate) async fn delete_others_of_user(tx: &mut super::Tx, user: UserId, kept: &[u8; 32]) -> Result<()> {
    change!(
        tx,
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND digest <> $2").bind(user.0).bind(kept.as_slice())
    )?;
    Ok(())
}

/// Removes those that are over.
pub(crate) async fn delete_expired(db: &Db, now: i64) -> Result<()> {
    db.write(move |tx| {
        Box::pin(async move {
            change!(tx, sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now))?;
            Ok(())
        })
    })
    .await
}
