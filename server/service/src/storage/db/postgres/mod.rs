//! `PostgreSQL`: its connections, and how long they are waited for.
//!
//! Reads, lists and transactions have connections of their own, so that changes that wait for each other, or long
//! lists, never keep a key from being verified. Every wait has a limit on this side, because a host can disappear
//! without a word (decision 0028).

mod lease;
mod link;
mod servers;
mod turns;

use std::{
    fmt, io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use deadpool::managed::{BuildError, Pool, PoolError};
use domain::TenantId;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

pub(crate) use self::lease::Lease;
pub use self::servers::Options;
use self::{
    lease::{Held, SHORT},
    servers::{Servers, Source, TIMEOUTS},
    turns::Turns,
};
use super::{
    key_cache::KeyCache,
    ledger::{Ledger, Notes},
};
use crate::error::OpenError;

/// How long a read may take in all, and how long a list waits for a connection.
const READ: Duration = Duration::from_millis(2_500);
/// How long a transaction waits for its turn and a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// How long a list, or a statement of a transaction, may take: a second more than the server allows.
const STATEMENT: Duration = Duration::from_secs(6);
/// How long closing waits for the connections in use.
const CLOSE: Duration = Duration::from_secs(3);

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Behind a pooler, each transaction sets the limits, because the connection to the server may be another one each time.
static BEGIN_WITH_TIMEOUTS: LazyLock<String> = LazyLock::new(|| with_timeouts(BEGIN));
static BEGIN_READ: LazyLock<String> = LazyLock::new(|| with_timeouts("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"));

fn with_timeouts(begin: &str) -> String {
    let set = |(name, value): &(&str, &str)| format!("; SET LOCAL {name} = '{value}'");
    TIMEOUTS.iter().map(set).fold(begin.to_owned(), |command, set| command + &set)
}

/// The connections to a `PostgreSQL` server.
#[derive(Clone)]
pub(crate) struct Pg(Arc<Pools>);

struct Pools {
    servers: Arc<Servers>,
    ledger: Ledger,
    key_cache: KeyCache,
    reader: Pool<Source>,
    lister: Pool<Source>,
    writer: Pool<Source>,
    turns: Arc<Turns>,
    /// One permit for each connection in use.
    open: Arc<Semaphore>,
    most: u32,
    pgbouncer: bool,
}

impl fmt::Debug for Pg {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pg({})", self.0.servers)
    }
}

/// Checks a URL, without connecting.
///
/// # Errors
/// If it is malformed.
pub(super) fn check(url: &str, options: Options) -> Result<(), OpenError> {
    Ok(Servers::parse(url, options).map(drop)?)
}

/// Connects to the server of a URL.
///
/// # Errors
/// If it can't be reached, or accepts no changes.
pub(super) async fn open(url: &str, options: Options) -> Result<Pg, OpenError> {
    let servers = Arc::new(Servers::parse(url, options)?);
    let pg = Pg::new(Arc::clone(&servers), options).map_err(|cause| OpenError::Database(io_error(cause)))?;
    let cause = match pg.reader().await {
        Ok(_) => return Ok(pg),
        Err(sqlx::Error::PoolTimedOut) => servers.take_cause().unwrap_or(sqlx::Error::PoolTimedOut),
        Err(cause) => cause,
    };
    Err(match &cause {
        sqlx::Error::Io(cause) if cause.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly(format!("at {servers}"))
        }
        sqlx::Error::Database(cause) if cause.message().contains("startup parameter") => OpenError::Pooler,
        _ => OpenError::Unreachable { name: format!("at {servers}"), cause },
    })
}

impl Pg {
    fn new(servers: Arc<Servers>, options: Options) -> Result<Self, BuildError> {
        let most = options.connections.max(5);
        let (readers, listers) = (most * 2 / 5, most / 5);
        let writers = most - readers - listers;
        let pool = |size: u32| Pool::builder(Source(Arc::clone(&servers))).max_size(size as usize).build();
        Ok(Self(Arc::new(Pools {
            ledger: Ledger::default(),
            key_cache: KeyCache::default(),
            reader: pool(readers)?,
            lister: pool(listers)?,
            writer: pool(writers)?,
            turns: Arc::new(Turns::new((writers as usize / 2).max(1))),
            open: Arc::new(Semaphore::new(most as usize)),
            most,
            pgbouncer: options.pgbouncer,
            servers,
        })))
    }

    /// Returns a connection for a read of few rows, such as a key.
    pub(crate) async fn reader(&self) -> Result<Lease, sqlx::Error> {
        let deadline = Instant::now() + READ;
        let lease = self.lease(&self.0.reader, None, deadline).await?;
        let mut lease = self.begin_read(lease, deadline - Instant::now()).await?;
        lease.set_limit(deadline - Instant::now());
        Ok(lease)
    }

    /// Returns a connection for a read of many rows, such as a page of a list.
    pub(crate) async fn lister(&self) -> Result<Lease, sqlx::Error> {
        let lease = self.lease(&self.0.lister, None, Instant::now() + READ).await?;
        self.begin_read(lease, READ).await
    }

    /// Begins a transaction. If it is a tenant's, it waits until few others of the tenant hold a connection.
    pub(crate) async fn begin(&self, tenant: Option<TenantId>) -> Result<Lease, sqlx::Error> {
        let deadline = Instant::now() + ACQUIRE;
        let command = if self.0.pgbouncer { BEGIN_WITH_TIMEOUTS.as_str() } else { BEGIN };
        loop {
            let mut lease = self.lease(&self.0.writer, tenant, deadline).await?;
            match lease.begin(command, SHORT).await {
                Ok(()) => {
                    lease.notes = Notes::of(&self.0.ledger);
                    lease.key_cache = Some(self.0.key_cache.clone());
                    return Ok(lease);
                }
                // The connection had ended since its last use. Another one may work.
                Err(_) if lease.is_broken() && Instant::now() < deadline => drop(lease),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the database's revocation ledger.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Returns the keys that are known in memory.
    pub(super) fn key_cache(&self) -> &KeyCache {
        &self.0.key_cache
    }

    /// Returns a connection for changes outside of a transaction.
    pub(crate) async fn connect(&self) -> Result<Lease, sqlx::Error> {
        self.lease(&self.0.writer, None, Instant::now() + ACQUIRE).await
    }

    /// Waits until no connection is in use, though not for long, and closes all.
    pub(crate) async fn close(&self) {
        timeout(CLOSE, self.0.open.acquire_many(self.0.most)).await.ok();
        for pool in [&self.0.reader, &self.0.lister, &self.0.writer] {
            pool.close();
        }
    }

    async fn lease(
        &self,
        pool: &Pool<Source>,
        tenant: Option<TenantId>,
        deadline: Instant,
    ) -> Result<Lease, sqlx::Error> {
        let acquired = timeout_at(deadline, async {
            let turn = match tenant {
                Some(tenant) => Some(self.0.turns.take(tenant).await),
                None => None,
            };
            let link = pool.get().await.map_err(|error| match error {
                PoolError::Backend(cause) => cause,
                PoolError::Closed => sqlx::Error::PoolClosed,
                other => io_error(other),
            })?;
            let open = Arc::clone(&self.0.open).acquire_owned().await.ok();
            Ok(Lease::new(link, Held { turn, open }, STATEMENT))
        });
        acquired.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Behind a pooler, a prepared statement and its execution reach the same connection only within a transaction.
    async fn begin_read(&self, mut lease: Lease, limit: Duration) -> Result<Lease, sqlx::Error> {
        if self.0.pgbouncer {
            lease.begin(BEGIN_READ.as_str(), limit).await?;
        }
        Ok(lease)
    }
}

fn io_error(cause: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(cause))
}
