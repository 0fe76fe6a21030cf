//! Times in pages. The text is in UTC. With JavaScript it is in the person's time zone, and distances are kept current.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::time::{date_text, distance_text, utc_text};
use leptos::prelude::*;

/// How a `<time>` element shows its time; the script follows its code in `data-as`.
fn time(at: DateTime<Utc>, form: &'static str, text: String) -> AnyView {
    let title = (form != "exact").then(|| utc_text(at));
    view! {
        <time datetime=at.to_rfc3339_opts(SecondsFormat::Secs, true) data-as=form title=title>
            {text}
        </time>
    }
    .into_any()
}

/// A time in a table: the date, like "27 Feb 2027", and below it the distance from `now`, like "in 90 days".
#[component]
pub fn Moment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        {time(at, "date", date_text(at))}
        <span class="sub">{time(at, "distance", distance_text(at, now))}</span>
    }
}

/// A time in a sentence, as its distance from `now`: "3 hours ago".
#[component]
pub fn Distance(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    time(at, "distance", distance_text(at, now))
}

/// A time with date, minute and time zone: "27 Feb 2027, 18:40 UTC". For pages about one thing.
#[component]
pub fn Exact(at: DateTime<Utc>) -> impl IntoView {
    time(at, "exact", utc_text(at))
}

/// The exact time, followed by its distance from `now`: "27 Feb 2027, 18:40 UTC (in 90 days)".
#[component]
pub fn ExactMoment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        {time(at, "exact", utc_text(at))}
        <span class="muted">" ("{time(at, "distance", distance_text(at, now))}")"</span>
    }
}
