//! Browsers in which users have signed in, by the SHA-256 of their cookie's secret. They grant no rights.

use chrono::{DateTime, Utc};
use domain::UserId;

use super::{
    Db, Tx,
    db::{change, read},
    micros,
};
use crate::error::Result;

/// How many browsers of a user are remembered. The oldest is forgotten first.
const MOST: i64 = 20;

/// Whether a user has signed in in a browser since an instant.
pub(crate) async fn is_remembered(db: &Db, digest: &[u8; 32], user: UserId, since: DateTime<Utc>) -> Result<bool> {
    let count: i64 = read!(db, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM remembered_browsers WHERE digest = $1 AND user_id = $2 AND created_at > $3")
            .bind(digest.as_slice())
            .bind(user.0)
            .bind(micros(since))
            .fetch_one(c))?;
    Ok(count > 0)
}

/// Gives a browser another secret, for all of its users.
pub(crate) async fn rename(tx: &mut Tx, old: &[u8; 32], new: &[u8; 32]) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE remembered_browsers SET digest = $2 WHERE digest = $1")
            .bind(old.as_slice())
            .bind(new.as_slice())
    )?;
    Ok(())
}

/// Remembers that a user has signed in in a browser, and forgets the oldest of too many.
pub(crate) async fn insert(tx: &mut Tx, digest: &[u8; 32], user: UserId, at: DateTime<Utc>) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO remembered_browsers (digest, user_id, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (digest, user_id) DO UPDATE SET created_at = excluded.created_at"
        )
        .bind(digest.as_slice())
        .bind(user.0)
        .bind(micros(at))
    )?;
    change!(
        tx,
        sqlx::query(
            "DELETE FROM remembered_browsers WHERE user_id = $1 AND created_at < \
             (SELECT MIN(created_at) FROM (SELECT created_at FROM remembered_browsers WHERE user_id = $1 \
             ORDER BY created_at DESC LIMIT $2) AS latest)"
        )
        .bind(user.0)
        .bind(MOST)
    )?;
    Ok(())
}

/// Forgets browsers in which nobody has signed in since an instant.
pub(crate) async fn delete_before(db: &Db, at: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "DELETE FROM remembered_browsers WHERE (digest, user_id) IN \
         (SELECT digest, user_id FROM remembered_browsers WHERE created_at < $1 LIMIT $2) AND created_at < $1";
    super::sweeping::delete_in_steps(db, SQL, micros(at)).await
}
