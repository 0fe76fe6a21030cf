//! The servers that a URL names, of which one is the primary; and new connections to that one.
//!
//! A connection is checked before it is used again, unless it was used a moment ago. sqlx's own pool checks one when it
//! is returned, without a limit, so that connections to a host that has disappeared fill it for a quarter of an hour.

use std::{
    fmt, io,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use futures::future::select_ok;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};

use super::link::Link;

/// How long opening a connection may take, with TLS and authentication.
const CONNECT: Duration = Duration::from_millis(1_500);
/// How long the server that was the primary is tried before the others are.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long the answer to a ping may take.
const PING: Duration = Duration::from_secs(1);
/// A connection that was used so recently isn't checked.
const TRUSTED: Duration = Duration::from_secs(1);
/// An older connection is replaced, so that servers follow a change of the host's address.
const MAX_AGE: Duration = Duration::from_mins(30);
/// The pauses between attempts to connect: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The server's own limits. Behind `PgBouncer`, each transaction sets them.
pub(super) const TIMEOUTS: [(&str, &str); 3] =
    [("statement_timeout", "5s"), ("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "10s")];

/// How to use a `PostgreSQL` server.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether the URL is that of `PgBouncer`, or another pooler, that gives each transaction another connection to the
    /// server.
    pub pgbouncer: bool,
    /// The maximum number of connections.
    pub connections: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { pgbouncer: false, connections: 20 }
    }
}

/// The servers of a URL, and what is known of their connections.
pub(super) struct Servers {
    hosts: Vec<PgConnectOptions>,
    names_statements: bool,
    /// The position of the last primary.
    primary: AtomicUsize,
    /// The number of the current check: after a statement without an answer, every connection is checked.
    check: AtomicU64,
    /// Connections that passed an earlier check only are dead: a ping had no answer after it.
    dead_before: AtomicU64,
    is_down: AtomicBool,
    /// Why the last attempt to connect failed.
    cause: Mutex<Option<sqlx::Error>>,
}

impl Servers {
    /// Parses `postgres://user@host:port,host:port/database?…`.
    pub(super) fn parse(url: &str, options: Options) -> Result<Self, sqlx::Error> {
        let hosts = one_url_each(url).into_iter().map(|url| {
            let host = PgConnectOptions::from_str(&url)?.application_name("latchkey");
            Ok(if options.pgbouncer {
                // PgBouncer refuses start-up parameters that it doesn't know.
                host.extra_float_digits(None).statement_cache_capacity(0)
            } else {
                host.options(TIMEOUTS)
            })
        });
        Ok(Self {
            hosts: hosts.collect::<Result<_, sqlx::Error>>()?,
            names_statements: !options.pgbouncer,
            primary: AtomicUsize::new(0),
            check: AtomicU64::new(1),
            dead_before: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            cause: Mutex::new(None),
        })
    }

    /// Has every connection checked before it is used again.
    pub(super) fn suspect(&self) {
        self.check.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns why the last attempt to connect failed, once.
    pub(super) fn take_cause(&self) -> Option<sqlx::Error> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Opens a connection to the primary. If there are several hosts, tries the last primary first.
    async fn connect(&self) -> Result<Link, sqlx::Error> {
        let (first, count) = (self.primary.load(Ordering::Relaxed), self.hosts.len());
        let attempts = (0..count).map(|offset| {
            Box::pin(async move {
                if offset > 0 {
                    sleep(HEAD_START).await;
                }
                let number = (first + offset) % count;
                self.try_host(&self.hosts[number]).await.map(|link| (number, link))
            })
        });
        let ((number, link), _) = select_ok(attempts).await?;
        self.primary.store(number, Ordering::Relaxed);
        Ok(link)
    }

    async fn try_host(&self, host: &PgConnectOptions) -> Result<Link, sqlx::Error> {
        let check = self.check.load(Ordering::Acquire);
        let opened = timeout(CONNECT, async {
            let mut link = Link::new(host.connect().await?, self.names_statements, check);
            let is_read_only = link.is_read_only().await?;
            if is_read_only { Err(not_primary(host)) } else { Ok(link) }
        });
        let silent = || failed(io::ErrorKind::TimedOut, format!("{} doesn't answer", name_of(host)));
        opened.await.unwrap_or_else(|_| Err(silent()))
    }

    /// Logs when the primary can't be reached any more, and when it can again.
    fn note(&self, outcome: Result<(), &sqlx::Error>) {
        match outcome {
            Ok(()) => {
                if self.is_down.swap(false, Ordering::AcqRel) {
                    let host = &self.hosts[self.primary.load(Ordering::Relaxed)];
                    tracing::info!(host = name_of(host), "PostgreSQL can be reached again");
                }
            }
            Err(cause) => {
                if !self.is_down.swap(true, Ordering::AcqRel) {
                    tracing::warn!(%cause, hosts = %self, "PostgreSQL can't be reached; trying again");
                }
            }
        }
    }
}

/// `host:port`, separated by commas.
impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.hosts.iter().map(name_of).collect();
        formatter.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Servers({self})")
    }
}

fn name_of(host: &PgConnectOptions) -> String {
    format!("{}:{}", host.get_host(), host.get_port())
}

fn failed(kind: io::ErrorKind, message: String) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(kind, message))
}

fn not_primary(host: &PgConnectOptions) -> sqlx::Error {
    failed(io::ErrorKind::ReadOnlyFilesystem, format!("{} is a standby, or read-only", name_of(host)))
}

/// Whether a later attempt to connect may succeed. Not after a refusal such as a wrong password.
fn may_pass(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(cause) => {
            // Starting up, shutting down, too many connections, and what PgBouncer says of a server that is away.
            cause.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08") || code == "53300")
        }
        _ => false,
    }
}

/// Splits `scheme://user@a:1,b:2/database` into a URL for each host. sqlx accepts only one. The parameter
/// `target_session_attrs` is left out, because only the primary is ever used.
fn one_url_each(url: &str) -> Vec<String> {
    let (before, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if authority.contains('@') { "@" } else { "" };
    let (path, parameters) = after.split_once('?').unwrap_or((after, ""));
    let kept: Vec<&str> = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty() && !parameter.starts_with("target_session_attrs="))
        .collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    hosts.split(',').map(|host| format!("{before}://{user}{at}{host}{path}{query}")).collect()
}

/// The source of a pool's connections.
#[derive(Clone, Debug)]
pub(super) struct Source(pub(super) Arc<Servers>);

impl Manager for Source {
    type Type = Link;
    type Error = sqlx::Error;

    /// Tries until it succeeds: the pool's user decides how long to wait.
    async fn create(&self) -> Result<Link, sqlx::Error> {
        let servers = &self.0;
        let mut pause = PAUSES.0;
        loop {
            match servers.connect().await {
                Ok(link) => {
                    servers.note(Ok(()));
                    return Ok(link);
                }
                Err(cause) => {
                    servers.note(Err(&cause));
                    if !may_pass(&cause) {
                        return Err(cause);
                    }
                    *servers.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn recycle(&self, link: &mut Link, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        let servers = &self.0;
        let check = servers.check.load(Ordering::Acquire);
        if link.checked < servers.dead_before.load(Ordering::Acquire) || metrics.age() > MAX_AGE {
            return Err(RecycleError::message("the connection is old"));
        }
        if link.checked == check && metrics.last_used() < TRUSTED {
            return Ok(());
        }
        let outcome = link.ping(PING).await;
        if let Err(sqlx::Error::Io(cause)) = &outcome
            && cause.kind() == io::ErrorKind::TimedOut
        {
            servers.dead_before.fetch_max(servers.check.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        }
        outcome?;
        link.checked = check;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_of_a_url_gets_a_url() {
        let one = "postgres://ada:p%40ss@db.example.org:5433/keys?sslmode=require";
        assert_eq!(one_url_each(one), [one]);
        assert_eq!(one_url_each("postgres://db"), ["postgres://db"]);
        let several = "postgresql://ada@a:1,b,[::1]:3/keys?target_session_attrs=read-write&sslmode=disable";
        assert_eq!(
            one_url_each(several),
            [
                "postgresql://ada@a:1/keys?sslmode=disable",
                "postgresql://ada@b/keys?sslmode=disable",
                "postgresql://ada@[::1]:3/keys?sslmode=disable"
            ]
        );
        assert_eq!(one_url_each("postgres://a,b?target_session_attrs=any"), ["postgres://a", "postgres://b"]);
        let servers = Servers::parse(several, Options::default()).unwrap();
        assert_eq!(servers.to_string(), "a:1, b:5432, [::1]:3");
        assert!(!format!("{:?}", Servers::parse(one, Options::default()).unwrap()).contains("p@ss"));
    }
}
