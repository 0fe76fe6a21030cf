//! Files with secrets, which only their owner may read.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::sqlite::SqliteConnectOptions;

/// Returns the file of an `SQLite` database by its URL; `None` for a database in memory, and for any other.
pub fn of_database(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    // sqlx names a database in memory by a URI.
    Some(options.get_filename().to_owned()).filter(|path| !path.to_string_lossy().starts_with("file:"))
}

/// Returns a path with an ending after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates an empty file that only its owner may read and write, whatever the umask.
///
/// # Errors
/// If it exists already, or can't be created.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // The umask may have removed the owner's own rights.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Writes the names of a folder's files to the disk. To be called after one was created or renamed.
///
/// # Errors
/// If the disk fails.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Whether a file is on a disk that is mounted to be read only, so that nobody can change it.
pub(crate) fn is_on_read_only_disk(path: &Path) -> bool {
    #[cfg(unix)]
    let is_read_only =
        rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    #[cfg(not(unix))]
    let is_read_only = {
        let _ = path;
        false
    };
    is_read_only
}

/// Logs a warning if other users of the machine may read a file. It isn't changed, because that may be intended.
pub(crate) fn warn_if_shared(path: &Path) {
    #[cfg(unix)]
    if let Ok(facts) = path.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "other users of this machine may read this file; run chmod 600");
    }
    #[cfg(not(unix))]
    let _ = path;
}
