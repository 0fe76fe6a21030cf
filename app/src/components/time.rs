//! An instant: relative, with the exact time on hover.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::time::{relative_text, utc_text};
use leptos::prelude::*;

/// An instant as a distance from `now`. The title has the exact time in UTC; where there is script, it keeps both as the
/// person's clock and zone have it.
#[component]
pub fn Moment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        <time datetime=at.to_rfc3339_opts(SecondsFormat::Secs, true) title=utc_text(at)>{relative_text(at, now)}</time>
    }
}
