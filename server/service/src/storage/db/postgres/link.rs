//! One connection to `PostgreSQL`, which limits how long each statement may take.
//!
//! sqlx sets neither keepalives nor a user timeout on its sockets, so if the server's host disappears, a statement that
//! was sent waits for the kernel to give up: about a quarter of an hour.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, future::BoxFuture, stream::BoxStream};
use sqlx::{
    Connection, Describe, Either, Execute, Executor, PgConnection, Postgres, Row, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

/// A connection. Execute statements on `&mut Link`.
pub(crate) struct Link {
    connection: PgConnection,
    /// Whether statements stay prepared under a name, which `PgBouncer` can't do in transaction mode.
    names_statements: bool,
    /// The longest that a statement may take.
    limit: Duration,
    progress: Progress,
    /// The number of the last check of all connections that this one has passed.
    pub(super) checked: u64,
}

/// What a connection is doing.
#[derive(Debug, Default)]
struct Progress {
    /// A statement was sent, and its result hasn't been read to the end.
    is_busy: bool,
    /// The server refused a statement. It has aborted the transaction, if there was one.
    has_failed: bool,
    /// The connection can't be used again.
    is_broken: bool,
}

impl Progress {
    fn begin(&mut self) {
        self.is_busy = true;
    }

    fn end(&mut self, error: Option<&sqlx::Error>) {
        self.is_busy = false;
        match error {
            Some(sqlx::Error::Database(cause)) => {
                self.has_failed = true;
                self.is_broken |= cause.code().is_some_and(|code| ends_connection(&code));
            }
            Some(sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) => {
                self.is_broken = true;
            }
            _ => {}
        }
    }
}

/// Whether an error of the server makes its connection useless: connection exceptions, a server that shuts down or has
/// crashed, and one that has become read-only, because another one is the primary now.
fn ends_connection(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || code == "25006"
}

impl Link {
    /// `checked`: the number of the current check.
    pub(super) fn new(connection: PgConnection, names_statements: bool, checked: u64) -> Self {
        Self { connection, names_statements, limit: Duration::MAX, progress: Progress::default(), checked }
    }

    /// Limits how long each of the next statements may take.
    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Whether a statement was dropped before its result was read.
    pub(super) fn is_busy(&self) -> bool {
        self.progress.is_busy
    }

    /// Whether the server refused a statement since the last [`Link::reset`].
    pub(super) fn has_failed(&self) -> bool {
        self.progress.has_failed
    }

    /// Whether the connection can't be used again.
    pub(super) fn is_broken(&self) -> bool {
        self.progress.is_broken
    }

    /// Forgets failed statements, at the end of a transaction.
    pub(super) fn reset(&mut self) {
        self.progress.has_failed = false;
    }

    /// Runs commands that return nothing, such as `BEGIN`, within a time of their own.
    pub(super) async fn control(&mut self, sql: &'static str, limit: Duration) -> Result<(), sqlx::Error> {
        self.progress.begin();
        let done = timeout(limit, sqlx::raw_sql(sql).execute(&mut self.connection)).await;
        let outcome = done.unwrap_or_else(|_| Err(no_answer(limit))).map(drop);
        self.progress.end(outcome.as_ref().err());
        outcome
    }

    /// Waits for the rest of a dropped statement's result, and for an answer to a ping.
    pub(super) async fn ping(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        self.progress.begin();
        let outcome = timeout(limit, self.connection.ping()).await.unwrap_or_else(|_| Err(no_answer(limit)));
        self.progress.end(outcome.as_ref().err());
        outcome
    }

    /// Whether the server is a standby, or refuses changes for another reason.
    pub(super) async fn is_read_only(&mut self) -> Result<bool, sqlx::Error> {
        let answer = sqlx::raw_sql("SHOW transaction_read_only").fetch_one(&mut self.connection).await?;
        Ok(answer.try_get::<String, _>(0)? == "on")
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").field("progress", &self.progress).finish_non_exhaustive()
    }
}

fn no_answer(limit: Duration) -> sqlx::Error {
    let message = format!("PostgreSQL didn't answer within {:.1} s", limit.as_secs_f32());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

type Step = Result<Either<PgQueryResult, PgRow>, sqlx::Error>;

impl<'c> Executor<'c> for &'c mut Link {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Link { connection, names_statements, limit, progress, .. } = self;
        progress.begin();
        let steps = connection.fetch_many(Statement { query, is_named: *names_statements });
        Box::pin(Limited { steps, limit: *limit, alarm: Box::pin(sleep_until(deadline(*limit))), progress })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Link { connection, names_statements, limit, progress, .. } = self;
        progress.begin();
        let row = connection.fetch_optional(Statement { query, is_named: *names_statements });
        Box::pin(async move {
            let outcome = timeout_at(deadline(*limit), row).await.unwrap_or_else(|_| Err(no_answer(*limit)));
            progress.end(outcome.as_ref().err());
            outcome
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}

fn deadline(limit: Duration) -> Instant {
    // A limit of centuries would overflow.
    Instant::now() + limit.min(Duration::from_hours(24))
}

/// A statement that is prepared without a name unless `is_named`.
struct Statement<E> {
    query: E,
    is_named: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Statement<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.is_named && self.query.persistent()
    }
}

/// The result of a statement, which ends with an error at its deadline.
struct Limited<'e> {
    steps: BoxStream<'e, Step>,
    limit: Duration,
    alarm: Pin<Box<Sleep>>,
    progress: &'e mut Progress,
}

impl Stream for Limited<'_> {
    type Item = Step;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Step>> {
        let this = &mut *self;
        let step = match this.steps.as_mut().poll_next(context) {
            Poll::Ready(step) => step,
            Poll::Pending => match this.alarm.as_mut().poll(context) {
                Poll::Ready(()) => Some(Err(no_answer(this.limit))),
                Poll::Pending => return Poll::Pending,
            },
        };
        match &step {
            Some(Ok(_)) => {}
            Some(Err(error)) => this.progress.end(Some(error)),
            None => this.progress.end(None),
        }
        Poll::Ready(step)
    }
}
