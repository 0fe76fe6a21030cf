//! What servers remember about time, so that one that starts can notice that its clock may be wrong. Decision 0027.

use chrono::{DateTime, Utc};

use super::{
    Db,
    db::{change, read, retry},
    instant, micros,
};
use crate::{
    clock::{BelievedJump, Remembered},
    error::Result,
};

#[derive(sqlx::FromRow)]
struct Row {
    seen_at: i64,
    jumped_boot: Option<String>,
    offset_before: Option<i64>,
}

/// Returns what the last server has stored, if there was one.
pub(crate) async fn find(db: &Db) -> Result<Option<Remembered>> {
    let row: Option<Row> = read!(db, c =>
        sqlx::query_as("SELECT seen_at, jumped_boot, offset_before FROM clock WHERE id = 1").fetch_optional(c))?;
    Ok(row.map(|row| Remembered {
        seen_at: instant(row.seen_at),
        jump: row.jumped_boot.zip(row.offset_before).map(|(boot, offset_before)| BelievedJump { boot, offset_before }),
    }))
}

/// Stores the time and the jump that a server believes. `boot`: its machine's. Without a jump, keeps that of another machine.
pub(crate) async fn store(
    db: &Db,
    seen_at: DateTime<Utc>,
    boot: Option<&str>,
    jump: Option<&BelievedJump>,
) -> Result<()> {
    const SQL: &str = "INSERT INTO clock (id, seen_at, jumped_boot, offset_before) VALUES (1, $1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, \
         offset_before = CASE WHEN excluded.jumped_boot IS NOT NULL OR clock.jumped_boot = $4 \
         THEN excluded.offset_before ELSE clock.offset_before END, \
         jumped_boot = CASE WHEN excluded.jumped_boot IS NOT NULL OR clock.jumped_boot = $4 \
         THEN excluded.jumped_boot ELSE clock.jumped_boot END";
    retry!(db, tx => {
        change!(
            tx,
            sqlx::query(SQL)
                .bind(micros(seen_at))
                .bind(jump.map(|jump| jump.boot.as_str()))
                .bind(jump.map(|jump| jump.offset_before))
                .bind(boot)
        )?;
        Ok(())
    })
}
