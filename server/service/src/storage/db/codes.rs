//! Constants of the databases: `SQLite`'s result codes, and the table of migrations.

/// The table in which sqlx records the applied migrations.
pub(crate) const MIGRATIONS: &str = "_sqlx_migrations";
/// The primary result code of a file that another process has locked.
pub(crate) const BUSY: u32 = 5;
/// The primary result code of a file that can't be written.
pub(crate) const READONLY: u32 = 8;

/// The primary result code of a file that isn't a database.
pub(crate) const NOTADB: u32 = 26;

/// Returns the primary result code of `SQLite`, which its extended codes have in the lowest byte.
pub(crate) fn primary_code(cause: &sqlx::Error) -> Option<u32> {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    Some(code.parse::<u32>().ok()? & 0xff)
}
