//! The times of authentication attempts that count as failures. Each row is a bucket: the digest of an account or
//! address.

use chrono::{DateTime, Utc};

use super::{
    Tx,
    db::{change, run},
    instant, micros,
};
use crate::error::Result;

/// Returns the times in a bucket and locks it until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, bucket: &[u8; 32], now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>> {
    let times: String = run!(tx, c => sqlx::query_scalar(
        "INSERT INTO throttle (bucket, attempts, last_attempt_at) VALUES ($1, '', $2) \
         ON CONFLICT (bucket) DO UPDATE SET last_attempt_at = excluded.last_attempt_at RETURNING attempts"
    )
    .bind(bucket.as_slice())
    .bind(micros(now))
    .fetch_one(c))?;
    Ok(times.split_whitespace().filter_map(|time| time.parse().ok()).map(instant).collect())
}

/// Replaces the times in a bucket. An empty one is deleted.
pub(crate) async fn update(tx: &mut Tx, bucket: &[u8; 32], times: &[DateTime<Utc>]) -> Result<()> {
    if times.is_empty() {
        change!(tx, sqlx::query("DELETE FROM throttle WHERE bucket = $1").bind(bucket.as_slice()))?;
        return Ok(());
    }
    let times: Vec<String> = times.iter().map(|time| micros(*time).to_string()).collect();
    change!(
        tx,
        sqlx::query("UPDATE throttle SET attempts = $2 WHERE bucket = $1")
            .bind(bucket.as_slice())
            .bind(times.join(" "))
    )?;
    Ok(())
}

/// Deletes the buckets whose last attempt was before an instant.
pub(crate) async fn delete_before(db: &super::Db, at: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "DELETE FROM throttle WHERE last_attempt_at < $1 AND bucket IN \
         (SELECT bucket FROM throttle WHERE last_attempt_at < $1 LIMIT $2)";
    super::sweeping::delete_in_steps(db, SQL, micros(at)).await
}
