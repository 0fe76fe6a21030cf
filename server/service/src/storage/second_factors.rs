//! Two-factor authentication: TOTP secrets and recovery codes.

use chrono::{DateTime, Utc};
use domain::UserId;
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, run},
    instant, micros,
    sealed::Sealed,
};
use crate::error::Result;

/// A second factor as stored. Sign-in requires it only once it is enabled.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) secret: Sealed,
    pub(crate) begun_at: DateTime<Utc>,
    pub(crate) enabled_at: Option<DateTime<Utc>>,
    /// Since when codes from the app are refused.
    pub(crate) locked_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    secret: Vec<u8>,
    secret_key_id: String,
    begun_at: i64,
    enabled_at: Option<i64>,
    locked_at: Option<i64>,
}

impl From<StoredRow> for Stored {
    fn from(row: StoredRow) -> Self {
        Self {
            secret: Sealed { key_id: row.secret_key_id, bytes: row.secret },
            begun_at: instant(row.begun_at),
            enabled_at: row.enabled_at.map(instant),
            locked_at: row.locked_at.map(instant),
        }
    }
}

/// Finds a user's second factor, enabled or not.
pub(crate) async fn find(db: &Db, user: UserId) -> Result<Option<Stored>> {
    let row: Option<StoredRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT secret, secret_key_id, begun_at, enabled_at, locked_at FROM second_factors WHERE user_id = $1",
        )
        .bind(user.0)
        .fetch_optional(c))?;
    Ok(row.map(Stored::from))
}

/// Stores a new secret, replacing one that isn't enabled yet. Returns false if a second factor is already enabled.
pub(crate) async fn begin(tx: &mut Tx, user: UserId, secret: &Sealed, at: DateTime<Utc>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "INSERT INTO second_factors AS f (user_id, secret, begun_at, enabled_at, last_step, secret_key_id) \
             VALUES ($1, $2, $3, NULL, 0, $4) ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, \
             begun_at = excluded.begun_at, last_step = 0, secret_key_id = excluded.secret_key_id WHERE f.enabled_at IS NULL"
        )
        .bind(user.0)
        .bind(secret.bytes.as_slice())
        .bind(micros(at))
        .bind(secret.key_id.as_str())
    )?;
    Ok(rows == 1)
}

/// Enables the second factor with this secret. Returns false if one is already enabled or another secret was stored
/// meanwhile.
pub(crate) async fn enable(tx: &mut Tx, user: UserId, secret: &Sealed, at: DateTime<Utc>, step: i64) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE second_factors SET enabled_at = $2, last_step = $3 WHERE user_id = $1 AND enabled_at IS NULL AND secret = $4"
        )
        .bind(user.0)
        .bind(micros(at))
        .bind(step)
        .bind(secret.bytes.as_slice())
    )?;
    Ok(rows == 1)
}

/// Returns whether a second factor is enabled. If one isn't enabled yet, that waits until the transaction ends.
pub(crate) async fn lock_enabled(tx: &mut Tx, user: UserId) -> Result<bool> {
    let enabled_at: Option<Option<i64>> = run!(tx, c =>
        sqlx::query_scalar("UPDATE second_factors SET user_id = user_id WHERE user_id = $1 RETURNING enabled_at")
            .bind(user.0)
            .fetch_optional(c))?;
    Ok(enabled_at.flatten().is_some())
}

/// Marks a TOTP time step as used, and forgets earlier wrong codes. Returns false if it or a later one was already used,
/// or the second factor is locked. `latest`: the latest step that a code can have now; a later one was used while the
/// clock was ahead, and doesn't count.
pub(crate) async fn use_step(tx: &mut Tx, user: UserId, step: i64, latest: i64) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE second_factors SET last_step = $2, failures = 0 \
             WHERE user_id = $1 AND (last_step < $2 OR last_step > $3) AND locked_at IS NULL"
        )
        .bind(user.0)
        .bind(step)
        .bind(latest)
    )?;
    Ok(rows == 1)
}

/// Counts a wrong code, and locks the second factor at the `most`th. Returns whether this code has locked it.
pub(crate) async fn record_failure(tx: &mut Tx, user: UserId, most: i64, at: DateTime<Utc>) -> Result<bool> {
    let locked: Option<Option<i64>> = run!(tx, c => sqlx::query_scalar(
        "UPDATE second_factors SET failures = failures + 1, \
         locked_at = CASE WHEN failures + 1 >= $2 THEN $3 ELSE NULL END \
         WHERE user_id = $1 AND enabled_at IS NOT NULL AND locked_at IS NULL RETURNING locked_at"
    )
    .bind(user.0)
    .bind(most)
    .bind(micros(at))
    .fetch_optional(c))?;
    Ok(locked.flatten().is_some())
}

/// Forgets the wrong codes, and unlocks the second factor. Returns whether it was locked.
pub(crate) async fn unlock(tx: &mut Tx, user: UserId) -> Result<bool> {
    let was_locked = change!(
        tx,
        sqlx::query(
            "UPDATE second_factors SET failures = 0, locked_at = NULL WHERE user_id = $1 AND locked_at IS NOT NULL"
        )
        .bind(user.0)
    )?;
    change!(
        tx,
        sqlx::query("UPDATE second_factors SET failures = 0 WHERE user_id = $1 AND failures > 0").bind(user.0)
    )?;
    Ok(was_locked == 1)
}

/// Uses up a recovery code. Returns false if there is no such code.
pub(crate) async fn use_code(tx: &mut Tx, user: UserId, digest: &[u8; 32]) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2")
            .bind(user.0)
            .bind(digest.as_slice())
    )?;
    Ok(rows == 1)
}

/// Replaces a user's recovery codes.
pub(crate) async fn replace_codes(tx: &mut Tx, user: UserId, digests: &[[u8; 32]]) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user.0))?;
    for digest in digests {
        change!(
            tx,
            sqlx::query("INSERT INTO recovery_codes (user_id, digest) VALUES ($1, $2)")
                .bind(user.0)
                .bind(digest.as_slice())
        )?;
    }
    Ok(())
}

/// Counts a user's unused recovery codes.
pub(crate) async fn count_codes(db: &Db, user: UserId) -> Result<u32> {
    let count: i64 = read!(db, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1").bind(user.0).fetch_one(c))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Deletes an enabled second factor. Returns false if there was none.
pub(crate) async fn delete(tx: &mut Tx, user: UserId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM second_factors WHERE user_id = $1 AND enabled_at IS NOT NULL").bind(user.0)
    )?;
    Ok(rows == 1)
}

/// Returns the users whose secret is encrypted with a key.
pub(crate) async fn list_sealed_with(db: &Db, key_id: &str) -> Result<Vec<UserId>> {
    let users: Vec<Uuid> = read!(db, c =>
        sqlx::query_scalar("SELECT user_id FROM second_factors WHERE secret_key_id = $1").bind(key_id).fetch_all(c))?;
    Ok(users.into_iter().map(UserId).collect())
}

/// Deletes a second factor that isn't enabled.
pub(crate) async fn delete_pending(tx: &mut Tx, user: UserId) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM second_factors WHERE user_id = $1 AND enabled_at IS NULL").bind(user.0))?;
    Ok(())
}
