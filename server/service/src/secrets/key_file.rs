//! Files with secret keys: one key a line, comments after `#`. Only their owner may read them.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::key::SecretKey;
use crate::{random, storage::file};

/// The maximum size of a key file, in bytes.
const MAX_FILE: u64 = 64 * 1_024;

const HEADER: &str = "\
# Secret keys of Latchkey. They encrypt what must be read back from its database, such as the secrets of two-factor
# authentication. Without them, those secrets are lost. Keep a copy of this file, but not together with copies of the
# database.
";

/// Parses the text of a key file, or of a setting, where commas or spaces may separate keys too. Keys that occur twice
/// count once.
///
/// # Errors
/// A sentence that says which line isn't a key. It never contains the line.
pub(crate) fn parse(text: &str) -> Result<Vec<SecretKey>, String> {
    let mut keys: Vec<SecretKey> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            let key = SecretKey::parse(word).ok_or_else(|| {
                format!(
                    "line {} isn't a key. A key is 32 random bytes in Base64, as of openssl rand -base64 32",
                    number + 1
                )
            })?;
            if keys.iter().all(|other| other.id() != key.id()) {
                keys.push(key);
            }
        }
    }
    if keys.is_empty() { Err("it contains no key".to_owned()) } else { Ok(keys) }
}

/// Reads a key file; `None` if there is none.
///
/// # Errors
/// A sentence that names the file, if it can't be read or holds something else.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<SecretKey>>, String> {
    match file::read_regular_text(path, MAX_FILE) {
        Ok(text) => parse(&text)
            .map(Some)
            .map_err(|cause| format!("The secret key file {} is invalid: {cause}.", path.display())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(format!("The secret key file {} can't be read: {cause}.", path.display())),
    }
}

/// Creates a file with a new key, complete from the first moment that it has this name. Returns the key; `None` if the
/// file exists already.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn create(path: &Path) -> Result<Option<SecretKey>, String> {
    let key = SecretKey::draw();
    let written = write_beside(path, std::slice::from_ref(&key)).and_then(|new| {
        let linked = fs::hard_link(&new, path).and_then(|()| sync_folder(path));
        fs::remove_file(&new)?;
        linked
    });
    match written {
        Ok(()) => Ok(Some(key)),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(cause) => Err(format!("The secret key file {} can't be created: {cause}.", path.display())),
    }
}

/// Replaces the keys of a file in one step.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn replace(path: &Path, keys: &[SecretKey]) -> Result<(), String> {
    let written = write_beside(path, keys).and_then(|new| {
        let renamed = fs::rename(&new, path).and_then(|()| sync_folder(path));
        if renamed.is_err() {
            fs::remove_file(&new).ok();
        }
        renamed
    });
    written.map_err(|cause| format!("The secret key file {} can't be changed: {cause}.", path.display()))
}

/// Writes a file of a random name in the same folder, and returns its path.
fn write_beside(path: &Path, keys: &[SecretKey]) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".new-{}", uuid::Uuid::from_bytes(random::draw_bytes()).simple()));
    let new = path.with_file_name(name);
    let lines: Vec<String> =
        keys.iter().flat_map(|key| [format!("# {}", key.id()), key.text().expose().to_owned()]).collect();
    let mut file = file::create_private(&new)?;
    let written = file.write_all(format!("{HEADER}{}\n", lines.join("\n")).as_bytes()).and_then(|()| file.sync_all());
    if let Err(cause) = written {
        fs::remove_file(&new).ok();
        return Err(cause);
    }
    Ok(new)
}

/// Makes the name of a file survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    file::sync_folder(path.parent().unwrap_or(Path::new("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_lines_commas_and_between_comments() {
        let (a, b) = (SecretKey::draw(), SecretKey::draw());
        let (x, y) = (a.text().expose(), b.text().expose());
        for text in [format!("# note\n{x}\n\n  {y}  # newer\n"), format!("{x},{y}"), format!("{x} {y} {x}\r\n")] {
            let ids: Vec<_> = parse(&text).unwrap().iter().map(|key| key.id().to_owned()).collect();
            assert_eq!(ids, [a.id(), b.id()], "{text}");
        }
        assert!(parse("# nothing\n").unwrap_err().contains("no key"));
        let wrong = parse(&format!("{x}\nhunter2hunter2\n")).unwrap_err();
        assert!(wrong.contains("line 2") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_created_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latchkey.db.key");
        assert!(read(&path).unwrap().is_none());
        let key = create(&path).unwrap().unwrap();
        assert!(create(&path).unwrap().is_none());
        assert_eq!(read(&path).unwrap().unwrap()[0].id(), key.id());
        let next = SecretKey::draw();
        replace(&path, &[key, next.clone()]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap()[1].id(), next.id());
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let missing = folder.path().join("none").join("key");
        assert!(create(&missing).unwrap_err().contains(&missing.display().to_string()));
    }
}
