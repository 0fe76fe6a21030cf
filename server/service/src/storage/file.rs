//! Files with secrets, which only their owner may read.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
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

/// Opens a regular file for reading. Anything else is refused: opening a pipe waits for somebody to write to it, and a
/// device may never end.
///
/// # Errors
/// If there is no such file, or it isn't a regular one.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Opening a device may already do something.
    require_regular(&path.metadata()?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    // The file may have been replaced by a pipe since.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    require_regular(&file.metadata()?)?;
    Ok(file)
}

pub(crate) fn require_regular(facts: &Metadata) -> io::Result<()> {
    if facts.is_file() {
        return Ok(());
    }
    let kind = if facts.is_dir() { "it is a folder" } else { "it is a pipe or a device, not a regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, kind))
}

/// Checks that the folder exists in which a file would be created.
///
/// # Errors
/// If it doesn't.
pub(crate) fn require_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.metadata()?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Reads a regular file that has at most `max` bytes.
///
/// # Errors
/// As [`open_regular`], or if the file is longer or can't be read.
pub fn read_regular(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} KiB", max / 1_024)));
    }
    Ok(bytes)
}

/// Reads a regular text file that has at most `max` bytes.
///
/// # Errors
/// As [`read_regular`], or if the text isn't UTF-8.
pub fn read_regular_text(path: &Path, max: u64) -> io::Result<String> {
    let text = String::from_utf8(read_regular(path, max)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it isn't UTF-8"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_limited_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, "é".repeat(512)).unwrap();
        assert_eq!(read_regular_text(&path, 1_024).unwrap().len(), 1_024);
        assert_eq!(read_regular(&path, 1_023).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_regular_text(&path, 1_024).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(read_regular(folder.path(), 1).unwrap_err().to_string().contains("folder"));
        assert_eq!(read_regular(&folder.path().join("none"), 1).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_device_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link, Path::new("/dev/zero")] {
            assert!(open_regular(path).unwrap_err().to_string().contains("not a regular file"), "{path:?}");
        }
    }
}
