//! Reports to the server how far the feed is applied and how often keys were used, and learns how far the server is.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{api::Report, known::ReportedKey, shared::Shared};

/// How often the server is asked how far it is. Two answers may be lost before what is known is too old.
const EVERY: Duration = Duration::from_millis(250);
/// Usage is reported with every so many reports.
const USAGE_EVERY: u32 = 4;
/// How many keys one report contains at most.
const MAX_REPORTED: usize = 200;
/// How many keys' usage is kept while the server can't be reached.
const MAX_UNSENT: usize = 10_000;

/// Reports until the task is aborted.
pub(crate) async fn report(shared: Arc<Shared>) {
    let mut unsent: Vec<ReportedKey> = Vec::new();
    let (mut turn, mut has_failed) = (0_u32, false);
    loop {
        let next = Instant::now() + EVERY;
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(USAGE_EVERY) {
            unsent.extend(shared.usage.take());
            let excess = unsent.len().saturating_sub(MAX_UNSENT);
            if excess > 0 {
                tracing::warn!(keys = excess, "usage is lost, because the server can't be reached");
                unsent.drain(..excess);
            }
        }
        has_failed = !report_once(&shared, &mut unsent, has_failed).await;
        // A change that was applied is reported at once.
        timeout_at(next, shared.applied.notified()).await.ok();
        if has_failed {
            sleep_until(next).await;
        }
    }
}

/// Sends one report. Removes the usage that the server has recorded. Returns whether it succeeded.
async fn report_once(shared: &Shared, unsent: &mut Vec<ReportedKey>, has_failed: bool) -> bool {
    let sent = unsent.len().min(MAX_REPORTED);
    let cursor = shared.cache.applied().map(|cursor| cursor.to_string());
    let report = Report { verifier: &shared.name, cursor, usage: &unsent[..sent] };
    match shared.api.report(&report).await {
        Ok(confirmation) => {
            unsent.drain(..sent);
            if let Some(confirmation) = confirmation {
                shared.cache.confirm(confirmation.cursor, confirmation.right_at, confirmation.server_offset);
            }
            if has_failed {
                tracing::info!("the server can be reached again");
            }
            true
        }
        Err(error) => {
            if !has_failed {
                tracing::warn!(%error, "the server doesn't answer reports; keys are refused if it doesn't answer questions");
            }
            false
        }
    }
}
