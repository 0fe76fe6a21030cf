//! Writes to standard output and standard error. `println!` would panic if a disk is full or the reader is gone.

use std::{fmt::Display, io::Write};

use super::outcome::{Answer, Failure};

/// Writes a line to standard output.
///
/// # Errors
/// When it can't be written.
pub(super) fn line(text: impl Display) -> Answer {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes bytes to standard output.
///
/// # Errors
/// When they can't be written.
pub(super) fn bytes(bytes: &[u8]) -> Answer {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes a message to standard error. A message that can't be written doesn't fail the command.
pub(super) fn message(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Returns a number with the noun in its form, such as `1 key` or `2 keys`.
pub(super) fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
