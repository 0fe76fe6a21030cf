//! Files with secrets, which only their owner may read.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

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

/// Logs a warning if other users of the machine may read a file. It isn't changed, because that may be intended.
pub(crate) fn warn_if_shared(path: &Path) {
    #[cfg(unix)]
    if let Ok(facts) = path.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "other users of this machine may read the database; run chmod 600");
    }
    #[cfg(not(unix))]
    let _ = path;
}
