//! Follows the server's feed of changes.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    api::ApiError,
    cache::{Cache, Change},
    cursor::Cursor,
    shared::Shared,
};

/// How long the feed may be silent. The server sends a heartbeat every 500 ms.
const SILENCE: Duration = Duration::from_secs(1);
/// The pause before the feed is opened again, at first and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest event, in bytes.
const MAX_EVENT: usize = 64 * 1_024;

/// The data of a change.
#[derive(Deserialize)]
struct Told {
    kind: String,
    #[serde(default)]
    key: Option<Uuid>,
    #[serde(default)]
    owner: Option<ToldOwner>,
}

#[derive(Deserialize)]
struct ToldOwner {
    id: Uuid,
}

/// The data of a heartbeat or a reset.
#[derive(Deserialize)]
struct Beat {
    /// Whether the server has imported keys. An earlier version can't have any.
    #[serde(default)]
    imported: bool,
}

/// One event (WHATWG HTML §9.2).
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

/// Splits a stream of bytes into events.
#[derive(Debug, Default)]
struct Events {
    received: Vec<u8>,
}

impl Events {
    /// Adds bytes.
    fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Checks what is left after all complete events were taken.
    ///
    /// # Errors
    /// If it is the beginning of an event that is too long.
    fn check_rest(&self) -> Result<(), ApiError> {
        if self.received.len() > MAX_EVENT {
            return Err(ApiError::Unreadable("an event is too long".to_owned()));
        }
        Ok(())
    }

    /// Returns the next complete event. Latchkey ends lines with LF.
    fn next(&mut self) -> Option<Event> {
        let end = self.received.windows(2).position(|pair| pair == b"\n\n")?;
        let text = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end + 2);
        let mut event = Event::default();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => value.clone_into(&mut event.name),
                "id" => value.clone_into(&mut event.id),
                "data" => event.data += value,
                _ => (),
            }
        }
        Some(event)
    }
}

/// Applies an event. Anything that can't be read is an error: it might be a change.
fn apply(cache: &Cache, event: &Event) -> Result<(), ApiError> {
    let wrong = || ApiError::Unreadable(format!("the event {:?} of the feed", event.name));
    let cursor: Cursor = event.id.parse().map_err(|()| wrong())?;
    match event.name.as_str() {
        "heartbeat" => {
            cache.set_imported(has_imported(event));
            cache.apply(None, cursor);
        }
        "reset" => {
            cache.set_imported(has_imported(event));
            cache.reset(cursor);
        }
        "change" => {
            let told: Told = serde_json::from_str(&event.data).map_err(|_| wrong())?;
            let change = match (told.kind.as_str(), told.key, told.owner) {
                ("key", Some(key), _) => Some(Change::Key(key)),
                ("owner", _, Some(owner)) => Some(Change::Owner(owner.id)),
                // Makes nothing wrong that is known.
                ("imported", ..) => {
                    cache.set_imported(true);
                    None
                }
                // Of a kind that a later version may add, everything is forgotten.
                _ => Some(Change::Everything),
            };
            cache.apply(change, cursor);
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Whether the server has imported keys. If that can't be read, it may have.
fn has_imported(event: &Event) -> bool {
    serde_json::from_str::<Beat>(&event.data).map_or(true, |beat| beat.imported)
}

/// Follows the feed until the task is aborted.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let (mut last, mut pause, mut has_failed) = (None, PAUSE, false);
    loop {
        let error = match follow_once(&shared, last, &mut has_failed).await {
            Err(error) => error.to_string(),
            Ok(()) => "the server ended it".to_owned(),
        };
        let applied = shared.cache.pause();
        pause = if applied.is_some() { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        last = applied.or(last);
        if !has_failed {
            tracing::warn!(%error, "the feed of changes is interrupted; every key is verified by the server until it isn't");
            has_failed = true;
        }
        sleep(pause).await;
    }
}

/// Follows the feed until it ends or is silent. `after`: where it ended before.
async fn follow_once(shared: &Shared, after: Option<Cursor>, has_failed: &mut bool) -> Result<(), ApiError> {
    let mut body = shared.api.changes(after).await?;
    let mut events = Events::default();
    let mut has_begun = false;
    loop {
        let frame = timeout(SILENCE, body.frame()).await.map_err(|_| ApiError::TooSlow)?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| ApiError::Unreadable(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        events.push(&data);
        while let Some(event) = events.next() {
            // The first event says whether the server goes on after the cursor.
            if !has_begun {
                has_begun = true;
                if let Some(after) = after.filter(|_| event.name != "reset") {
                    shared.cache.resume(after);
                }
                if std::mem::take(has_failed) {
                    tracing::info!("the feed of changes goes on");
                }
            }
            apply(&shared.cache, &event)?;
            if event.name != "heartbeat" {
                shared.applied.notify_one();
            }
        }
        events.check_rest()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_arrive() {
        let text = "event: change\nid: 1\ndata: {\"a\":\ndata: 1}\n\n: comment\n\nevent:reset\nid: 2\n\nevent: heart";
        let expected = [("change", "1", "{\"a\":1}"), ("", "", ""), ("reset", "2", "")];
        for size in 1..text.len() {
            let mut events = Events::default();
            let mut read = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.push(piece);
                while let Some(Event { name, id, data }) = events.next() {
                    read.push((name, id, data));
                }
            }
            let read: Vec<_> = read.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
            assert_eq!(read, expected, "{size}");
        }
        let mut long = Events::default();
        long.push(&vec![b'a'; MAX_EVENT]);
        assert!(long.check_rest().is_ok());
        long.push(b"a");
        assert!(long.check_rest().is_err());
    }

    #[test]
    fn an_unreadable_event_is_an_error_and_an_unknown_change_changes_everything() {
        let cache = Cache::new(1);
        let event = |name: &str, id: &str, data: &str| Event { name: name.into(), id: id.into(), data: data.into() };
        for wrong in [event("change", "x", "{}"), event("change", "1-1-1-1", "x"), event("new", "1-1-1-1", "")] {
            assert!(apply(&cache, &wrong).is_err(), "{wrong:?}");
        }
        apply(&cache, &event("reset", "1-1-1-1", "")).unwrap();
        apply(&cache, &event("change", "1-1-2-1", r#"{"kind":"planet"}"#)).unwrap();
        assert_eq!(cache.applied(), "1-1-2-1".parse().ok());
    }

    #[test]
    fn the_server_says_whether_it_has_imported_keys() {
        let cache = Cache::new(1);
        let mut number = 1;
        let mut told = |name: &str, data: &str| {
            number += 1;
            let (name, id, data) = (name.to_owned(), format!("1-1-{number}-1"), data.to_owned());
            apply(&cache, &Event { name, id: id.clone(), data }).unwrap();
            cache.confirm(id.parse().unwrap(), 0, 0);
            cache.may_have_imported(0)
        };
        assert!(!told("reset", r#"{"imported":false}"#));
        assert!(told("change", r#"{"kind":"imported"}"#));
        assert!(!told("heartbeat", r#"{"age_ms":3,"imported":false}"#));
        assert!(told("heartbeat", r#"{"age_ms":3,"imported":true}"#));
        assert!(!told("heartbeat", r#"{"age_ms":3}"#), "a server of an earlier version");
        assert!(told("heartbeat", ""), "in doubt");
        assert!(!told("heartbeat", "{}"));
        cache.pause();
        assert!(cache.may_have_imported(0), "nobody follows the changes");
    }
}
