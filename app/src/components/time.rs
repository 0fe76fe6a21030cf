//! An instant: relative, with the exact time on hover.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::time::{relative_text, utc_text};
use leptos::prelude::*;

use crate::browser;

/// An instant as a distance from `now`, which ticks where there is script. The title has the exact time: UTC in the
/// HTML, the person's own zone once the script runs.
#[component]
pub fn Moment(at: DateTime<Utc>, #[prop(into)] now: Signal<DateTime<Utc>>) -> impl IntoView {
    let title = RwSignal::new(utc_text(at));
    Effect::new(move |_| {
        if let Some(local) = browser::local_text(at) {
            title.set(local);
        }
    });
    view! {
        <time datetime=at.to_rfc3339_opts(SecondsFormat::Secs, true) title=title>
            {move || relative_text(at, now.get())}
        </time>
    }
}

/// A clock that begins at the server's instant and ticks twice a minute where there is script.
pub fn ticking(start: DateTime<Utc>) -> Signal<DateTime<Utc>> {
    let now = RwSignal::new(start);
    Effect::new(move |_| {
        let tick = move || {
            if let Some(at) = browser::now() {
                now.set(at);
            }
        };
        set_interval(tick, std::time::Duration::from_secs(30));
    });
    now.into()
}
