//! A time relative to now, with the exact time on hover.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::time::{relative_text, utc_text};
use leptos::prelude::*;

/// The time `at` relative to `now`, such as "3 hours ago". The title is the exact time in UTC. With JavaScript both are
/// kept current, by the person's clock and time zone.
#[component]
pub fn Moment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        <time datetime=at.to_rfc3339_opts(SecondsFormat::Secs, true) title=utc_text(at)>
            {relative_text(at, now)}
        </time>
    }
}
