//! The calendar feed: iCalendar (RFC 5545) at a secret URL, because calendar apps can't sign in.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ApiKey, Owner, time::utc_text};
use futures::{StreamExt, stream};
use http::header;
use icalendar::{Alarm, Component, Event, EventLike};
use service::{OpenFeed, Services};

use crate::{config::Site, problem};

/// How long before a key's expiry the calendar shows an alarm.
const REMIND: TimeDelta = TimeDelta::days(7);

/// `GET /calendar/{secret}.ics`.
pub(crate) async fn feed(
    State(services): State<Services>,
    State(site): State<Arc<Site>>,
    Path(file): Path<String>,
) -> Response {
    let secret = file.strip_suffix(".ics").unwrap_or_default();
    let feed = match services.calendar().read(secret).await.map_err(ApiError::from) {
        Ok(feed) => feed,
        Err(error) => return problem::of(&error),
    };
    let (head, tail) = frame();
    let parts = Parts { services, site, feed: Some(feed), tail: Some(tail) };
    let body = Body::from_stream(stream::once(async move { Ok(head) }).chain(stream::try_unfold(parts, Parts::next)));
    let headers = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

/// Returns what precedes and follows the events of a calendar.
fn frame() -> (Bytes, Bytes) {
    const END: &str = "END:VCALENDAR";
    let mut calendar = icalendar::Calendar::new();
    calendar.name("API key expiry dates");
    let text = calendar.done().to_string();
    let (head, tail) = text.split_at(text.find(END).unwrap_or(text.len()));
    (head.to_owned().into(), tail.to_owned().into())
}

/// The rest of a response: the events of the keys that were read last, those of further keys, and the end. A feed can
/// have more keys than fit into memory. If the database fails in between, the response breaks off.
struct Parts {
    services: Services,
    site: Arc<Site>,
    feed: Option<OpenFeed>,
    tail: Option<Bytes>,
}

impl Parts {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ApiError> {
        let Some(feed) = self.feed.take() else { return Ok(self.tail.take().map(|tail| (tail, self))) };
        let now = self.services.now();
        let events = feed.keys.iter().filter_map(|key| event(key, &self.site.public_url, now));
        let text: String = events.map(|event| Component::to_string(&event)).collect();
        let more = self.services.calendar().read_more(feed).await?;
        self.feed = Some(more).filter(|feed| !feed.keys.is_empty());
        Ok(Some((text.into(), self)))
    }
}

fn event(key: &ApiKey, public_url: &str, now: DateTime<Utc>) -> Option<Event> {
    let at = key.expires_at?;
    let whose = match key.owner {
        Owner::User(_) => String::new(),
        Owner::ServiceAccount(_) => format!(" of {}", key.owner_name),
    };
    let path = key.page_path();
    let description = format!(
        "{} ({}…) in {} expires on {}. Rotate it before then: {public_url}{path}",
        key.name,
        key.hint,
        key.tenant_name,
        utc_text(at)
    );
    // Without a stable id, each fetch would add another alarm (RFC 9074 §4).
    let mut alarm = Alarm::display("An API key expires in a week", -REMIND);
    alarm.uid(&format!("{}-alarm@latchkey", key.id));
    let mut event = Event::new();
    event
        .uid(&format!("{}@latchkey", key.id))
        .timestamp(now)
        .starts(at)
        .summary(&format!("API key {}{whose} expires", key.name))
        .description(&description)
        .url(&format!("{public_url}{path}"))
        .alarm(alarm);
    Some(event.done())
}
