//! The files with the tokens of stated keys.

use std::{io::ErrorKind, path::Path};

use domain::Secret;

use crate::cli::input::path_text;

/// The maximum size of a token file, in bytes.
const MAX_FILE: u64 = 4 * 1_024;

/// Reads a file that contains one token, and perhaps a line break after it.
///
/// # Errors
/// A sentence, which doesn't contain anything of the file.
pub(super) fn read(path: &Path) -> Result<Secret, String> {
    let name = path_text(path);
    let bytes = service::read_regular(path, MAX_FILE).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => format!("{name} is longer than 4 KiB. It must contain one token and nothing else."),
        _ => format!("{name} can't be read: {error}."),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} contains something else than text."))?;
    let token = text.strip_suffix('\n').unwrap_or(&text);
    let token = token.strip_suffix('\r').unwrap_or(token);
    if token.is_empty() {
        return Err(format!("{name} is empty. It must contain one token."));
    }
    if token.contains(['\n', '\r']) {
        return Err(format!("{name} has more than one line. It must contain one token and nothing else."));
    }
    Ok(Secret::new(token))
}
