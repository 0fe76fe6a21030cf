//! A connection while it is in use: for a read, or for a transaction.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use deadpool::managed::Object;
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit};

use super::{
    link::Link,
    servers::{Servers, Source},
    turns::Turn,
};
use crate::{
    error::{Error, Result},
    storage::db::{key_cache::KeyCache, ledger::Notes},
};

/// How long `BEGIN` may take, and putting a connection in order after its user has gone away.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// How long `COMMIT` may take: it waits for the disk, and perhaps for a standby.
const COMMIT: Duration = Duration::from_secs(5);

/// A connection in use. Dropping it rolls its transaction back, and returns the connection to its pool unless it is
/// broken.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `None` only while the lease is dropped.
    link: Option<Object<Source>>,
    is_in_transaction: bool,
    /// What the lease holds besides its connection.
    held: Held,
    /// The revocations of its transaction.
    pub(crate) notes: Notes,
    /// The keys that are known in memory, if it is a transaction.
    pub(crate) key_cache: Option<KeyCache>,
}

/// What a lease gives back at its end.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) turn: Option<Turn>,
    /// Lets the pools wait for all leases when they are closed.
    pub(super) open: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(super) fn new(link: Object<Source>, held: Held, limit: Duration) -> Self {
        let mut lease =
            Self { link: Some(link), is_in_transaction: false, held, notes: Notes::default(), key_cache: None };
        lease.set_limit(limit);
        lease
    }

    /// Begins a transaction with the command, within the limit.
    pub(super) async fn begin(
        &mut self,
        command: &'static str,
        limit: Duration,
    ) -> std::result::Result<(), sqlx::Error> {
        self.is_in_transaction = true;
        self.control(command, limit.min(SHORT)).await
    }

    /// Ends a read that needed a transaction, and returns its outcome.
    pub(crate) async fn end_read<T>(
        mut self,
        outcome: std::result::Result<T, sqlx::Error>,
    ) -> std::result::Result<T, sqlx::Error> {
        if self.is_in_transaction && outcome.is_ok() {
            self.control("COMMIT", SHORT).await?;
            self.is_in_transaction = false;
        }
        outcome
    }

    /// Lets every following statement of the transaction run for two minutes. For changes of many rows.
    pub(crate) async fn allow_long_statements(&mut self) -> std::result::Result<(), sqlx::Error> {
        self.control("SET LOCAL statement_timeout = '120s'", SHORT).await?;
        self.set_limit(Duration::from_secs(121));
        Ok(())
    }

    /// Lets every following statement of the transaction run and wait for locks as long as it needs. For migrations.
    pub(crate) async fn allow_any_duration(&mut self) -> std::result::Result<(), sqlx::Error> {
        let unlimited = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
        self.control(unlimited, SHORT).await?;
        self.set_limit(Duration::MAX);
        Ok(())
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// If a statement has failed before: the server would roll back, and report success. If there is no answer, the
    /// transaction may have been committed or not.
    pub(crate) async fn commit(mut self) -> Result<()> {
        if self.has_failed() {
            return Err(Error::Fault("a transaction can't be committed after a failed statement".to_owned()));
        }
        self.control("COMMIT", COMMIT).await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Commits the transaction, however long that takes. For migrations.
    pub(crate) async fn commit_unlimited(mut self) -> std::result::Result<(), sqlx::Error> {
        self.control("COMMIT", Duration::from_hours(24)).await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Rolls the transaction back.
    pub(crate) async fn rollback(mut self) -> Result<()> {
        self.control("ROLLBACK", SHORT).await?;
        self.is_in_transaction = false;
        Ok(())
    }
}

impl Deref for Lease {
    type Target = Link;

    fn deref(&self) -> &Link {
        self.link.as_ref().expect("a lease has its connection until it is dropped")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Link {
        self.link.as_mut().expect("a lease has its connection until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        if link.is_broken() {
            discard(link);
        } else if link.is_busy() || self.is_in_transaction {
            let held = Held { turn: self.held.turn.take(), open: self.held.open.take() };
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(settle(link, self.is_in_transaction, held))),
                Err(_) => drop(Object::take(link)),
            }
        } else {
            give_back(link);
        }
    }
}

/// Puts a connection in order whose user has gone away in the middle, and returns it to its pool.
async fn settle(mut link: Object<Source>, is_in_transaction: bool, held: Held) {
    let settled = if is_in_transaction { link.control("ROLLBACK", SHORT).await } else { link.ping(SHORT).await };
    match settled {
        Ok(()) => give_back(link),
        Err(_) => discard(link),
    }
    drop(held);
}

fn give_back(mut link: Object<Source>) {
    link.reset();
    drop(link);
}

/// Closes a connection without waiting for its server, and has the others checked.
fn discard(link: Object<Source>) {
    if let Some(pool) = Object::pool(&link) {
        let servers: &Servers = &pool.manager().0;
        servers.suspect();
    }
    drop(Object::take(link));
}
