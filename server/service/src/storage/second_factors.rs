//! Two-factor authentication: TOTP secrets and recovery codes.

use chrono::{DateTime, Utc};
use domain::UserId;

use super::{
    Db, Tx,
    db::{change, read},
    instant, micros,
};
use crate::error::Result;

/// A second factor as stored. Sign-in requires it only once it is enabled.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) secret: Vec<u8>,
    pub(crate) begun_at: DateTime<Utc>,
    pub(crate) enabled_at: Option<DateTime<Utc>>,
    pub(crate) last_step: i64,
}

/// Finds a user's second factor, enabled or not.
pub(crate) async fn find(db: &Db, user: UserId) -> Result<Option<Stored>> {
    let row: Option<(Vec<u8>, i64, Option<i64>, i64)> = read!(db, c =>
        sqlx::query_as("SELECT secret, begun_at, enabled_at, last_step FROM second_factors WHERE user_id = $1")
            .bind(user.0)
            .fetch_optional(c))?;
    Ok(row.map(|(secret, begun_at, enabled_at, last_step)| Stored {
        secret,
        begun_at: instant(begun_at),
        enabled_at: enabled_at.map(instant),
        last_step,
    }))
}

/// Stores a new secret, replacing one that isn't enabled yet. Returns false if a second factor is already enabled.
pub(crate) async fn begin(tx: &mut Tx, user: UserId, secret: &[u8], at: DateTime<Utc>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "INSERT INTO second_factors AS f (user_id, secret, begun_at, enabled_at, last_step) VALUES ($1, $2, $3, NULL, 0) \
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, begun_at = excluded.begun_at, last_step = 0 \
             WHERE f.enabled_at IS NULL"
        )
        .bind(user.0)
        .bind(secret)
        .bind(micros(at))
    )?;
    Ok(rows == 1)
}

/// Enables the second factor with this secret. Returns false if one is already enabled or another secret was stored
/// meanwhile.
pub(crate) async fn enable(tx: &mut Tx, user: UserId, secret: &[u8], at: DateTime<Utc>, step: i64) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE second_factors SET enabled_at = $2, last_step = $3 WHERE user_id = $1 AND enabled_at IS NULL AND secret = $4"
        )
        .bind(user.0)
        .bind(micros(at))
        .bind(step)
        .bind(secret)
    )?;
    Ok(rows == 1)
}

/// Marks a TOTP time step as used. Returns false if it or a later one was already used.
pub(crate) async fn use_step(tx: &mut Tx, user: UserId, step: i64) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2")
            .bind(user.0)
            .bind(step)
    )?;
    Ok(rows == 1)
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
