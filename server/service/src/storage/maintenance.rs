//! Migrations, health, backups and integrity checks of the whole database.

use std::{io::ErrorKind, path::Path};

use domain::ApiError;
use sqlx::{Connection, SqlitePool, migrate::MigrateError};

use super::{
    Db,
    db::{MIGRATIONS, read},
    file,
};
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

/// A migration as the database records it.
#[derive(sqlx::FromRow)]
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

/// Returns the applied migrations; none for an empty database.
///
/// # Errors
/// If the database has tables of another program.
async fn applied(db: &Db) -> std::result::Result<Vec<Applied>, OpenError> {
    // The SQLite file was checked when it was opened. PostgreSQL's extensions may have tables of their own.
    let (ours, foreign): (i64, i64) = match db {
        Db::Sqlite { reader, .. } => {
            sqlx::query_as("SELECT COUNT(*), 0 FROM sqlite_master WHERE name = $1").bind(MIGRATIONS).fetch_one(reader)
                .await?
        }
        Db::Postgres(pool) => {
            sqlx::query_as(
                "SELECT COUNT(*) FILTER (WHERE relname = $1), COUNT(*) FILTER (WHERE relname IN ('users', 'tenants', 'api_keys')) \
                 FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)",
            )
            .bind(MIGRATIONS)
            .fetch_one(pool)
            .await?
        }
    };
    match (ours, foreign) {
        (0, 0) => Ok(Vec::new()),
        (0, _) => Err(OpenError::Foreign),
        _ => Ok(
            read!(db, c => sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").fetch_all(c))?,
        ),
    }
}

/// Returns the migrations that this binary contains.
fn known(db: &Db) -> &'static sqlx::migrate::Migrator {
    match db {
        Db::Sqlite { .. } => &SQLITE,
        Db::Postgres(_) => &POSTGRES,
    }
}

/// Applies missing migrations and returns their numbers.
///
/// # Errors
/// As [`missing`], or if a migration fails.
pub(crate) async fn apply_missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    missing(db).await?;
    let before: Vec<i64> = applied(db).await?.iter().map(|migration| migration.version).collect();
    migrate(db).await?;
    let after = applied(db).await?;
    Ok(after.iter().map(|migration| migration.version).filter(|number| !before.contains(number)).collect())
}

/// Returns the numbers of the migrations that this binary contains and the database lacks.
///
/// # Errors
/// If the database is newer than this binary, isn't that of a released version, or can't be read.
pub(crate) async fn missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let (known, applied) = (known(db), applied(db).await?);
    // A released migration is never edited, so another text under a known number isn't a release's.
    let is_other = |migration: &sqlx::migrate::Migration| {
        applied.iter().any(|row| row.version == migration.version && row.checksum != *migration.checksum)
    };
    if known.iter().any(is_other) {
        return Err(OpenError::Development);
    }
    if let Some(newer) = applied.iter().find(|row| !known.version_exists(row.version)) {
        return Err(OpenError::NewerDatabase(newer.version));
    }
    let versions = known.iter().map(|migration| migration.version);
    Ok(versions.filter(|number| applied.iter().all(|row| row.version != *number)).collect())
}

/// Statements that make a database look as if another version had migrated it.
#[cfg(feature = "testing")]
pub(crate) mod disguises {
    /// As if a newer version had applied migration 999.
    pub(crate) const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    /// As if a development version had applied another text of migration 1, on `SQLite`.
    pub(crate) const DEVELOPMENT_ON_SQLITE: &str = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1";
    /// The same on `PostgreSQL`.
    pub(crate) const DEVELOPMENT_ON_POSTGRES: &str = "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1";
}

/// Checks that some version has migrated the database.
///
/// # Errors
/// If it has no tables, is another program's, or can't be read.
pub(crate) async fn require_set_up(db: &Db) -> std::result::Result<(), OpenError> {
    if applied(db).await?.is_empty() { Err(OpenError::NotSetUp) } else { Ok(()) }
}

/// Checks that the database can be written to.
///
/// # Errors
/// If it is read-only, or fails.
pub(crate) async fn require_writable(db: &Db) -> std::result::Result<(), OpenError> {
    match db {
        // Without the right to write, SQLite opens a file for reading, and fails only with the first change.
        Db::Sqlite { writer, .. } => {
            let mut tx = writer.begin().await?;
            let changed = sqlx::query("PRAGMA user_version = 0").execute(&mut *tx).await;
            tx.rollback().await?;
            match changed {
                Err(cause) if is_read_only(&cause) => Err(OpenError::ReadOnly),
                // Another error means that another process is writing.
                _ => Ok(()),
            }
        }
        Db::Postgres(pool) => {
            let read_only: String = sqlx::query_scalar("SHOW transaction_read_only").fetch_one(pool).await?;
            if read_only == "on" { Err(OpenError::ReadOnly) } else { Ok(()) }
        }
    }
}

/// Whether the cause is `SQLITE_READONLY`, whose extended codes have it in the lowest byte.
fn is_read_only(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 8)
}

/// Whether the database answers.
pub(crate) async fn is_healthy(db: &Db) -> bool {
    read!(db, c => sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(c)).is_ok()
}

/// Copies an `SQLite` database into a new file that only its owner may read, even while the database is in use. An
/// existing file or a `PostgreSQL` database is a field error.
pub(crate) async fn backup(db: &Db, path: &Path) -> Result<()> {
    let Db::Sqlite { writer, .. } = db else {
        return Err(ApiError::field("database_url", "Use pg_dump to back up a PostgreSQL database.").into());
    };
    let target = path.to_str().ok_or_else(|| Error::from(ApiError::field("file", "The path must be UTF-8.")))?;
    // SQLite writes into an empty file, and leaves its mode as it is.
    let file = file::create_private(path).map_err(|cause| {
        ApiError::field(
            "file",
            match cause.kind() {
                ErrorKind::AlreadyExists => format!("{target} already exists. Choose another name."),
                _ => format!("{target} can't be created: {cause}"),
            },
        )
    })?;
    let copied = sqlx::query("VACUUM INTO $1").bind(target).execute(writer).await.map_err(Error::from);
    let stored = copied.and_then(|_| {
        file.sync_all().map_err(|cause| Error::Fault(format!("the backup couldn't be written to disk: {cause}")))
    });
    if stored.is_err() {
        std::fs::remove_file(path).ok();
    }
    stored
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
