//! The connection that changes an `SQLite` file. Transactions take turns on it, and those that finish while others wait
//! are committed together: one write to the disk for many changes. See decision 0026.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    key_cache::KeyCache,
    ledger::{Ledger, Notes},
};
use crate::{
    error::{Error, Result},
    sqlite_codes::{BUSY, primary_code},
};

/// How long a transaction waits for its turn and for other processes that write to the file, both together.
const WAIT: Duration = Duration::from_secs(5);
/// How long `SQLite` itself waits for another process. Afterwards it is asked again, until [`WAIT`] is over.
const WAIT_AT_ONCE: Duration = Duration::from_millis(250);
/// How many transactions are committed together at most.
const MAX_GROUP: usize = 32;
/// How long a group stays open at most before it is committed.
const MAX_OPEN: Duration = Duration::from_millis(50);

/// The writer of a file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    ledger: Ledger,
    key_cache: KeyCache,
    turn: Arc<Mutex<Turn>>,
    /// Whether a transaction was rolled back after it may have read changes that aren't committed yet.
    has_unsettled_readers: AtomicBool,
    /// How many groups couldn't be committed.
    failures: AtomicU64,
}

/// The state that whoever has the turn may use.
#[derive(Debug, Default)]
struct Turn {
    connection: Option<Open>,
    group: Option<Group>,
    /// Whether a transaction has begun and hasn't ended. Stays set if it never ends, because its runtime stopped.
    is_used: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct Open {
    connection: SqliteConnection,
    /// Set by `SQLite` when it rolls back the whole transaction, as it does by itself after some errors.
    is_rolled_back: Arc<AtomicBool>,
}

/// Transactions that have finished and are committed together.
#[derive(Debug)]
struct Group {
    since: Instant,
    finished: Vec<oneshot::Sender<std::result::Result<(), Arc<sqlx::Error>>>>,
}

/// A transaction that has the turn.
pub(crate) struct SqliteTx {
    /// `None` once it has ended.
    turn: Option<OwnedMutexGuard<Turn>>,
    shared: Arc<Shared>,
    pub(super) notes: Notes,
}

impl Writer {
    /// Opens the connection.
    ///
    /// # Errors
    /// If the file can't be opened.
    pub(super) async fn open(options: SqliteConnectOptions) -> std::result::Result<Self, sqlx::Error> {
        let turn = Turn { connection: Some(Open::connect(&options).await?), ..Turn::default() };
        let turn = Arc::new(Mutex::new(turn));
        let (has_unsettled_readers, failures) = (AtomicBool::default(), AtomicU64::default());
        Ok(Self(Arc::new(Shared {
            options,
            ledger: Ledger::default(),
            key_cache: KeyCache::default(),
            turn,
            has_unsettled_readers,
            failures,
        })))
    }

    /// Opens another connection that may write, for work that takes long or isn't a transaction, such as a migration.
    ///
    /// # Errors
    /// If the file can't be opened.
    pub(crate) async fn connect(&self) -> std::result::Result<SqliteConnection, sqlx::Error> {
        self.0.options.connect().await
    }

    /// Returns the database's revocation ledger.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Returns the keys that are known in memory.
    pub(super) fn key_cache(&self) -> &KeyCache {
        &self.0.key_cache
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        self.0.options.get_filename()
    }

    /// Begins a transaction when it is its turn.
    ///
    /// # Errors
    /// If other transactions or other processes take longer than [`WAIT`], or the file can't be written.
    pub(super) async fn begin(&self) -> Result<SqliteTx> {
        let deadline = Instant::now() + WAIT;
        let waited = timeout_at(deadline, Arc::clone(&self.0.turn).lock_owned()).await;
        let mut turn = waited.map_err(|_| Error::from(sqlx::Error::PoolTimedOut))?;
        match turn.begin(&self.0, deadline).await {
            Ok(()) => {
                let notes = Notes::of(&self.0.ledger);
                Ok(SqliteTx { turn: Some(turn), shared: Arc::clone(&self.0), notes })
            }
            Err(cause) if is_locked(&cause) && turn.group.is_none() => Err(cause.into()),
            Err(cause) => Err(Error::from_shared(turn.fail(&self.0, Arc::new(cause)))),
        }
    }

    /// Returns how many groups of transactions couldn't be committed so far, for [`Writer::settle`].
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Acquire)
    }

    /// Waits until changes are committed that a transaction may have read before it was rolled back. Returns false if a
    /// group couldn't be committed since `failures` was read. Usually returns at once.
    pub(super) async fn settle(&self, failures: u64) -> bool {
        if self.0.has_unsettled_readers.load(Ordering::Acquire) {
            self.0.turn.lock().await.commit(&self.0).await.ok();
        }
        self.failures() == failures
    }

    /// Commits what has finished and closes the connection.
    pub(super) async fn close(&self) {
        let mut turn = self.0.turn.lock().await;
        turn.is_closed = true;
        turn.commit(&self.0).await.ok();
        if let Some(open) = turn.connection.take() {
            open.connection.close().await.ok();
        }
    }
}

impl Open {
    async fn connect(options: &SqliteConnectOptions) -> std::result::Result<Self, sqlx::Error> {
        let mut connection = options.clone().busy_timeout(WAIT_AT_ONCE).connect().await?;
        let is_rolled_back = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&is_rolled_back);
        connection.lock_handle().await?.set_rollback_hook(move || seen.store(true, Ordering::Release));
        Ok(Self { connection, is_rolled_back })
    }

    async fn run(&mut self, sql: &'static str) -> std::result::Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.connection).await.map(drop)
    }

    /// Fails if `SQLite` has rolled back the transaction by itself.
    fn check_is_in_transaction(&self) -> std::result::Result<(), sqlx::Error> {
        if self.is_rolled_back.load(Ordering::Acquire) {
            return Err(sqlx::Error::Protocol("SQLite rolled back the transaction after an error".to_owned()));
        }
        Ok(())
    }

    /// Takes the file's write lock, and waits for other processes until the deadline.
    async fn begin(&mut self, deadline: Instant) -> std::result::Result<(), sqlx::Error> {
        self.is_rolled_back.store(false, Ordering::Release);
        loop {
            match self.run("BEGIN IMMEDIATE").await {
                Err(cause) if is_locked(&cause) && Instant::now() < deadline => (),
                outcome => return outcome,
            }
        }
    }
}

fn is_locked(cause: &sqlx::Error) -> bool {
    primary_code(cause) == Some(BUSY)
}

impl Turn {
    /// Begins a transaction: the first of a group, or a savepoint after those that have finished.
    async fn begin(&mut self, shared: &Shared, deadline: Instant) -> std::result::Result<(), sqlx::Error> {
        if self.is_closed {
            return Err(sqlx::Error::PoolClosed);
        }
        if self.is_used {
            drop(self.fail(shared, Arc::new(sqlx::Error::WorkerCrashed)));
        }
        let is_due = |group: &Group| group.finished.len() >= MAX_GROUP || group.since.elapsed() >= MAX_OPEN;
        if self.group.as_ref().is_some_and(is_due) {
            // The transactions of the group report the failure; this one isn't part of it.
            self.commit(shared).await.ok();
        }
        if self.connection.is_none() {
            self.connection = Some(Open::connect(&shared.options).await?);
        }
        if let Some(open) = &mut self.connection {
            match self.group {
                None => open.begin(deadline).await?,
                Some(_) => open.run("SAVEPOINT turn").await?,
            }
        }
        self.is_used = true;
        Ok(())
    }

    /// Adds the current transaction to the group. The receiver gets the outcome of the group's commit.
    async fn finish(
        &mut self,
    ) -> std::result::Result<oneshot::Receiver<std::result::Result<(), Arc<sqlx::Error>>>, sqlx::Error> {
        let open = self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        open.check_is_in_transaction()?;
        if self.group.is_some() {
            open.run("RELEASE turn").await?;
        }
        self.is_used = false;
        let (sender, receiver) = oneshot::channel();
        let group = self.group.get_or_insert_with(|| Group { since: Instant::now(), finished: Vec::new() });
        group.finished.push(sender);
        Ok(receiver)
    }

    /// Rolls back the current transaction, and nothing else.
    async fn roll_back(&mut self, shared: &Shared) {
        let Some(open) = &mut self.connection else { return };
        let outcome = if self.group.is_none() {
            open.run("ROLLBACK").await
        } else {
            shared.has_unsettled_readers.store(true, Ordering::Release);
            match open.check_is_in_transaction() {
                Ok(()) => match open.run("ROLLBACK TO turn").await {
                    Ok(()) => open.run("RELEASE turn").await,
                    failed => failed,
                },
                lost => lost,
            }
        };
        match outcome {
            Ok(()) => self.is_used = false,
            Err(cause) => drop(self.fail(shared, Arc::new(cause))),
        }
    }

    /// Commits the group, if there is one, and tells its transactions.
    async fn commit(&mut self, shared: &Shared) -> std::result::Result<(), Arc<sqlx::Error>> {
        let Some(open) = self.connection.as_mut().filter(|_| self.group.is_some()) else { return Ok(()) };
        if let Err(cause) = open.run("COMMIT").await {
            return Err(self.fail(shared, Arc::new(cause)));
        }
        shared.has_unsettled_readers.store(false, Ordering::Release);
        for waiting in self.group.take().into_iter().flat_map(|group| group.finished) {
            waiting.send(Ok(())).ok();
        }
        Ok(())
    }

    /// Throws the connection away, because its state isn't known, and tells the transactions of the group that they
    /// failed. The next transaction opens another connection; `SQLite` rolls back what this one hasn't committed.
    fn fail(&mut self, shared: &Shared, cause: Arc<sqlx::Error>) -> Arc<sqlx::Error> {
        self.connection = None;
        self.is_used = false;
        // Counted before the mark is removed: `settle` reads them in the opposite order, without a turn.
        if self.group.is_some() {
            shared.failures.fetch_add(1, Ordering::Release);
        }
        shared.has_unsettled_readers.store(false, Ordering::Release);
        for waiting in self.group.take().into_iter().flat_map(|group| group.finished) {
            waiting.send(Err(Arc::clone(&cause))).ok();
        }
        cause
    }
}

impl SqliteTx {
    /// Commits the transaction, together with others that wait for their turn at this moment.
    pub(super) async fn commit(mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(mut turn) = self.turn.take() else { return Ok(()) };
        let mut outcome = match turn.finish().await {
            Ok(outcome) => outcome,
            Err(cause) => return Err(Error::from_shared(turn.fail(&shared, Arc::new(cause)))),
        };
        // Those who already wait have their turn first. Whoever of the group has the turn again first commits for all.
        drop(turn);
        tokio::select! {
            biased;
            outcome = &mut outcome => return told(outcome),
            mut turn = Arc::clone(&shared.turn).lock_owned() => drop(turn.commit(&shared).await),
        }
        told(outcome.await)
    }

    /// Whether another transaction waits for its turn.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn has_waiting(&self) -> bool {
        // The writer and the guard of the turn have a reference each, and so has whoever waits.
        Arc::strong_count(&self.shared.turn) > 2
    }

    /// Returns the keys that are known in memory.
    pub(super) fn key_cache(&self) -> KeyCache {
        self.shared.key_cache.clone()
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        self.shared.options.get_filename()
    }

    /// Rolls the transaction back.
    pub(super) async fn rollback(mut self) {
        if let Some(mut turn) = self.turn.take() {
            turn.roll_back(&self.shared).await;
        }
    }
}

fn told(
    outcome: std::result::Result<std::result::Result<(), Arc<sqlx::Error>>, oneshot::error::RecvError>,
) -> Result<()> {
    outcome.unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed))).map_err(Error::from_shared)
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        let Some(mut turn) = self.turn.take() else { return };
        let shared = Arc::clone(&self.shared);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { turn.roll_back(&shared).await })),
            Err(_) => drop(turn.fail(&shared, Arc::new(sqlx::Error::WorkerCrashed))),
        }
    }
}

impl Deref for SqliteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let turn = self.turn.as_ref().and_then(|turn| turn.connection.as_ref());
        &turn.expect("a transaction that hasn't ended has the connection").connection
    }
}

impl DerefMut for SqliteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        let turn = self.turn.as_mut().and_then(|turn| turn.connection.as_mut());
        &mut turn.expect("a transaction that hasn't ended has the connection").connection
    }
}
