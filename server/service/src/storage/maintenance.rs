//! Health and integrity checks of the whole database.

use chrono::{DateTime, Utc};
use sqlx::{Connection, SqlitePool};

use super::{
    Db,
    db::{change, read},
    micros,
};
use crate::{
    error::{OpenError, Result},
    sqlite_codes::{BUSY, READONLY, primary_code},
};

/// Whether somebody waits for a table, on `PostgreSQL`.
#[cfg(any(test, feature = "testing"))]
pub(crate) const IS_AWAITED: &str =
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)";

/// Checks that the database can be written to.
///
/// # Errors
/// If it is read-only, or fails.
pub(crate) async fn require_writable(db: &Db) -> std::result::Result<(), OpenError> {
    match db {
        // Without the right to write, SQLite opens a file for reading, and fails only with the first change.
        Db::Sqlite { writer, .. } => {
            let mut connection = writer.connect().await?;
            let changed = match connection.begin().await {
                Ok(mut tx) => {
                    let changed = sqlx::query("PRAGMA user_version = 0").execute(&mut *tx).await;
                    tx.rollback().await.ok();
                    changed
                }
                Err(cause) => Err(cause),
            };
            connection.close().await.ok();
            let name = writer.path().display().to_string();
            match changed.map_err(|cause| (primary_code(&cause), cause)) {
                Err((Some(READONLY), _)) => Err(OpenError::ReadOnly(name)),
                // Another process is writing.
                Ok(_) | Err((Some(BUSY), _)) => Ok(()),
                Err((_, cause)) => Err(OpenError::Unreachable { name, cause }),
            }
        }
        // Each connection is checked when it is opened.
        Db::Postgres(pg) => {
            pg.connect().await?;
            Ok(())
        }
    }
}

/// Checks that the database answers and accepts a change, by making one.
///
/// # Errors
/// If it doesn't.
pub(crate) async fn probe(db: &Db, now: DateTime<Utc>) -> Result<()> {
    read!(db, c => sqlx::query_scalar::<_, i64>("SELECT written_at FROM readiness WHERE id = 1").fetch_optional(c))?;
    let mut tx = db.begin().await?;
    change!(
        &mut tx,
        sqlx::query(
            "INSERT INTO readiness (id, written_at) VALUES (1, $1) \
             ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at"
        )
        .bind(micros(now))
    )?;
    tx.commit().await
}

/// Checks the file and the rows. Keys that are being revoked in steps aren't a problem. Returns the problems found, none if all is well.
pub(crate) async fn check(db: &Db) -> Result<Vec<String>> {
    let mut problems = check_file_of(db).await?;
    let orphans: i64 = read!(db, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM api_keys k WHERE k.revoked_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM memberships m WHERE m.user_id = k.user_id AND m.tenant_id = k.tenant_id) AND NOT EXISTS \
         (SELECT 1 FROM service_accounts s WHERE s.id = k.service_account_id AND s.deleted_at IS NULL) AND NOT EXISTS \
         (SELECT 1 FROM pending_changes p WHERE p.tenant_id = k.tenant_id AND p.kind = 'revoke' \
         AND (p.user_id = k.user_id OR p.service_account_id = k.service_account_id))"
    ).fetch_one(c))?;
    if orphans > 0 {
        problems.push(format!("unrevoked keys without an active owner: {orphans}"));
    }
    Ok(problems)
}

/// Checks the file alone, whatever its tables are.
pub(crate) async fn check_file_of(db: &Db) -> Result<Vec<String>> {
    match db {
        Db::Sqlite { reader, .. } => check_file(reader).await,
        Db::Postgres(_) => Ok(Vec::new()),
    }
}

async fn check_file(reader: &SqlitePool) -> Result<Vec<String>> {
    let integrity: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(reader).await?;
    let mut problems: Vec<String> = integrity.into_iter().filter(|line| line != "ok").collect();
    let strays = sqlx::query("PRAGMA foreign_key_check").fetch_all(reader).await?.len();
    if strays > 0 {
        problems.push(format!("rows that reference a missing row: {strays}"));
    }
    Ok(problems)
}
