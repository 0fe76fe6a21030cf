//! Migrations.
//!
//! The table that records them is sqlx's, but not the code that applies them: sqlx doesn't lock an `SQLite` file, and on
//! `PostgreSQL` it needs a session, which a pooler doesn't give it.

use sqlx::{
    Connection, SqliteConnection,
    migrate::{MigrateError, Migration, Migrator},
    query::Query,
};

use super::{
    Db,
    db::{Lease, MIGRATIONS, read},
};
use crate::{
    error::OpenError,
    sqlite_codes::{BUSY, primary_code},
};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

const CREATE_ON_SQLITE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, \
     description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
     checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
const CREATE_ON_POSTGRES: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, \
     description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, \
     checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)";

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
        Db::Postgres(pg) => {
            sqlx::query_as(
                "SELECT COUNT(*) FILTER (WHERE relname = $1), COUNT(*) FILTER (WHERE relname IN ('users', 'tenants', 'api_keys')) \
                 FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)",
            )
            .bind(MIGRATIONS)
            .fetch_one(&mut *pg.reader().await?)
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
fn known(db: &Db) -> &'static Migrator {
    match db {
        Db::Sqlite { .. } => &SQLITE,
        Db::Postgres(_) => &POSTGRES,
    }
}

/// Applies missing migrations and returns their numbers. If several servers do this at the same time, each migration is
/// applied by one of them, while the others wait.
///
/// # Errors
/// As [`missing`], or if a migration fails.
pub(crate) async fn apply_missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let mut applied = Vec::new();
    let missing_now = missing(db).await?;
    if let Db::Postgres(pg) = db
        && !missing_now.is_empty()
    {
        create_on_postgres(pg.connect().await?).await?;
    }
    for migration in known(db).iter().filter(|migration| missing_now.contains(&migration.version)) {
        let is_own = match db {
            Db::Sqlite { writer, .. } => apply_to_sqlite(writer.connect().await?, migration).await?,
            Db::Postgres(pg) => apply_to_postgres(pg.begin(None).await?, migration).await?,
        };
        if is_own {
            applied.push(migration.version);
        }
    }
    if !missing_now.is_empty() {
        // Another server may have applied a different text meanwhile.
        missing(db).await?;
    }
    Ok(applied)
}

/// Returns false if another process has applied the migration.
async fn apply_to_sqlite(
    mut connection: SqliteConnection,
    migration: &Migration,
) -> std::result::Result<bool, OpenError> {
    let mut tx = loop {
        match connection.begin_with("BEGIN IMMEDIATE").await {
            Ok(tx) => break tx,
            // The busy timeout has passed, so this isn't a busy loop.
            Err(cause) if primary_code(&cause) == Some(BUSY) => {
                tracing::info!("waiting for another process that writes to the database");
            }
            Err(cause) => return Err(cause.into()),
        }
    };
    sqlx::raw_sql(CREATE_ON_SQLITE).execute(&mut *tx).await?;
    if record(migration).execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let applied = sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await;
    applied.map_err(|cause| failed(migration, cause))?;
    tx.commit().await?;
    connection.close().await?;
    Ok(true)
}

/// Creates the table of migrations. If another server does so at the same time, `PostgreSQL` reports in spite of `IF NOT
/// EXISTS` that the table or its type exists, or, after it has waited for the other, a unique violation.
async fn create_on_postgres(mut connection: Lease) -> std::result::Result<(), OpenError> {
    // Unique violation, duplicate object, duplicate table.
    let is_made_by_another = |cause: &sqlx::Error| {
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["23505", "42710", "42P07"].contains(&code.as_ref()))
    };
    let mut created = sqlx::raw_sql(CREATE_ON_POSTGRES).execute(&mut *connection).await;
    for _ in 0..4 {
        if !created.as_ref().is_err_and(is_made_by_another) {
            break;
        }
        created = sqlx::raw_sql(CREATE_ON_POSTGRES).execute(&mut *connection).await;
    }
    created?;
    Ok(())
}

/// Returns false if another server has applied the migration. It waits for one that is applying it, without a lock that
/// a pooler or another engine might not support: for the row that both of them insert.
async fn apply_to_postgres(mut tx: Lease, migration: &Migration) -> std::result::Result<bool, OpenError> {
    tx.allow_any_duration().await?;
    if record(migration).execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let applied = sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await;
    applied.map_err(|cause| failed(migration, cause))?;
    tx.commit_unlimited().await.map_err(|cause| failed(migration, cause))?;
    Ok(true)
}

/// Records a migration, unless that has been done.
fn record<DB>(migration: &Migration) -> Query<'_, DB, DB::Arguments>
where
    DB: sqlx::Database,
    i64: sqlx::Type<DB> + for<'q> sqlx::Encode<'q, DB>,
    bool: sqlx::Type<DB> + for<'q> sqlx::Encode<'q, DB>,
    for<'q> &'q str: sqlx::Type<DB> + sqlx::Encode<'q, DB>,
    for<'q> &'q [u8]: sqlx::Type<DB> + sqlx::Encode<'q, DB>,
{
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, $3, $4, -1) ON CONFLICT (version) DO NOTHING",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(true)
    .bind(&*migration.checksum)
}

fn failed(migration: &Migration, cause: sqlx::Error) -> OpenError {
    OpenError::Migration(MigrateError::ExecuteMigration(cause, migration.version))
}

/// Returns the numbers of the migrations that this binary contains and the database lacks.
///
/// # Errors
/// If the database is newer than this binary, isn't that of a released version, or can't be read.
pub(crate) async fn missing(db: &Db) -> std::result::Result<Vec<i64>, OpenError> {
    let (known, applied) = (known(db), applied(db).await?);
    // A released migration is never edited, so another text under a known number isn't a release's.
    let is_other = |migration: &Migration| {
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
