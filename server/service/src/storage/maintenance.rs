//! Migrations, health, backups and integrity checks of the whole database.

use std::path::Path;

use domain::ApiError;
use sqlx::{Connection, SqlitePool, migrate::MigrateError};

use super::{Db, db::read};
use crate::error::{Error, OpenError, Result};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/postgres");

/// Applies missing migrations.
async fn migrate(db: &Db) -> std::result::Result<(), OpenError> {
    let outcome = match db {
        Db::Sqlite { writer, .. } => SQLITE.run(writer).await,
        Db::Postgres(pool) => {
            // A connection of its own, without the usual timeouts: rewriting a large table takes time, and a second
            // server waits until it is done.
            let mut connection = pool.acquire().await?.detach();
            sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await?;
            let outcome = POSTGRES.run(&mut connection).await;
            connection.close().await?;
            outcome
        }
    };
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(number) => OpenError::NewerDatabase(number),
        other => OpenError::Migration(other),
    })
}

/// Returns the numbers of the applied migrations; none for an empty database.
async fn applied(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let there: i64 = match db {
        Db::Sqlite { reader, .. } => {
            sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
                .fetch_one(reader)
                .await?
        }
        Db::Postgres(pool) => {
            sqlx::query_scalar("SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')")
                .fetch_one(pool)
                .await?
        }
    };
    if there == 0 {
        return Ok(Vec::new());
    }
    Ok(read!(db, c => sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(c))?)
}

/// Returns the numbers of the migrations that this binary contains.
fn known(db: &Db) -> Vec<i64> {
    let migrator = match db {
        Db::Sqlite { .. } => &SQLITE,
        Db::Postgres(_) => &POSTGRES,
    };
    migrator.iter().map(|migration| migration.version).collect()
}

/// Applies missing migrations and returns their numbers.
///
/// # Errors
/// If the database is newer than this binary, or a migration fails.
pub(crate) async fn apply_missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let before = applied(db).await?;
    migrate(db).await?;
    let after = applied(db).await?;
    Ok(after.into_iter().filter(|number| !before.contains(number)).collect())
}

/// Returns the numbers of the migrations that this binary contains and the database lacks.
///
/// # Errors
/// If the database is newer than this binary, or can't be read.
pub(crate) async fn missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let (known, applied) = (known(db), applied(db).await?);
    match applied.iter().find(|number| !known.contains(number)) {
        Some(newer) => Err(OpenError::NewerDatabase(*newer)),
        None => Ok(known.into_iter().filter(|number| !applied.contains(number)).collect()),
    }
}

/// Whether the database answers.
pub(crate) async fn is_healthy(db: &Db) -> bool {
    read!(db, c => sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(c)).is_ok()
}

/// Copies an `SQLite` database into a new file, even while it is in use. An existing file or a `PostgreSQL` database is
/// a field error.
pub(crate) async fn backup(db: &Db, path: &Path) -> Result<()> {
    let Db::Sqlite { writer, .. } = db else {
        return Err(ApiError::field("database_url", "Use pg_dump to back up a PostgreSQL database.").into());
    };
    if path.exists() {
        return Err(ApiError::field("file", "This file already exists. Choose another name.").into());
    }
    let target = path.to_str().ok_or_else(|| Error::from(ApiError::field("file", "The path must be UTF-8.")))?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(writer).await?;
    Ok(())
}

/// Checks the file and the rows. Returns the problems found, none if all is well.
pub(crate) async fn check(db: &Db) -> Result<Vec<String>> {
    let mut problems = match db {
        Db::Sqlite { reader, .. } => check_file(reader).await?,
        Db::Postgres(_) => Vec::new(),
    };
    let orphans: i64 = read!(db, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM api_keys k WHERE k.revoked_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM memberships m WHERE m.user_id = k.user_id AND m.tenant_id = k.tenant_id) AND NOT EXISTS \
         (SELECT 1 FROM service_accounts s WHERE s.id = k.service_account_id AND s.deleted_at IS NULL)"
    ).fetch_one(c))?;
    if orphans > 0 {
        problems.push(format!("unrevoked keys without an active owner: {orphans}"));
    }
    Ok(problems)
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
