//! Whether this server can do its work: the database answers and accepts a change, and the clock can be trusted.

use std::time::Duration;

use domain::{ApiError, ErrorCode};
use tokio::{sync::Mutex, time::Instant};

use crate::{clock::CONFIRM_AFTER_MINUTES, context::Context, error::Error, storage};

/// How long the result of a check is used again, so that many probes don't cause many changes.
const REUSED_FOR: Duration = Duration::from_secs(1);
/// How long a check may take, including the wait for one that is in progress.
const WITHIN: Duration = Duration::from_millis(1_500);

/// A server that can work, although the operator may have to know something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What the operator should look at.
    pub warning: Option<String>,
}

/// Why a server can't work: an error with the code `UNAVAILABLE`, and a reference that the log has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady(pub ApiError);

impl From<Error> for NotReady {
    fn from(cause: Error) -> Self {
        Self(ApiError { code: ErrorCode::Unavailable, ..cause.into() })
    }
}

/// Checks whether the server is ready, and remembers the result for a moment.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), NotReady>)>>);

impl Readiness {
    /// Returns within two seconds, even if the database hangs.
    pub(crate) async fn check(&self, context: &Context) -> Result<Ready, NotReady> {
        let checked = tokio::time::timeout(WITHIN, self.check_database(context)).await;
        checked.unwrap_or_else(|_| {
            Err(Error::Unavailable("The database doesn't answer, or doesn't accept changes in time.").into())
        })?;
        let warning = context.clock().unconfirmed_jump().map(|by| {
            format!(
                "The system clock jumped by {} seconds. Until it is corrected or {CONFIRM_AFTER_MINUTES} minutes have passed, \
                 this server uses the monotonic clock.",
                by.num_seconds()
            )
        });
        Ok(Ready { warning })
    }

    async fn check_database(&self, context: &Context) -> Result<(), NotReady> {
        let mut latest = self.0.lock().await;
        if let Some((at, result)) = &*latest
            && at.elapsed() < REUSED_FOR
        {
            return result.clone();
        }
        let probed = storage::maintenance::probe(context.db(), context.now()).await;
        let result = probed.map_err(NotReady::from);
        *latest = Some((Instant::now(), result.clone()));
        result
    }
}
