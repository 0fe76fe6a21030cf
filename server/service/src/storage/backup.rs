//! Copies of an `SQLite` file. A copy is written beside its final name, and gets that name only when it is complete and
//! checked.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use domain::ApiError;
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Db, db::read_list, file};
use crate::error::{Error, Result};

/// How many rows the main tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Tenants.
    pub tenants: i64,
    /// People.
    pub users: i64,
    /// Keys, including those that have ended.
    pub keys: i64,
    /// Entries of the audit log.
    pub entries: i64,
}

/// Counts the rows of the main tables.
pub(crate) async fn count(db: &Db) -> Result<Counts> {
    Ok(read_list!(db, c =>
        sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM tenants) AS tenants, (SELECT COUNT(*) FROM users) AS users, \
             (SELECT COUNT(*) FROM api_keys) AS keys, (SELECT COUNT(*) FROM audit_log) AS entries",
        )
        .fetch_one(c))?)
}

/// A file that isn't complete yet. It has another name than it will have; dropping it deletes it.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    target: PathBuf,
    file: File,
    is_finished: bool,
}

impl Unfinished {
    /// Creates the file, which only its owner may read. Replaces one that an interrupted process left behind.
    ///
    /// # Errors
    /// A field error at `file` if it can't be created, or is just being written by another process.
    pub(crate) fn begin(target: &Path, suffix: &str) -> Result<Self> {
        let name = target.display();
        let refused = |message: String| Error::from(ApiError::field("file", message));
        if target.to_str().is_none() {
            return Err(refused("The path must be UTF-8.".to_owned()));
        }
        let path = file::with_suffix(target, suffix);
        if let Ok(left) = File::open(&path) {
            left.try_lock().map_err(|_| refused(format!("Another process is writing {name}.")))?;
            remove(&path);
        }
        let created = file::create_private(&path).and_then(|file| file.lock().map(|()| file));
        let file = created.map_err(|cause| refused(format!("{name} can't be created: {cause}")))?;
        Ok(Self { path, target: target.to_owned(), file, is_finished: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name, once it is on the disk.
    ///
    /// # Errors
    /// If the disk fails, or a file with that name was created meanwhile.
    pub(crate) fn finish(mut self) -> Result<()> {
        let name = self.target.display().to_string();
        self.file.sync_all().and_then(|()| self.rename()).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => ApiError::field("file", format!("{name} already exists.")).into(),
            _ => Error::Fault(format!("{name} couldn't be written to the disk: {cause}")),
        })?;
        self.is_finished = true;
        Ok(())
    }

    /// A second name and then removing the first never replaces a file, unlike renaming.
    fn rename(&self) -> io::Result<()> {
        match std::fs::hard_link(&self.path, &self.target) {
            Ok(()) => std::fs::remove_file(&self.path)?,
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Err(cause),
            // A file system without links.
            Err(_) => std::fs::rename(&self.path, &self.target)?,
        }
        self.target.parent().map_or(Ok(()), file::sync_folder)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            remove(&self.path);
        }
    }
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        std::fs::remove_file(file::with_suffix(path, suffix)).ok();
    }
}

/// Refuses a file that exists, also if it is a link to nowhere.
///
/// # Errors
/// A field error at `file`.
fn require_free(target: &Path) -> Result<()> {
    if target.symlink_metadata().is_ok() {
        let message = format!("{} already exists. Choose another name.", target.display());
        return Err(ApiError::field("file", message).into());
    }
    Ok(())
}

/// Copies an open `SQLite` database, even while it is in use. A `PostgreSQL` database is a field error.
pub(crate) async fn copy(db: &Db, target: &Path) -> Result<Unfinished> {
    let Db::Sqlite { writer, .. } = db else {
        let message = "latchkey backup copies SQLite files. Back up this PostgreSQL database with pg_dump \
             --format=custom, as the page Backup and restore describes.";
        return Err(ApiError::field("database_url", message).into());
    };
    require_free(target)?;
    let copy = Unfinished::begin(target, ".incomplete")?;
    // On a connection of its own, so that nobody waits for it. It only reads, and WAL lets others write meanwhile.
    copy_into(writer.connect().await?, &copy).await?;
    Ok(copy)
}

/// Copies a file that no process has open, such as a backup. The target may still exist, but not when the copy is finished.
pub(crate) async fn copy_file(path: &Path, target: &Path) -> Result<Unfinished> {
    let refused = |message: String| Error::from(ApiError::field("file", message));
    let name = path.display();
    if !path.is_file() {
        return Err(refused(format!("There is no file {name}.")));
    }
    // Without the changes in its log, the file is incomplete or damaged.
    if file::with_suffix(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(refused(format!(
            "{name} has a write-ahead log ({name}-wal), so it is a database in use, or was not made by latchkey backup. \
             Run latchkey backup for that database first."
        )));
    }
    let copy = Unfinished::begin(target, ".restoring")?;
    let connection = read_only(path).connect().await;
    let connection =
        connection.map_err(|cause| refused(format!("{name} can't be read as an SQLite database: {cause}")))?;
    let copied = copy_into(connection, &copy).await;
    copied.map_err(|error| match error {
        Error::Database(cause) => refused(format!("{name} can't be copied: {cause}")),
        other => other,
    })?;
    Ok(copy)
}

/// Options that change nothing, and create no files beside the database.
fn read_only(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).immutable(true)
}

/// `SQLite` writes into an empty file, and leaves its mode as it is.
async fn copy_into(mut connection: SqliteConnection, copy: &Unfinished) -> Result<()> {
    let target = copy.path().to_str().unwrap_or_default();
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await?;
    copy.file.sync_all().map_err(|cause| Error::Fault(format!("{target} couldn't be written to the disk: {cause}")))
}
