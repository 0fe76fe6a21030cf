//! The times of attempts that count as failures, a row for each name: for a name's digest, in microseconds, oldest first.

use chrono::{DateTime, Utc};

use super::{
    Tx,
    db::{change, run},
    instant, micros,
};
use crate::error::Result;

/// The times of a name. Until the transaction ends nobody else changes them.
pub(crate) async fn lock(tx: &mut Tx, name: &[u8; 32], now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>> {
    let times: String = run!(tx, c => sqlx::query_scalar(
        "INSERT INTO attempts (name, times, last_at) VALUES ($1, '', $2) \
         ON CONFLICT (name) DO UPDATE SET last_at = excluded.last_at RETURNING times"
    )
    .bind(name.as_slice())
    .bind(micros(now))
    .fetch_one(c))?;
    Ok(times.split_whitespace().filter_map(|time| time.parse().ok()).map(instant).collect())
}

/// Puts other times in the place of a name's.
pub(crate) async fn update(tx: &mut Tx, name: &[u8; 32], times: &[DateTime<Utc>]) -> Result<()> {
    let times: Vec<String> = times.iter().map(|time| micros(*time).to_string()).collect();
    change!(
        tx,
        sqlx::query("UPDATE attempts SET times = $2 WHERE name = $1").bind(name.as_slice()).bind(times.join(" "))
    )?;
    Ok(())
}

/// Removes the names that were last tried before an instant.
pub(crate) async fn delete_before(db: &super::Db, at: DateTime<Utc>) -> Result<()> {
    let mut tx = db.begin().await?;
    change!(&mut tx, sqlx::query("DELETE FROM attempts WHERE last_at < $1").bind(micros(at)))?;
    tx.commit().await
}
