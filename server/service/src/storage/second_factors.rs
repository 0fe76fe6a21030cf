//! Second factors and recovery codes.

use chrono::{DateTime, Utc};
use domain::UserId;

use super::{
    Db, Tx,
    db::{change, read},
    instant, micros,
};
use crate::error::Result;

/// A second factor as it is stored; it counts once it is enabled.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) secret: Vec<u8>,
    pub(crate) begun_at: DateTime<Utc>,
    pub(crate) enabled_at: Option<DateTime<Utc>>,
    pub(crate) last_step: i64,
}

/// A person's.
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

/// Begins one, in the place of one that was only begun. False when one counts already.
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

/// Lets the one of a secret count. False when one does already, or another was begun meanwhile.
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

/// Uses a step up. False when it, or a later one, was used already.
pub(crate) async fn use_step(tx: &mut Tx, user: UserId, step: i64) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2")
            .bind(user.0)
            .bind(step)
    )?;
    Ok(rows == 1)
}

/// Uses a recovery code up. False when there is none of it.
pub(crate) async fn use_code(tx: &mut Tx, user: UserId, digest: &[u8; 32]) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2")
            .bind(user.0)
            .bind(digest.as_slice())
    )?;
    Ok(rows == 1)
}

/// Puts new recovery codes in the place of the earlier ones.
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

/// How many recovery codes are left.
pub(crate) async fn count_codes(db: &Db, user: UserId) -> Result<u32> {
    let count: i64 = read!(db, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1").bind(user.0).fetch_one(c))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Ends one. False when there was none that counts.
pub(crate) async fn delete(tx: &mut Tx, user: UserId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM second_factors WHERE user_id = $1 AND enabled_at IS NOT NULL").bind(user.0)
    )?;
    Ok(rows == 1)
}
