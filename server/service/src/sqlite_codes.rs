//! `SQLite`'s primary result codes, under the names that its documentation gives them (<https://sqlite.org/rescode.html>).

/// `SQLITE_BUSY`: another process has locked the file.
pub(crate) const BUSY: u32 = 5;
/// `SQLITE_LOCKED`: another connection of this process has locked a table.
pub(crate) const LOCKED: u32 = 6;
/// `SQLITE_READONLY`: the file can't be written.
pub(crate) const READONLY: u32 = 8;
/// `SQLITE_IOERR`: the disk failed.
pub(crate) const IOERR: u32 = 10;
/// `SQLITE_FULL`: the disk is full.
pub(crate) const FULL: u32 = 13;
/// `SQLITE_CANTOPEN`: the file, or one beside it, can't be opened.
pub(crate) const CANTOPEN: u32 = 14;
/// `SQLITE_NOTADB`: the file isn't a database.
pub(crate) const NOTADB: u32 = 26;

/// Returns the primary result code of an error, which extended codes have in the lowest byte. Only for errors of `SQLite`.
pub(crate) fn primary_code(cause: &sqlx::Error) -> Option<u32> {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    Some(code.parse::<u32>().ok()? & 0xff)
}
