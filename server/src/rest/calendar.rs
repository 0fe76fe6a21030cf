//! The calendar feed: iCalendar (RFC 5545) at a secret URL, because calendar apps can't sign in.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ApiKey, Owner, time::utc_text};
use http::header;
use icalendar::{Alarm, Component, Event, EventLike};
use service::Services;

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
    let keys = match services.calendar().read(secret).await.map_err(ApiError::from) {
        Ok(keys) => keys,
        Err(error) => return problem::of(&error),
    };
    let now = services.now();
    let mut calendar = icalendar::Calendar::new();
    calendar.name("API key expiry dates");
    for key in keys {
        if let Some(event) = event(&key, &site.public_url, now) {
            calendar.push(event);
        }
    }
    let headers = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, calendar.done().to_string()).into_response()
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
