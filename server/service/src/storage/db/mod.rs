//! Both databases behind one type, and the macros that run the same SQL on either.

mod postgres;
mod sqlite;

use std::{future::Future, time::Duration};

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::error::{Error, OpenError, Result};

/// A database, chosen by its URL.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// Embedded: one writer, several readers that WAL lets work at the same time, and separate ones (`lister`) for
    /// statements that read many rows.
    Sqlite { reader: SqlitePool, lister: SqlitePool, writer: SqlitePool },
    /// A `PostgreSQL` server.
    Postgres(PgPool),
}

/// An open transaction on either database. Dropping it without [`Tx::commit`] rolls it back, even if the future that
/// holds it is dropped in the middle of a statement.
///
/// NOTE: code that holds a transaction must not begin another: `SQLite` has one writer, so the second would wait for
/// the first.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a statement on a [`Db`] outside of any transaction: `read!(db, c => sqlx::query(…).fetch_all(c))`.
macro_rules! read {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::storage::db::Db::Sqlite { reader: $c, .. } => $body.await,
            $crate::storage::db::Db::Postgres($c) => $body.await,
        }
    };
}
pub(crate) use read;

/// Like `read!`, for a statement that reads many rows, such as a page of a list.
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

/// Runs a write in a [`Tx`] and returns the number of affected rows.
macro_rules! change {
    ($tx:expr, $query:expr) => {
        match $tx {
            $crate::storage::db::Tx::Sqlite(tx) => $query.execute(&mut **tx).await.map(|done| done.rows_affected()),
            $crate::storage::db::Tx::Postgres(tx) => $query.execute(&mut **tx).await.map(|done| done.rows_affected()),
        }
    };
}
pub(crate) use change;

/// Runs work in a transaction and commits it: `retry!(db, tx => { …; Ok(value) })`, where `tx` is a `&mut Tx`. If the
/// database aborts the transaction because of a deadlock or a serialization failure, the work runs again in a new one,
/// at most [`MAX_RUNS`] times in total. For work that locks several rows that another transaction may lock in a
/// different order.
///
/// The work must be repeatable: it changes nothing outside of the transaction.
///
/// NOTE: a macro, because the compiler can't see that the future of a generic `AsyncFn(&mut Tx)` with borrowed captures
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

/// Counts how often [`retry`] has repeated its work.
#[derive(Debug, Default)]
pub(crate) struct Runs(u32);

impl Runs {
    /// Returns the outcome, or `None`, after a pause, if the work has to run again.
    pub(crate) async fn last<T>(&mut self, outcome: Result<T>) -> Option<Result<T>> {
        match outcome {
            Err(error) if error.is_serialization_failure() && self.0 + 1 < MAX_RUNS => {
                self.0 += 1;
                tracing::debug!(runs = self.0, ?error, "retrying a transaction");
                tokio::time::sleep(PAUSE * self.0).await;
                None
            }
            outcome => Some(outcome),
        }
    }
}

/// The table in which sqlx records the applied migrations.
pub(crate) const MIGRATIONS: &str = "_sqlx_migrations";
/// The maximum number of times that [`retry`] runs its work.
const MAX_RUNS: u32 = 5;
/// The pause before the second run. Each later pause is longer by this amount.
const PAUSE: Duration = Duration::from_millis(10);

impl Db {
    /// Connects to the database. `create`: whether a missing `SQLite` file is created.
    ///
    /// # Errors
    /// If there is no database, it can't be reached, or it is an `SQLite` file of another program.
    pub(crate) async fn open(url: &str, create: bool) -> std::result::Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            sqlite::open(url, create).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            postgres::open(url).await
        } else {
            Err(OpenError::Url)
        }
    }

    /// Begins a transaction. On `SQLite` it takes the write lock immediately.
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
    /// Commits the transaction.
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

    /// Commits after a success, rolls back after a failure, and returns the outcome. If the refusal is to be recorded
    /// in another transaction, this one has to end first.
    pub(crate) async fn end<T>(self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                if let Err(cause) = self.rollback().await {
                    tracing::warn!(?cause, "failed to roll back a transaction");
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

/// Runs a future to completion even if the caller is dropped. Dropping it during BEGIN or COMMIT would leave a
/// connection in a state that its pool doesn't know (sqlx issue 4393).
pub(crate) async fn to_completion<T>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
{
    let task = tokio::spawn(future);
    task.await.map_err(|cause| Error::Fault(format!("a database task failed: {cause}")))?
}
