//! Reports to the server how far the feed is applied and how often keys were used, and learns how far the server is.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    api::{ApiError, Report},
    clock,
    known::ReportedKey,
    shared::Shared,
};

/// How often the server is asked how far it is. Two answers may be lost before what is known is too old.
const EVERY: Duration = Duration::from_millis(250);
/// Usage is reported with every so many reports.
const USAGE_EVERY: u32 = 4;
/// The pause between reports while usage is left that didn't fit into one.
const NEXT_PART: Duration = Duration::from_millis(25);
/// How many keys one report contains at most.
const MAX_REPORTED: usize = 200;
/// The largest usage in one report, in bytes. The server takes 64 KiB.
const MAX_BYTES: usize = 48 * 1_024;

/// Reports until the verifier is closed, and then everything that is left.
pub(crate) async fn report(shared: Arc<Shared>) {
    let mut unsent: Vec<ReportedKey> = Vec::new();
    let (mut turn, mut has_failed) = (0_u32, false);
    loop {
        let next = Instant::now() + if unsent.is_empty() { EVERY } else { NEXT_PART };
        turn = turn.wrapping_add(1);
        let is_closing = shared.is_closing.load(Ordering::Acquire);
        // While a part is left, the keys go on counting, and nothing is lost.
        let is_turn = unsent.is_empty() && (is_closing || turn.is_multiple_of(USAGE_EVERY));
        if is_turn {
            unsent = shared.usage.take();
        }
        has_failed = !report_once(&shared, &mut unsent, has_failed).await;
        if is_closing && (has_failed || is_turn && unsent.is_empty()) {
            return;
        }
        // A change that was applied is reported at once.
        timeout_at(next, shared.applied.notified()).await.ok();
        if has_failed {
            sleep_until(next).await;
        }
    }
}

/// Returns how much of the usage fits into one report.
fn fitting(unsent: &[ReportedKey]) -> usize {
    let mut bytes = 0;
    let fits = unsent.iter().take(MAX_REPORTED).take_while(|key| {
        bytes += serde_json::to_vec(key).map_or(0, |text| text.len() + 1);
        bytes <= MAX_BYTES
    });
    fits.count().max(1).min(unsent.len())
}

/// Sends one report. Removes the usage that the server has recorded. Returns whether it succeeded.
async fn report_once(shared: &Shared, unsent: &mut Vec<ReportedKey>, has_failed: bool) -> bool {
    let sent = fitting(unsent);
    let now = clock::monotonic_micros();
    for key in &mut unsent[..sent] {
        key.send_at(now);
    }
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
        // The same usage would be refused again, and nothing that is known could be used meanwhile.
        Err(ApiError::Refused(status, _)) if matches!(status.as_u16(), 400 | 413 | 422) => {
            tracing::warn!(%status, keys = sent, "usage is lost, because the server refused the report");
            unsent.drain(..sent);
            false
        }
        Err(error) => {
            if !has_failed {
                tracing::warn!(%error, "the server doesn't answer reports; keys are refused if it doesn't answer questions");
            }
            false
        }
    }
}
