//! The errors of the service, and what a caller may know of them.

use std::sync::Arc;

use domain::{ApiError, ErrorCode};
use sqlx::sqlite::SqliteError;
use uuid::Uuid;

use crate::sqlite_codes::{BUSY, CANTOPEN, FULL, IOERR, LOCKED, READONLY, primary_code};

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal that the caller may see, or a fault whose cause is only logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A refusal, with what the caller can do about it.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// A valid request that a rule of the tenant refuses, such as a key policy. Recorded in the audit log.
    #[error("{0}")]
    Rule(ApiError),
    /// The database failed or refused.
    #[error("database")]
    Database(#[source] sqlx::Error),
    /// The database failed to commit several changes together, and this was one of them.
    #[error("database")]
    Together(#[source] Arc<sqlx::Error>),
    /// The service can't do its work at the moment. The caller may know why.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Anything else that shouldn't happen.
    #[error("{0}")]
    Fault(String),
}

impl Error {
    /// Whether the caller has to wait. Nothing was attempted then.
    pub(crate) fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Api(refusal) if refusal.code == domain::ErrorCode::RateLimited)
    }
}

/// Why the services can't be opened or migrated.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL's scheme isn't supported.
    #[error("The database URL must begin with sqlite: or postgres:.")]
    Url,
    /// There is no `SQLite` file at this path, and this command doesn't create one.
    #[error("No database at {0}. Check the path, or run latchkey migrate to create it.")]
    NoDatabase(String),
    /// The `SQLite` file can't be created.
    #[error("{path} can't be created: {cause}")]
    Create {
        /// The file.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file exists, but `SQLite` can't open it; or the server can't be reached.
    #[error("Can't open the database {name}: {cause}")]
    Unreachable {
        /// The file, or the server's host and port.
        name: String,
        /// Why not.
        cause: sqlx::Error,
    },
    /// A pooler refuses the settings that the server would accept.
    #[error(
        "The database URL is that of PgBouncer, which refuses Latchkey's settings. Set --pgbouncer, or \
         LATCHKEY_PGBOUNCER=true."
    )]
    Pooler,
    /// Another process serves the `SQLite` file.
    #[error(
        "Another Latchkey server uses {0}. Only one server can use an SQLite database; several need PostgreSQL (see \
         server/docs/postgresql.md)."
    )]
    Served(String),
    /// The file isn't in `SQLite`'s format.
    #[error("{0} isn't an SQLite database.")]
    NotSqlite(String),
    /// The database can't be written to.
    #[error("The database {0} is read-only. Check the permissions of its file and folder, or the role of its server.")]
    ReadOnly(String),
    /// The database has no tables.
    #[error("This database isn't set up. Run latchkey migrate.")]
    NotSetUp,
    /// The database lacks a migration of this binary.
    #[error("This database is out of date. Run latchkey migrate.")]
    OutOfDate,
    /// The database has tables, but not those of Latchkey.
    #[error("This database belongs to another program. Use a database of its own for Latchkey.")]
    Foreign,
    /// The database's first migration isn't that of a release (decision 0014).
    #[error(
        "This database was created by a development version of Latchkey from before the first release, or by another \
         program. It can't be migrated. Use a new database."
    )]
    Development,
    /// The bundled `SQLite` is too old to be safe.
    #[error("SQLite {0} can corrupt a write-ahead log; 3.51.3 or newer is needed")]
    SqliteVersion(String),
    /// A migration that this binary does not know has been applied.
    #[error(
        "This database was migrated by a newer version of Latchkey (migration {0}). Run that version, or restore an \
         earlier backup."
    )]
    NewerDatabase(i64),
    /// A migration failed, or was changed after it had been applied.
    #[error("The migration failed: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The password hasher can't be set up.
    #[error("Passwords can't be hashed: {0}")]
    Hasher(String),
    /// The secret keys are missing, or not those of the database.
    #[error("{0}")]
    SecretKeys(String),
    /// The revocation ledger can't be used, or knows of revocations that the database lacks.
    #[error("{0}")]
    Ledger(String),
    /// The mail settings are wrong.
    #[error("Email can't be sent: {0}")]
    Mail(String),
    /// The database failed, or its URL is malformed.
    #[error("Can't open the database: {0}")]
    Database(#[from] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause)
    }
}

/// What is wrong with a database that can't do its work at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// No connection was free, or another transaction held a lock for too long.
    Busy,
    /// The disk is full.
    Full,
    /// The file, the disk or the server can only be read.
    ReadOnly,
    /// The disk failed.
    Disk,
    /// The server can't be reached, or is starting or stopping.
    Unreachable,
}

impl Outage {
    fn of(cause: &sqlx::Error) -> Option<Self> {
        match cause {
            sqlx::Error::PoolTimedOut => Some(Self::Busy),
            sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Some(Self::Unreachable),
            sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => Some(Self::Disk),
            sqlx::Error::Database(refusal) if refusal.try_downcast_ref::<SqliteError>().is_some() => {
                Self::of_sqlite(primary_code(cause)?)
            }
            sqlx::Error::Database(refusal) => Self::of_postgres(&refusal.code()?),
            _ => None,
        }
    }

    /// By `SQLite`'s primary result code.
    fn of_sqlite(code: u32) -> Option<Self> {
        match code {
            BUSY | LOCKED => Some(Self::Busy),
            READONLY => Some(Self::ReadOnly),
            IOERR | CANTOPEN => Some(Self::Disk),
            FULL => Some(Self::Full),
            _ => None,
        }
    }

    /// By `PostgreSQL`'s SQLSTATE.
    fn of_postgres(code: &str) -> Option<Self> {
        match code {
            // Serialization failure, deadlock, lock not available, statement timeout.
            "40001" | "40P01" | "55P03" | "57014" => Some(Self::Busy),
            "25006" => Some(Self::ReadOnly),
            "53100" => Some(Self::Full),
            "58030" => Some(Self::Disk),
            _ if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Busy => "The database is busy. Try again in a moment.",
            Self::Full => {
                "The disk of the database is full, so the change wasn't saved. Ask the operator to free some space, then \
                 try again."
            }
            Self::ReadOnly => {
                "The database is read-only at the moment, so the change wasn't saved. Try again in a moment. If it keeps \
                 happening, quote the reference."
            }
            Self::Disk => {
                "The disk of the database failed. Check whether your change was saved before trying again. If it keeps \
                 happening, quote the reference."
            }
            Self::Unreachable => {
                "The database can't be reached. Check whether your change was saved before trying again. If it keeps \
                 happening, quote the reference."
            }
        }
    }
}

impl Error {
    /// The error of one of several changes that were to be committed together.
    pub(crate) fn from_shared(cause: Arc<sqlx::Error>) -> Self {
        Arc::try_unwrap(cause).map_or_else(Self::Together, Self::Database)
    }

    fn database_cause(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(cause) => Some(cause),
            Self::Together(cause) => Some(cause),
            _ => None,
        }
    }

    /// Whether the database aborted the transaction because of a concurrent one, so that a retry can succeed:
    /// serialization failure, deadlock.
    pub(crate) fn is_serialization_failure(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(cause)) => {
                cause.code().is_some_and(|code| ["40001", "40P01"].contains(&code.as_ref()))
            }
            _ => false,
        }
    }

    /// Whether another transaction held a lock for too long. Nothing was changed.
    pub(crate) fn is_busy(&self) -> bool {
        self.database_cause().and_then(Outage::of) == Some(Outage::Busy)
    }

    /// Whether a unique constraint refused the write.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(cause)) if cause.kind() == sqlx::error::ErrorKind::UniqueViolation)
    }

    /// Whether a foreign key refused the write.
    pub(crate) fn is_foreign_key_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(cause)) if cause.kind() == sqlx::error::ErrorKind::ForeignKeyViolation)
    }
}

/// Logs the cause once, under a reference that the caller gets too.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let outage = match &error {
            Error::Unavailable(message) => Some(*message),
            _ => error.database_cause().and_then(Outage::of).map(Outage::message),
        };
        let cause = match error {
            Error::Api(refusal) | Error::Rule(refusal) => return refusal,
            Error::Database(cause) => cause.to_string(),
            Error::Together(cause) => cause.to_string(),
            Error::Unavailable(message) => message.to_owned(),
            Error::Fault(cause) => cause,
        };
        let reference = reference();
        tracing::error!(reference, cause, "request failed");
        let (code, message) = match outage {
            Some(message) => (ErrorCode::Unavailable, message),
            None => (
                ErrorCode::Internal,
                // Doesn't say that nothing was changed: the answer to a COMMIT can be lost, and some steps follow one.
                "Something went wrong. Check whether your change was saved before trying again. If it keeps happening, \
                 quote the reference.",
            ),
        };
        Self { reference: Some(reference), retry_after: outage.map(|_| 2), ..Self::new(code, message) }
    }
}

fn reference() -> String {
    let id = Uuid::from_bytes(crate::random::draw_bytes());
    id.simple().to_string()[..12].to_owned()
}
