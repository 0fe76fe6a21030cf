//! What a process does that serves a database: it keeps keys in memory, and is the only one of an `SQLite` file.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    error::OpenError,
    storage::{
        db::KeyCache,
        server_call::{open_lock, socket_of},
    },
};

/// How long commands may hold the lock in a row, and how often the lock is tried.
const COMMANDS: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The right to serve an `SQLite` file, until it is dropped.
#[derive(Debug)]
pub struct Serving {
    /// Locked as long as it is open.
    _lock: Option<File>,
    socket: Option<Socket>,
}

impl Serving {
    /// Returns what a server of a `PostgreSQL` database has: others may serve it too.
    pub(crate) fn together() -> Self {
        Self { _lock: None, socket: None }
    }

    /// Begins to serve an `SQLite` file.
    ///
    /// # Errors
    /// If another process serves it.
    pub(crate) fn alone(database: &Path, keys: KeyCache) -> Result<Self, OpenError> {
        let failed = |cause| OpenError::Create { path: database.display().to_string(), cause };
        let lock = open_lock(database, true).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // A command holds the lock for a moment, to see whether there is a server.
                Err(TryLockError::WouldBlock) if begun.elapsed() < COMMANDS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(OpenError::Served(database.display().to_string())),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        let socket = match Socket::open(socket_of(database), keys) {
            Ok(socket) => Some(socket),
            Err(cause) => {
                tracing::warn!(
                    %cause, path = %socket_of(database).display(),
                    "can't listen on the socket for commands; commands that change something take a second longer"
                );
                None
            }
        };
        Ok(Self { _lock: Some(lock), socket })
    }

    /// Whether commands can tell the server what they have changed.
    pub fn hears_commands(&self) -> bool {
        self.socket.is_some()
    }
}

/// A socket on which commands say that they have changed something. Removed when it is dropped.
#[derive(Debug)]
struct Socket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Socket {
    #[cfg(unix)]
    fn open(path: PathBuf, keys: KeyCache) -> io::Result<Self> {
        // The lock is ours, so nobody listens on a socket that an earlier server has left.
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => (),
        }
        let listener = tokio::net::UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(answer(stream, keys.clone()))),
                    // Most likely out of file descriptors. The caller waits as if there were no socket.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                }
            }
        });
        Ok(Self { path, task })
    }

    #[cfg(not(unix))]
    fn open(_: PathBuf, _: KeyCache) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Reads the changes, and tells the caller.
#[cfg(unix)]
async fn answer(mut stream: tokio::net::UnixStream, keys: KeyCache) {
    keys.catch_up().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, b".").await.ok();
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        std::fs::remove_file(&self.path).ok();
    }
}
