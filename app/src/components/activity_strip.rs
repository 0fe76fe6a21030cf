//! The number of audit entries per day as a strip of bars, each of which filters the audit log by its day.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::audit::{Activity, DayActivity};
use leptos::prelude::*;

use super::time::Dated;
use crate::{
    list_url::AuditParams,
    words::{charts as words, labels},
};

/// The height of the strip, in SVG units.
const HEIGHT: u64 = 40;
/// The distance between the left edges of two bars, in SVG units.
const STEP: usize = 10;
/// The width of a bar, in SVG units.
const WIDTH: usize = 7;

/// The strip. `params`: the current filter, which the bars keep; `path`: the page that they lead to.
#[component]
pub fn ActivityStrip(activity: Activity, params: AuditParams, path: &'static str) -> impl IntoView {
    let most = activity.days.iter().map(|day| day.done + day.denied).max().unwrap_or(0).max(1);
    let bars = activity.days.iter().enumerate().filter(|(_, day)| day.done + day.denied > 0);
    let bars = bars.map(|(index, day)| bar(index, *day, most, &params, path)).collect_view();
    let first = activity.days.first().map(|day| {
        let day = Dated::day(midnight(day.day));
        view! { <span data-date=day.attribute>{day.text}</span> }
    });
    let bounds = format!("0 0 {} {HEIGHT}", activity.days.len() * STEP);
    view! {
        <figure id="audit-activity" class="activity-strip">
            <svg viewBox=bounds preserveAspectRatio="none" role="group" aria-label=words::entries_per_day()>
                {bars}
            </svg>
            <figcaption>
                {first} <span>{words::activity_note(activity.is_capped)}</span> <span>{labels::today()}</span>
            </figcaption>
        </figure>
    }
}

/// The bar of a day, as a link to its entries.
fn bar(index: usize, day: DayActivity, most: u64, params: &AuditParams, path: &str) -> AnyView {
    // At least two units, so that a single entry next to a day with thousands is visible.
    let height = |count: u64| if count == 0 { 0 } else { (count * HEIGHT / most).clamp(2, HEIGHT) };
    let denied = height(day.denied);
    let done = height(day.done).min(HEIGHT - denied);
    let date = day.day.to_string();
    let is_selected = params.from == date && params.until == date;
    let (after, before) = (String::new(), String::new());
    let (from, until) = (date.clone(), date);
    let href = AuditParams { period: String::new(), from, until, after, before, ..params.clone() }.url(path, None);
    let (dated, text) = (Dated::day(midnight(day.day)), day_text(day));
    let (again, title) = (dated.attribute.clone(), text.clone());
    let (x, y) = (index * STEP, HEIGHT - done);
    view! {
        <a href=href aria-label=text data-date=dated.attribute aria-current=is_selected.then_some("true")>
            <title data-date=again>{title}</title>
            <rect class="day" x=x y="0" width=STEP height=HEIGHT />
            <rect class="bar" x=x y=y width=WIDTH height=done />
            <rect class="bar-refused" x=x y=y - denied width=WIDTH height=denied />
        </a>
    }
    .into_any()
}

/// What happened on a day, like "29 Nov 2026: 12 entries, 2 of them denied".
fn day_text(day: DayActivity) -> String {
    words::entries_of_day(&Dated::day(midnight(day.day)).text, day.done + day.denied, day.denied)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_says_how_many_entries_it_has() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap();
        let text = |done, denied| day_text(DayActivity { day, done, denied });
        assert_eq!(text(1, 0), "29 Nov 2026: 1 entry");
        assert_eq!(text(0, 1), "29 Nov 2026: 1 entry, denied");
        assert_eq!(text(12, 0), "29 Nov 2026: 12 entries");
        assert_eq!(text(10, 2), "29 Nov 2026: 12 entries, 2 of them denied");
    }
}
