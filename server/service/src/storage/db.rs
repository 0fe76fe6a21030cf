//! The two databases behind one type, and the macros that run one text of SQL on either.

use std::{future::Future, str::FromStr, time::Duration};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::error::{Error, OpenError, Result};

/// A database, chosen by its URL.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// Embedded: one writer, several readers (WAL lets them work beside it), and some for what touches many rows.
    Sqlite { reader: SqlitePool, lister: SqlitePool, writer: SqlitePool },
    /// A server.
    Postgres(PgPool),
}

/// An open transaction on either. One that is dropped without [`Tx::commit`] is rolled back, also where the future that
/// holds it is dropped in the middle of a statement.
///
/// NOTE: whoever holds one doesn't wait for another: `SQLite` has one writer, which both would wait for.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a statement on a [`Db`] outside any transaction: `read!(db, c => sqlx::query(…).fetch_all(c))`.
macro_rules! read {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::storage::db::Db::Sqlite { reader: $c, .. } => $body.await,
            $crate::storage::db::Db::Postgres($c) => $body.await,
        }
    };
}
pub(crate) use read;

/// The same for a statement that touches many rows: a page of a list.
macro_rules! read_list {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::storage::db::Db::Sqlite { lister: $c, .. } => $body.await,
            $crate::storage::db::Db::Postgres($c) => $body.await,
        }
    };
}
pub(crate) use read_list;

/// Runs a statement in a [`Tx`]: `run!(tx, c => sqlx::query(…).execute(c))`.
macro_rules! run {
    ($tx:expr, $c:ident => $body:expr) => {
        match $tx {
            $crate::storage::db::Tx::Sqlite(tx) => {
                let $c = &mut **tx;
                $body.await
            }
            $crate::storage::db::Tx::Postgres(tx) => {
                let $c = &mut **tx;
                $body.await
            }
        }
    };
}
pub(crate) use run;

/// Runs a change in a [`Tx`] and gives the number of rows that it touched.
macro_rules! change {
    ($tx:expr, $query:expr) => {
        match $tx {
            $crate::storage::db::Tx::Sqlite(tx) => $query.execute(&mut **tx).await.map(|done| done.rows_affected()),
            $crate::storage::db::Tx::Postgres(tx) => $query.execute(&mut **tx).await.map(|done| done.rows_affected()),
        }
    };
}
pub(crate) use change;

/// Runs work in a transaction and commits it: `retry!(db, tx => { …; Ok(value) })`, where `tx` is a `&mut Tx`. When the
/// database ends the transaction because of a deadlock or a serialization failure, the work runs again in a new one, at
/// most [`MOST_RUNS`] times in all. For work that locks several rows which another transaction may lock in another order.
///
/// The work must be able to run again: it changes nothing outside of the transaction.
///
/// NOTE: a macro, because the compiler doesn't see that the future of a generic `AsyncFn(&mut Tx)` with borrowed captures
/// is `Send`.
macro_rules! retry {
    ($db:expr, $tx:ident => $work:expr) => {{
        let mut runs = $crate::storage::db::Runs::default();
        loop {
            let outcome = match $db.begin().await {
                Ok(mut transaction) => {
                    let $tx = &mut transaction;
                    let outcome = async { $work }.await;
                    transaction.end(outcome).await
                }
                Err(error) => Err(error),
            };
            if let Some(outcome) = runs.last(outcome).await {
                break outcome;
            }
        }
    }};
}
pub(crate) use retry;

/// How often the work of [`retry`] has been run again.
#[derive(Debug, Default)]
pub(crate) struct Runs(u32);

impl Runs {
    /// What came of the work; none, after a pause, when it is to run again.
    pub(crate) async fn last<T>(&mut self, outcome: Result<T>) -> Option<Result<T>> {
        match outcome {
            Err(error) if error.is_serialization_failure() && self.0 + 1 < MOST_RUNS => {
                self.0 += 1;
                tracing::debug!(runs = self.0, ?error, "a transaction runs again");
                tokio::time::sleep(PAUSE * self.0).await;
                None
            }
            outcome => Some(outcome),
        }
    }
}

const READERS: u32 = 8;
const LISTERS: u32 = 4;
/// So many bytes of the file, the most that there can be, listers see through memory instead of copying page by page: where
/// the rows of a list lie far apart, that is four times as fast.
const MAPPED: &str = "2147418112";
const POSTGRES_CONNECTIONS: u32 = 20;
/// How often [`retry`] runs its work at most.
const MOST_RUNS: u32 = 5;
/// The pause before the second run; each later one is longer by as much.
const PAUSE: Duration = Duration::from_millis(10);

impl Db {
    /// Connects. Creates an `SQLite` file that isn't there.
    pub(crate) async fn open(url: &str) -> std::result::Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            open_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url).await
        } else {
            Err(OpenError::Url)
        }
    }

    /// Begins a transaction. On `SQLite` it holds the write lock from the beginning.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let db = self.clone();
        to_completion(async move {
            Ok(match db {
                Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
                Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            })
        })
        .await
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { reader, lister, writer } => {
                reader.close().await;
                lister.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Keeps what the transaction changed.
    pub(crate) async fn commit(self) -> Result<()> {
        let committed = to_completion(async move {
            match self {
                Self::Sqlite(tx) => tx.commit().await,
                Self::Postgres(tx) => tx.commit().await,
            }
            .map_err(Error::from)
        });
        committed.await
    }

    /// Commits after a success, rolls back after a failure, and gives what came of it. Where a refusal is recorded in
    /// another transaction, this one must have ended before.
    pub(crate) async fn end<T>(self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                if let Err(cause) = self.rollback().await {
                    tracing::warn!(?cause, "a transaction could not be rolled back");
                }
                Err(error)
            }
        }
    }

    async fn rollback(self) -> Result<()> {
        let rolled_back = to_completion(async move {
            match self {
                Self::Sqlite(tx) => tx.rollback().await,
                Self::Postgres(tx) => tx.rollback().await,
            }
            .map_err(Error::from)
        });
        rolled_back.await
    }
}

/// Runs a future to its end even when the caller goes away: one that is dropped during BEGIN or COMMIT would leave a
/// connection in a state that its pool doesn't know (sqlx issue 4393).
pub(crate) async fn to_completion<T>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
{
    let task = tokio::spawn(future);
    task.await.map_err(|cause| Error::Fault(format!("a task of the database did not end: {cause}")))?
}

async fn open_sqlite(url: &str) -> std::result::Result<Db, OpenError> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    // One writer: SQLite has one anyway, and a queue in the process is fairer than retries on a lock.
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .connect_with(options.clone())
        .await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&writer).await?;
    if !is_safe_sqlite(&version) {
        return Err(OpenError::SqliteVersion(version));
    }
    let options = options.create_if_missing(false).pragma("query_only", "ON");
    let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(3));
    let reader = pool(READERS).connect_with(options.clone()).await?;
    let lister = pool(LISTERS).connect_with(options.pragma("mmap_size", MAPPED)).await?;
    Ok(Db::Sqlite { reader, lister, writer })
}

fn is_safe_sqlite(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (3, 51, 3)
}

async fn open_postgres(url: &str) -> std::result::Result<Db, OpenError> {
    let options = PgConnectOptions::from_str(url)?.application_name("latchkey").options([
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(Duration::from_secs(3))
        .connect_with(options)
        .await?;
    Ok(Db::Postgres(pool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_before_3_51_3_is_refused() {
        assert!(is_safe_sqlite("3.51.3") && is_safe_sqlite("3.52.0") && is_safe_sqlite("4.0.0"));
        assert!(!is_safe_sqlite("3.51.2") && !is_safe_sqlite("3.46.0") && !is_safe_sqlite("x"));
    }
}
