//! How processes that use the same `SQLite` file tell its server that they have changed something.
//!
//! The server listens on a socket beside the file. Whoever calls waits for its answer, which comes after the server has
//! read the changes. An answer isn't necessary: after [`MAX_AGE`] without one, the server has read them, or uses nothing
//! that it knows in memory.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{super::file, key_cache::MAX_AGE};

/// Returns the file that the server of a database holds a lock on.
pub(crate) fn lock_of(database: &Path) -> PathBuf {
    file::with_suffix(database, ".server")
}

/// Returns the socket that the server of a database listens on.
pub(crate) fn socket_of(database: &Path) -> PathBuf {
    file::with_suffix(database, ".socket")
}

/// Opens the lock file of a database, and creates it if `create`.
pub(crate) fn open_lock(database: &Path, create: bool) -> io::Result<File> {
    let path = lock_of(database);
    match File::options().read(true).write(true).open(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && create => file::create_private(&path),
        opened => opened,
    }
}

/// Waits until a server of the database, if there is one in another process, has read what is committed.
pub(super) async fn tell_server(database: &Path) {
    let deadline = Instant::now() + Duration::from_micros(MAX_AGE.unsigned_abs());
    if !is_served(database) {
        return;
    }
    if !matches!(timeout_at(deadline, call(&socket_of(database))).await, Ok(Ok(()))) {
        sleep_until(deadline).await;
    }
}

/// Whether another process serves the database. True in doubt.
fn is_served(database: &Path) -> bool {
    let Ok(lock) = open_lock(database, false) else { return lock_of(database).exists() };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(unix)]
async fn call(socket: &Path) -> io::Result<()> {
    use tokio::io::AsyncReadExt;

    let mut stream = tokio::net::UnixStream::connect(socket).await?;
    stream.read_exact(&mut [0]).await.map(drop)
}

#[cfg(not(unix))]
async fn call(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
