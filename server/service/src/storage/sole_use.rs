//! Whether anybody else has an `SQLite` file open.

use std::{path::Path, time::Duration};

use domain::{ApiError, ErrorCode};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    error::{Error, Result},
    sqlite_codes::{BUSY, primary_code},
};

/// How long other processes are waited for.
const WAIT: Duration = Duration::from_millis(500);

/// Opens a file that no other process has open, and writes what is in its write-ahead log into the file itself. Others
/// can't use it until the connection is closed.
///
/// # Errors
/// `CONFLICT` if another process has it open.
pub(crate) async fn open(path: &Path) -> Result<SqliteConnection> {
    let in_use = |cause: sqlx::Error| match primary_code(&cause) {
        Some(BUSY) => {
            let message = format!("{} is in use. Stop the server first.", path.display());
            Error::from(ApiError::new(ErrorCode::Conflict, message))
        }
        _ => Error::from(cause),
    };
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(WAIT);
    let mut connection = options.pragma("locking_mode", "EXCLUSIVE").connect().await.map_err(in_use)?;
    // A log can't be removed while another connection uses it.
    sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut connection).await.map_err(in_use)?;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.map_err(in_use)?;
    sqlx::query("COMMIT").execute(&mut connection).await.map_err(in_use)?;
    Ok(connection)
}

/// Checks that no other process has a file open, and leaves it without a write-ahead log.
///
/// # Errors
/// As [`open`].
pub(crate) async fn require(path: &Path) -> Result<()> {
    open(path).await?.close().await?;
    Ok(())
}
