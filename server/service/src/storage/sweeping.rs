//! Deletes many rows in steps, so that no transaction keeps others waiting for long.

use super::{Db, db::change};
use crate::error::Result;

/// How many rows one transaction deletes, which takes less than 50 ms.
const STEP: i64 = 1_000;

/// Runs a DELETE until it finds fewer rows than its limit. `$1` is `before`, `$2` the limit.
pub(crate) async fn delete_in_steps(db: &Db, sql: &'static str, before: i64) -> Result<()> {
    loop {
        let mut tx = db.begin().await?;
        let rows = change!(&mut tx, sqlx::query(sql).bind(before).bind(STEP))?;
        tx.commit().await?;
        if i64::try_from(rows).unwrap_or(0) < STEP {
            return Ok(());
        }
    }
}
