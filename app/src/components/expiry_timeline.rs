//! The keys that expire in the next 90 days, as a picture above a list: a dot for each key.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiKey, ExpiryWindow, OwnerKind, usage::number_text};
use leptos::prelude::*;
use service::{EXPIRY_PERIOD, ExpiringKeys};

use super::{
    bar_chart::percent,
    folded_table::folded_table,
    time::{Dated, Moment},
};
use crate::words::{charts as words, labels};

/// The columns of the picture.
const COLUMNS: usize = 30;
const DAYS_PER_COLUMN: usize = 3;
/// The most dots above each other.
const MAX_STACK: usize = 3;
/// The distance between two dots above each other, in pixels.
const PITCH: usize = 20;
/// The top of the dots, in pixels; above it is the sentence of the dot that is focused or that the pointer is on.
const TOP: usize = 24;
/// The greatest radius of a dot, and the smallest.
const RADII: (u64, u64) = (8, 4);
/// A key that expires within this time is red.
const URGENT: TimeDelta = TimeDelta::days(7);

/// The picture, with a folded list of the keys; nothing if no key expires. `kind`: which keys it shows, for its links.
#[component]
pub fn ExpiryTimeline(expiring: ExpiringKeys, kind: Option<OwnerKind>, now: DateTime<Utc>) -> impl IntoView {
    let total = expiring.total?;
    let most = expiring.keys.iter().map(|(_, use_count)| *use_count).max().unwrap_or(0);
    let columns = by_column(&expiring.keys, now);
    let rows = columns.iter().map(|column| shown(column.len()).0).max().unwrap_or(0);
    let has_more = columns.iter().any(|column| shown(column.len()).1 > 0);
    let baseline = TOP + (rows + usize::from(has_more)) * PITCH;
    let windows = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| !column.is_empty())
        .map(|(index, column)| window(index, column.len(), kind, baseline));
    let dots = columns.iter().enumerate().map(|(index, column)| stack(index, column, most, baseline, now));
    let ticks = [(0_u8, "tick tick-start"), (30, "tick"), (60, "tick"), (90, "tick tick-end")].map(|(days, class)| {
        let x = percent(usize::from(days), 90);
        let day = (days > 0).then(|| Dated::short_day(now + TimeDelta::days(i64::from(days))));
        let (text, date) =
            day.map_or_else(|| (labels::today().to_owned(), None), |day| (day.text, Some(day.attribute)));
        view! {
            <text class=class x=x y=baseline + 18 data-date=date>
                {text}
            </text>
        }
    });
    let caption = words::keys_expire(total, EXPIRY_PERIOD.num_days());
    let label = caption.clone();
    let unseen = words::unseen_words(total, expiring.keys.len()).map(|text| view! { <p class="muted">{text}</p> });
    Some(view! {
        <figure class="timeline">
            <figcaption>{caption}</figcaption>
            <svg class="dots" width="100%" height=baseline + 24 role="group" aria-label=label>
                <line class="axis" x1="0" x2="100%" y1=baseline y2=baseline />
                {ticks.into_iter().collect_view()}
                {windows.collect_view()}
                {dots.collect_view()}
            </svg>
            <p class="muted legend-text">{words::timeline_legend()}</p>
            {unseen}
            {list(&expiring.keys, now)}
        </figure>
    })
}

type Uses = (ApiKey, u64);

/// The keys of each column, soonest first.
fn by_column(keys: &[Uses], now: DateTime<Utc>) -> Vec<Vec<&Uses>> {
    let mut columns = vec![Vec::new(); COLUMNS];
    for pair in keys {
        let Some(at) = pair.0.expires_at else { continue };
        let left = usize::try_from((at - now).num_minutes()).unwrap_or(0);
        let all = usize::try_from(EXPIRY_PERIOD.num_minutes()).unwrap_or(1);
        columns[(left * COLUMNS / all).min(COLUMNS - 1)].push(pair);
    }
    columns
}

/// How many of a column's keys have a dot, and how many don't.
fn shown(count: usize) -> (usize, usize) {
    let dots = count.min(MAX_STACK);
    (dots, count - dots)
}

/// The area of a column, as a link to the list of its keys.
fn window(index: usize, count: usize, kind: Option<OwnerKind>, baseline: usize) -> AnyView {
    let days = |column: usize| u16::try_from(column * DAYS_PER_COLUMN).unwrap_or(u16::MAX);
    let Some(window) = ExpiryWindow::new(days(index), days(index + 1)) else { return ().into_any() };
    let kind = match kind {
        Some(OwnerKind::ServiceAccount) => "&kind=service_account",
        Some(OwnerKind::User) => "&kind=user",
        None => "",
    };
    let href = format!("/team/keys?sort=expires&dir=asc&expires={}{kind}", window.code());
    let text = words::keys_expire_in_window(count, window);
    let label = text.clone();
    view! {
        <a href=href aria-label=label class="window">
            <rect
                class="window-area"
                x=percent(index, COLUMNS)
                width=percent(1, COLUMNS)
                y=TOP
                height=baseline + 22 - TOP
                rx="4"
            />
            <text class="readout" x="0" y="12">
                {text}
            </text>
        </a>
    }
    .into_any()
}

fn stack(index: usize, column: &[&Uses], most: u64, baseline: usize, now: DateTime<Utc>) -> AnyView {
    let x = percent(index * 2 + 1, COLUMNS * 2);
    let (dots, more) = shown(column.len());
    let more = (more > 0).then(|| {
        view! {
            <text class="more" x=x.clone() y=baseline - dots * PITCH - 6>
                {format!("+{more}")}
            </text>
        }
    });
    let dots = column.iter().take(dots).enumerate().map(|(row, (key, use_count))| {
        let is_urgent = key.expires_at.is_some_and(|at| at - now <= URGENT);
        let class = match (is_urgent, *use_count) {
            (true, 0) => "dot dot-urgent dot-unused",
            (true, _) => "dot dot-urgent",
            (false, 0) => "dot dot-unused",
            (false, _) => "dot",
        };
        let expires = key.expires_at.map(Dated::date);
        let day = expires.as_ref().map_or("", |date| &date.text);
        let text = words::expiry_of(key.name.as_str(), &key.owner_name, day, *use_count);
        let (label, date) = (text.clone(), expires.map(|date| date.attribute));
        // The transparent circle is what the pointer finds.
        view! {
            // Not a stop of the tab key: up to 150 of them would stand before the list. The table has the same links.
            <a href=key.page_path() aria-label=label data-date=date.clone() tabindex="-1">
                <circle class="dot-area" cx=x.clone() cy=baseline - row * PITCH - 10 r="10" />
                <circle class=class cx=x.clone() cy=baseline - row * PITCH - 10 r=radius(*use_count, most) />
                <text class="readout" x="0" y="12" data-date=date.clone()>
                    {text}
                </text>
            </a>
        }
    });
    view! {
        {more}
        {dots.collect_view()}
    }
    .into_any()
}

/// The radius of a dot, whose area grows with the number of requests.
fn radius(use_count: u64, most: u64) -> u64 {
    let (greatest, smallest) = RADII;
    if most == 0 {
        return smallest;
    }
    smallest + ((greatest - smallest).pow(2) * use_count / most).isqrt()
}

/// The folded table of the keys.
fn list(keys: &[Uses], now: DateTime<Utc>) -> AnyView {
    let rows = keys.iter().map(|(key, use_count)| {
        view! {
            <tr>
                <th scope="row">
                    <a href=key.page_path() translate="no" dir="auto">
                        {key.name.to_string()}
                    </a>
                </th>
                <td translate="no" dir="auto">
                    {key.owner_name.clone()}
                </td>
                <td>{key.expires_at.map(|at| view! { <Moment at now /> })}</td>
                <td>{number_text(*use_count)}</td>
            </tr>
        }
    });
    folded_table(
        labels::show_as_table(),
        words::keys_that_expire_within(&EXPIRY_PERIOD.num_days()),
        [labels::name(), labels::owner(), labels::expires(), words::requests_in_the_last_7_days()],
        rows.collect_view().into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_grows_with_the_requests_of_the_week() {
        assert_eq!([0, 1, 25, 100].map(|use_count| radius(use_count, 100)), [4, 4, 6, 8]);
        assert_eq!(radius(0, 0), 4);
    }

    #[test]
    fn a_column_shows_three_dots_and_counts_the_others() {
        assert_eq!([0, 1, 5, 6, 100].map(shown), [(0, 0), (1, 0), (3, 2), (3, 3), (3, 97)]);
    }
}
