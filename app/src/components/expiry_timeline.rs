//! The keys that expire in the next 90 days, as a picture above a list: a dot for each key.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiKey, page::Total, usage::number_text};
use leptos::prelude::*;
use service::{EXPIRY_PERIOD, ExpiringKeys};

use super::{
    bar_chart::percent,
    folded_table::folded_table,
    time::{Dated, Moment},
};

/// The columns of the picture, each of 3 days.
const COLUMNS: usize = 30;
/// The most dots above each other.
const MAX_STACK: usize = 5;
/// The distance between two dots above each other, in pixels.
const PITCH: usize = 20;
/// The top of the dots, in pixels; above it is the sentence of the dot that is focused or that the pointer is on.
const TOP: usize = 24;
/// The greatest radius of a dot, and the smallest.
const RADII: (u64, u64) = (8, 4);
/// A key that expires within this time is red.
const URGENT: TimeDelta = TimeDelta::days(7);

/// The picture, with a folded list of the keys; nothing if no key expires.
#[component]
pub fn ExpiryTimeline(expiring: ExpiringKeys, now: DateTime<Utc>) -> impl IntoView {
    let total = expiring.total?;
    let most = expiring.keys.iter().map(|(_, uses)| *uses).max().unwrap_or(0);
    let columns = by_column(&expiring.keys, now);
    let rows = columns.iter().map(|column| shown(column.len()).0).max().unwrap_or(0);
    let has_more = columns.iter().any(|column| shown(column.len()).1 > 0);
    let baseline = TOP + (rows + usize::from(has_more)) * PITCH;
    let dots = columns.iter().enumerate().map(|(index, column)| stack(index, column, most, baseline, now));
    let ticks = [(0_u8, "tick tick-start"), (30, "tick"), (60, "tick"), (90, "tick tick-end")].map(|(days, class)| {
        let x = percent(usize::from(days), 90);
        let day = (days > 0).then(|| Dated::short_day(now + TimeDelta::days(i64::from(days))));
        let (text, date) = day.map_or_else(|| ("Today".to_owned(), None), |day| (day.text, Some(day.attribute)));
        view! {
            <text class=class x=x y=baseline + 18 data-date=date>
                {text}
            </text>
        }
    });
    let (caption, label) = (words(total), words(total));
    let unseen = unseen_words(total, expiring.keys.len()).map(|words| view! { <p class="muted">{words}</p> });
    Some(view! {
        <figure class="timeline">
            <figcaption>{caption}</figcaption>
            <svg class="dots" width="100%" height=baseline + 24 role="group" aria-label=label>
                <line class="axis" x1="0" x2="100%" y1=baseline y2=baseline />
                {ticks.into_iter().collect_view()}
                {dots.collect_view()}
            </svg>
            {unseen}
            {list(&expiring.keys, now)}
        </figure>
    })
}

/// How many keys expire in the period.
fn words(total: Total) -> String {
    let days = EXPIRY_PERIOD.num_days();
    match (total.count, total.is_exact) {
        (count, false) => format!("More than {} keys expire within {days} days.", number_text(u64::from(count))),
        (1, true) => format!("1 key expires within {days} days."),
        (count, true) => format!("{} keys expire within {days} days.", number_text(u64::from(count))),
    }
}

/// How many keys the picture doesn't show; `None` if it shows all.
fn unseen_words(total: Total, shown: usize) -> Option<String> {
    let unseen = (total.count as usize).saturating_sub(shown);
    match (unseen, total.is_exact) {
        (0, _) => None,
        (unseen, false) => Some(format!("and more than {} others, which expire later", number_text(unseen as u64))),
        (1, true) => Some("and 1 other, which expires later".to_owned()),
        (unseen, true) => Some(format!("and {} others, which expire later", number_text(unseen as u64))),
    }
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
    let dots = column.iter().take(dots).enumerate().map(|(row, (key, uses))| {
        let is_urgent = key.expires_at.is_some_and(|at| at - now <= URGENT);
        let class = match (is_urgent, *uses) {
            (true, 0) => "dot dot-urgent dot-unused",
            (true, _) => "dot dot-urgent",
            (false, 0) => "dot dot-unused",
            (false, _) => "dot",
        };
        let expires = key.expires_at.map(Dated::date);
        let words = sentence(key, *uses, expires.as_ref().map_or("", |date| &date.text));
        let (label, date) = (words.clone(), expires.map(|date| date.attribute));
        // The transparent circle is what the pointer finds.
        view! {
            <a href=key.page_path() aria-label=label data-date=date.clone()>
                <circle class="dot-area" cx=x.clone() cy=baseline - row * PITCH - 10 r="10" />
                <circle class=class cx=x.clone() cy=baseline - row * PITCH - 10 r=radius(*uses, most) />
                <text class="readout" x="0" y="12" data-date=date.clone()>
                    {words}
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
fn radius(uses: u64, most: u64) -> u64 {
    let (greatest, smallest) = RADII;
    if most == 0 {
        return smallest;
    }
    smallest + ((greatest - smallest).pow(2) * uses / most).isqrt()
}

/// `expires`: the date of the key's expiry.
fn sentence(key: &ApiKey, uses: u64, expires: &str) -> String {
    let (name, owner) = (&key.name, &key.owner_name);
    match uses {
        0 => format!("“{name}” of {owner} expires on {expires}. No requests in the last 7 days."),
        1 => format!("“{name}” of {owner} expires on {expires}. 1 request in the last 7 days."),
        uses => {
            format!("“{name}” of {owner} expires on {expires}. {} requests in the last 7 days.", number_text(uses))
        }
    }
}

/// The folded table of the keys.
fn list(keys: &[Uses], now: DateTime<Utc>) -> AnyView {
    let rows = keys.iter().map(|(key, uses)| {
        view! {
            <tr>
                <th scope="row">
                    <a href=key.page_path()>{key.name.to_string()}</a>
                </th>
                <td>{key.owner_name.clone()}</td>
                <td>{key.expires_at.map(|at| view! { <Moment at now /> })}</td>
                <td>{number_text(*uses)}</td>
            </tr>
        }
    });
    folded_table(
        "Show as table",
        "Keys that expire within 90 days".to_owned(),
        ["Name", "Owner", "Expires", "Requests in the last 7 days"],
        rows.collect_view().into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_whole_sentences() {
        let exact = |count| Total { count, is_exact: true };
        assert_eq!(words(exact(1)), "1 key expires within 90 days.");
        assert_eq!(words(exact(123)), "123 keys expire within 90 days.");
        assert_eq!(words(Total { count: 1_000, is_exact: false }), "More than 1,000 keys expire within 90 days.");
        assert_eq!(unseen_words(exact(100), 100), None);
        assert_eq!(unseen_words(exact(101), 100).as_deref(), Some("and 1 other, which expires later"));
        assert_eq!(unseen_words(exact(123), 100).as_deref(), Some("and 23 others, which expire later"));
    }

    #[test]
    fn a_dot_grows_with_the_requests_of_the_week() {
        assert_eq!([0, 1, 25, 100].map(|uses| radius(uses, 100)), [4, 4, 6, 8]);
        assert_eq!(radius(0, 0), 4);
    }

    #[test]
    fn a_column_shows_five_dots_and_counts_the_others() {
        assert_eq!([0, 1, 5, 6, 100].map(shown), [(0, 0), (1, 0), (5, 0), (5, 1), (5, 95)]);
    }
}
