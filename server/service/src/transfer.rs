//! The move from an `SQLite` file to `PostgreSQL`. Decision 0033.

use domain::{ApiError, ErrorCode};

use crate::{
    clock::Clock,
    error::{Error, OpenError},
    examination::{Examination, examine},
    storage::{self, Db, db::PostgresOptions, sole_use, transfer::CopiedTable},
};

const NOT_POSTGRES: &str =
    "The target must be a PostgreSQL database, such as postgres://latchkey@db.example.org/latchkey.";

/// Why a database wasn't moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// One of the databases can't be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The move was refused, or failed. The target is as it was before.
    #[error("{0}")]
    Refused(#[from] Error),
    /// The copy was written, but isn't right.
    #[error("The copy has problems, so don't use it: {}", .0.join(", "))]
    Different(Vec<String>),
}

/// Copies an `SQLite` database that no process has open to an empty `PostgreSQL` database, and verifies the copy: every
/// table by the number and the SHA-256 of its rows, the chains of the audit log, and the rules of `latchkey check`. The
/// file isn't changed.
///
/// # Errors
/// If the file is in use or has problems itself, or the target isn't empty.
pub async fn move_database(
    from: &str,
    to: &str,
    options: PostgresOptions,
    clock: Clock,
) -> std::result::Result<Vec<CopiedTable>, MoveError> {
    let Some(file) = storage::file::of_database(from) else {
        return Err(refusal("Only an SQLite database can be moved, to PostgreSQL.").into());
    };
    if !to.starts_with("postgres") {
        return Err(refusal(NOT_POSTGRES).into());
    }
    let source = open_current(from, options).await?;
    let found = examine(&source, &[], &clock).await;
    source.close().await;
    let Examination { problems, pins } = found?;
    if !problems.is_empty() {
        let message = format!("The database has problems, so it wasn't moved: {}", problems.join(", "));
        return Err(refusal(message).into());
    }
    let mut source = sole_use::open(&file).await?;
    let target = Db::open(to, false, options).await?;
    let copied = copy(&mut source, &target).await;
    let checked = match copied {
        Ok(tables) => {
            examine(&target, &pins, &clock).await.map(|found| (tables, found.problems)).map_err(MoveError::from)
        }
        Err(error) => Err(error),
    };
    target.close().await;
    let (tables, problems) = checked?;
    if problems.is_empty() { Ok(tables) } else { Err(MoveError::Different(problems)) }
}

fn refusal(message: impl Into<String>) -> Error {
    ApiError::new(ErrorCode::Conflict, message).into()
}

/// Opens the source, which must have every migration.
async fn open_current(url: &str, options: PostgresOptions) -> std::result::Result<Db, MoveError> {
    let db = Db::open(url, false, options).await?;
    storage::migrations::require_set_up(&db).await?;
    if storage::migrations::missing(&db).await?.is_empty() { Ok(db) } else { Err(OpenError::OutOfDate.into()) }
}

async fn copy(source: &mut sqlx::SqliteConnection, target: &Db) -> std::result::Result<Vec<CopiedTable>, MoveError> {
    let Db::Postgres(pg) = target else {
        return Err(refusal(NOT_POSTGRES).into());
    };
    storage::migrations::apply_missing(target).await?;
    let mut tx = pg.begin(None).await.map_err(Error::from)?;
    tx.allow_any_duration().await.map_err(Error::from)?;
    if let Some(table) = storage::transfer::find_filled(&mut tx).await? {
        return Err(
            refusal(format!("The target isn't empty: its table {table} has rows. Create a new database.")).into()
        );
    }
    let tables = storage::transfer::copy_all(source, &mut tx).await?;
    tx.commit_unlimited().await.map_err(Error::from)?;
    Ok(tables)
}
