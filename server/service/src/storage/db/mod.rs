//! Both databases behind one type, and the macros that run the same SQL on either.

mod key_cache;
mod ledger;
mod postgres;
pub(crate) mod server_call;
mod sqlite;
mod writer;

use std::{future::Future, time::Duration};

use chrono::{DateTime, Utc};
use domain::TenantId;
use sqlx::SqlitePool;

pub use self::postgres::Options as PostgresOptions;
pub(crate) use self::{
    key_cache::{CachedKey, KeyCache, KeyFacts, Outdated, OwnerFacts, TokenDigest},
    ledger::{Ledger, Line, Revoked, check as check_ledger, read_ledger},
    postgres::Lease,
    sqlite::MIGRATIONS,
};
use self::{
    ledger::Notes,
    postgres::Pg,
    sqlite::Connections,
    writer::{SqliteTx, Writer},
};
use crate::error::{Error, OpenError, Result};

/// A database, chosen by its URL.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// Embedded: one writer, several readers that WAL lets work at the same time, and separate ones (`lister`) for
    /// statements that read many rows.
    Sqlite { reader: SqlitePool, lister: SqlitePool, writer: Writer },
    /// A `PostgreSQL` server.
    Postgres(Pg),
}

/// An open transaction on either database. Dropping it without [`Tx::commit`] rolls it back, even if the future that
/// holds it is dropped in the middle of a statement.
///
/// NOTE: code that holds a transaction must not begin another: `SQLite` has one writer, so the second would wait for
/// the first.
pub(crate) enum Tx {
    Sqlite(SqliteTx),
    Postgres(Lease),
}

/// Runs a statement on a [`Db`] outside of any transaction: `read!(db, c => sqlx::query(…).fetch_all(c))`.
macro_rules! read {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::storage::db::Db::Sqlite { reader: $c, .. } => $body.await,
            $crate::storage::db::Db::Postgres(pg) => $crate::storage::db::read_on!(pg.reader(), $c => $body),
        }
    };
}
pub(crate) use read;

/// Like `read!`, for a statement that reads many rows, such as a page of a list.
macro_rules! read_list {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::storage::db::Db::Sqlite { lister: $c, .. } => $body.await,
            $crate::storage::db::Db::Postgres(pg) => $crate::storage::db::read_on!(pg.lister(), $c => $body),
        }
    };
}
pub(crate) use read_list;

/// Runs a statement on a connection that is taken for it.
macro_rules! read_on {
    ($lease:expr, $c:ident => $body:expr) => {
        match $lease.await {
            Ok(mut lease) => {
                let outcome = {
                    let $c = &mut *lease;
                    $body.await
                };
                lease.end_read(outcome).await
            }
            Err(error) => Err(error),
        }
    };
}
pub(crate) use read_on;

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
/// at most [`MAX_RUNS`] times in total. Every use case changes the database this way.
///
/// The work must be repeatable: it changes nothing outside of the transaction. `retry!(db, for tenant, tx => …)` begins
/// as [`Db::begin_for`] does.
///
/// NOTE: a macro, because the compiler can't see that the future of a generic `AsyncFn(&mut Tx)` with borrowed captures
/// is `Send`.
macro_rules! retry {
    ($db:expr, for $tenant:expr, $tx:ident => $work:expr) => {
        $crate::storage::db::retry!(@ $db.begin_for($tenant), $tx => $work)
    };
    ($db:expr, $tx:ident => $work:expr) => {
        $crate::storage::db::retry!(@ $db.begin(), $tx => $work)
    };
    (@ $begun:expr, $tx:ident => $work:expr) => {{
        let mut runs = $crate::storage::db::Runs::default();
        loop {
            let outcome = match $begun.await {
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

/// How many commits had failed at some moment, see `Services::settle`.
#[derive(Clone, Copy, Debug)]
pub struct SettlingMark(u64);

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

/// The maximum number of times that [`retry`] runs its work.
const MAX_RUNS: u32 = 5;
/// The pause before the second run. Each later pause is longer by this amount.
const PAUSE: Duration = Duration::from_millis(10);

/// What a URL names.
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn of(url: &str) -> std::result::Result<Self, OpenError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(OpenError::Url),
        }
    }
}

impl From<Connections> for Db {
    fn from(Connections { reader, lister, writer }: Connections) -> Self {
        Self::Sqlite { reader, lister, writer }
    }
}

impl Db {
    /// Connects to the database. `create`: whether a missing `SQLite` file is created.
    ///
    /// # Errors
    /// If there is no database, it can't be reached, or it is an `SQLite` file of another program.
    pub(crate) async fn open(
        url: &str,
        create: bool,
        options: PostgresOptions,
    ) -> std::result::Result<Self, OpenError> {
        match Kind::of(url)? {
            Kind::Sqlite => sqlite::open(url, create).await.map(Self::from),
            Kind::Postgres => postgres::open(url, options).await.map(Self::Postgres),
        }
    }

    /// Checks a URL as far as that is possible without opening the database. `create`: as for [`Db::open`].
    ///
    /// # Errors
    /// If [`Db::open`] would fail because of it.
    pub(crate) fn check(url: &str, create: bool, options: PostgresOptions) -> std::result::Result<(), OpenError> {
        match Kind::of(url)? {
            Kind::Sqlite => sqlite::check(url, create),
            Kind::Postgres => postgres::check(url, options),
        }
    }

    /// Opens a complete `SQLite` file that nobody uses, only to read it. Creates no other files beside it.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) async fn open_copy(path: &std::path::Path) -> Result<Self> {
        Ok(sqlite::open_copy(path).await?.into())
    }

    /// Returns the database's revocation ledger.
    pub(crate) fn ledger(&self) -> &Ledger {
        match self {
            Self::Sqlite { writer, .. } => writer.ledger(),
            Self::Postgres(pg) => pg.ledger(),
        }
    }

    /// Returns the keys that are known in memory.
    pub(crate) fn key_cache(&self) -> &KeyCache {
        match self {
            Self::Sqlite { writer, .. } => writer.key_cache(),
            Self::Postgres(pg) => pg.key_cache(),
        }
    }

    /// Begins a transaction. On `SQLite` it takes the write lock immediately.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        self.begin_as(None).await
    }

    /// Begins a transaction that changes a tenant. Use it where many may run at the same time: on `PostgreSQL`, one
    /// tenant's transactions then hold only a part of the connections while they wait for each other.
    pub(crate) async fn begin_for(&self, tenant: TenantId) -> Result<Tx> {
        self.begin_as(Some(tenant)).await
    }

    async fn begin_as(&self, tenant: Option<TenantId>) -> Result<Tx> {
        let db = self.clone();
        to_completion(async move {
            Ok(match db {
                Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin().await?),
                Self::Postgres(pg) => Tx::Postgres(pg.begin(tenant).await?),
            })
        })
        .await
    }

    /// Returns a mark for [`Db::settle`].
    pub(crate) fn settling_mark(&self) -> SettlingMark {
        match self {
            Self::Sqlite { writer, .. } => SettlingMark(writer.failures()),
            Self::Postgres(_) => SettlingMark(0),
        }
    }

    /// Waits until the changes are committed that a transaction may have read before it was rolled back: on `SQLite`,
    /// several transactions are committed together. Returns false if that has failed since the mark was taken. Also
    /// waits until keys known in memory are no older than the changes.
    pub(crate) async fn settle(&self, mark: SettlingMark) -> bool {
        let is_settled = match self {
            Self::Sqlite { writer, .. } => writer.settle(mark.0).await,
            Self::Postgres(_) => true,
        };
        self.key_cache().settle().await;
        is_settled
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { reader, lister, writer } => {
                reader.close().await;
                lister.close().await;
                writer.close().await;
            }
            Self::Postgres(pg) => pg.close().await,
        }
    }
}

impl Tx {
    /// Adds a line to the revocation ledger, if the transaction is committed.
    pub(crate) fn note(&mut self, what: Revoked, at: DateTime<Utc>) {
        self.notes().add(Line { what, at });
    }

    fn notes(&mut self) -> &mut Notes {
        match self {
            Self::Sqlite(tx) => &mut tx.notes,
            Self::Postgres(tx) => &mut tx.notes,
        }
    }

    fn key_cache(&self) -> Option<KeyCache> {
        match self {
            Self::Sqlite(tx) => Some(tx.key_cache()),
            Self::Postgres(tx) => tx.key_cache.clone(),
        }
    }

    /// Commits the transaction, and writes its revocations to the ledger. Afterwards, no key is known in memory as it was
    /// before.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let committed = to_completion(async move {
            let notes = std::mem::take(self.notes());
            let keys = self.key_cache();
            let file = match &self {
                Self::Sqlite(tx) => Some(tx.path().to_owned()),
                Self::Postgres(_) => None,
            };
            let _change = keys.as_ref().map(KeyCache::begin_change);
            let outcome = match self {
                Self::Sqlite(tx) => tx.commit().await,
                Self::Postgres(tx) => tx.commit().await,
            };
            if outcome.is_ok() {
                notes.write().await;
            }
            // Also after a failure: without an answer, the transaction may have been committed or not.
            if let Some(keys) = &keys {
                let is_server = keys.is_followed();
                keys.catch_up().await;
                if let (false, Some(file)) = (is_server, file) {
                    server_call::tell_server(&file).await;
                }
            }
            outcome
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
                Self::Sqlite(tx) => {
                    tx.rollback().await;
                    Ok(())
                }
                Self::Postgres(tx) => tx.rollback().await,
            }
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
