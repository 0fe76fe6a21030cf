//! Opens an `SQLite` file.

use std::{io::ErrorKind, path::Path, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::time::{Instant, sleep};

use super::{super::file, writer::Writer};
use crate::{
    error::OpenError,
    sqlite_codes::{BUSY, CANTOPEN, NOTADB, primary_code},
};

/// How long a statement, or the opening of the file, waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_millis(20);
const READERS: u32 = 8;
const LISTERS: u32 = 4;
/// The table in which sqlx records the applied migrations, on both databases.
pub(crate) const MIGRATIONS: &str = "_sqlx_migrations";

/// The connections to a file, as `Db` has them.
pub(super) struct Connections {
    pub(super) reader: SqlitePool,
    pub(super) lister: SqlitePool,
    pub(super) writer: Writer,
}

pub(super) async fn open(url: &str, create: bool) -> std::result::Result<Connections, OpenError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match open_once(url, create).await {
            // On a read-only disk, `SQLite` can't create the files beside a database, which it needs to read it.
            Err(OpenError::Unreachable { cause, .. }) if !create && primary_code(&cause) == Some(CANTOPEN) => {
                return open_read_only(url, cause).await;
            }
            // Several processes open a new file at the same time, and each wants to switch it to WAL. `SQLite` doesn't wait
            // for that.
            Err(OpenError::Unreachable { cause, .. })
                if primary_code(&cause) == Some(BUSY) && Instant::now() < deadline =>
            {
                sleep(RETRY_AFTER).await;
            }
            outcome => return outcome,
        }
    }
}

async fn open_once(url: &str, create: bool) -> std::result::Result<Connections, OpenError> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
    let path = options.get_filename().to_owned();
    prepare_file(&path, create)?;
    let unreachable = |cause| unreachable(&path, cause);
    require_own_tables(&options, create).await.map_err(|error| match error {
        OpenError::Database(cause) => unreachable(cause),
        other => other,
    })?;
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).foreign_keys(true);
    let mut connection = options.connect().await.map_err(unreachable)?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    connection.close().await?;
    if !is_safe_sqlite(&version) {
        return Err(OpenError::SqliteVersion(version));
    }
    let writer = Writer::open(options.clone()).await.map_err(unreachable)?;
    let options = options.pragma("query_only", "ON");
    let pool = |most| {
        let options = SqlitePoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(3));
        // A connection that an error left in a transaction isn't used again.
        options.after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
    };
    let reader = pool(READERS).connect_with(options.clone()).await?;
    let lister = pool(LISTERS).connect_with(options).await?;
    Ok(Connections { reader, lister, writer })
}

/// Opens a file that can't be written, and that nobody can write meanwhile. `cause`: why it can't be opened otherwise.
async fn open_read_only(url: &str, cause: sqlx::Error) -> std::result::Result<Connections, OpenError> {
    let options = SqliteConnectOptions::from_str(url)?.read_only(true).immutable(true);
    let path = options.get_filename().to_owned();
    // What is in a write-ahead log would be missing.
    let has_log = file::with_suffix(&path, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    if has_log || !file::is_on_read_only_disk(&path) {
        return Err(unreachable(&path, cause));
    }
    require_own_tables(&options, false).await?;
    open_copy(&path).await.map_err(|cause| unreachable(&path, cause))
}

pub(super) async fn open_copy(path: &Path) -> std::result::Result<Connections, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let writer = Writer::open(options.clone()).await?;
    let pool = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
    Ok(Connections { reader: pool.clone(), lister: pool, writer })
}

/// Checks, without changing anything, that a URL names a file, or one that may be created.
pub(super) fn check(url: &str, create: bool) -> std::result::Result<(), OpenError> {
    let options = SqliteConnectOptions::from_str(url)?;
    let path = options.get_filename();
    let name = path.display().to_string();
    // sqlx names a database in memory by a URI.
    if name.starts_with("file:") {
        return Ok(());
    }
    match path.metadata() {
        Ok(facts) if facts.is_file() => Ok(()),
        Ok(_) => Err(OpenError::NotSqlite(name)),
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(OpenError::Create { path: name, cause }),
        Err(_) if !create => Err(OpenError::NoDatabase(name)),
        Err(_) => file::require_folder_of(path).map_err(|cause| OpenError::Create { path: name, cause }),
    }
}

/// Creates a missing file, if that is allowed, or fails. `SQLite` gives its other files the mode of this one.
fn prepare_file(path: &Path, create: bool) -> std::result::Result<(), OpenError> {
    let name = path.display().to_string();
    // sqlx names a database in memory by a URI.
    if name.starts_with("file:") {
        return Ok(());
    }
    let found = if create { file::create_private(path).map(drop) } else { path.metadata().map(drop) };
    match found {
        Ok(()) if create => return Ok(()),
        Ok(()) if !path.is_file() => return Err(OpenError::NotSqlite(name)),
        Ok(()) => (),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && !path.is_file() => {
            return Err(OpenError::NotSqlite(name));
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => (),
        Err(cause) if cause.kind() == ErrorKind::NotFound && !create => return Err(OpenError::NoDatabase(name)),
        Err(cause) => return Err(OpenError::Create { path: name, cause }),
    }
    // The files beside it have the mode that the database had when they were created.
    for suffix in ["", "-wal", "-shm"] {
        file::warn_if_shared(Path::new(&format!("{name}{suffix}")));
    }
    Ok(())
}

/// Checks that a file is empty or has Latchkey's tables. Opening it with WAL before would already change a file of
/// another program.
async fn require_own_tables(options: &SqliteConnectOptions, create: bool) -> std::result::Result<(), OpenError> {
    let mut connection = options.connect().await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut connection).await?;
    connection.close().await?;
    if tables.is_empty() {
        return if create { Ok(()) } else { Err(OpenError::NotSetUp) };
    }
    if tables.iter().any(|table| table == MIGRATIONS) { Ok(()) } else { Err(OpenError::Foreign) }
}

fn unreachable(path: &Path, cause: sqlx::Error) -> OpenError {
    let name = path.display().to_string();
    if primary_code(&cause) == Some(NOTADB) {
        return OpenError::NotSqlite(name);
    }
    OpenError::Unreachable { name, cause }
}

fn is_safe_sqlite(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (3, 51, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_before_3_51_3_is_refused() {
        assert!(is_safe_sqlite("3.51.3") && is_safe_sqlite("3.52.0") && is_safe_sqlite("4.0.0"));
        assert!(!is_safe_sqlite("3.51.2") && !is_safe_sqlite("3.46.0") && !is_safe_sqlite("x"));
    }
}
