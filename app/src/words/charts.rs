//! The charts.

use domain::{ExpiryWindow, page::Total, usage::number_text};
use leptos::prelude::*;

words! {
    day_range = "24 hours";
    week_range = "7 days";
    thirty_days = "30 days";
    quarter_range = "90 days";
    requests_per_hour = "Requests per hour in the last 24 hours (UTC)";
    day_utc = "Day (UTC)";
    range = "Range";
    requests_by_hour = "Requests by hour in the last 7 days (UTC)";
    show_hours_with_requests = "Show hours with requests as table";
    hours_with_requests = "Hours with requests in the last 7 days";
    old_key_was_never_used = "The old key was never used.";
    now = "Now";
    requests_of_both_keys = "Accepted requests of the old and the new key";
    old_key = "Old key";
    new_key = "New key";
    requests_in_the_last_7_days = "Requests in the last 7 days";
    entries_per_day = "Entries per day";
    timeline_legend = "Each dot is a key: larger with more requests in the last 7 days, hollow without any, red if it expires within 7 days. Keys that are being rotated aren't shown.";

    requests_per_day(days) = "Requests per day in the last {days} days (UTC)";
    keys_that_expire_within(days) = "Keys that expire within {days} days";
    busiest_hour(text) = "Requests by hour in the last 7 days. The busiest hour began on {text}.";
    accepted(use_count) = "Accepted: {use_count}";
    rejected(refusals) = "Rejected: {refusals}";
    accepted_and_rejected(name, use_count, refusals) = "{name}: {use_count} accepted, {refusals} rejected";
}

/// The number of requests with the old key of a rotation.
pub fn requests_of_old_key(count: u64) -> String {
    match count {
        0 => "Old key: no requests".to_owned(),
        1 => "Old key: 1 request".to_owned(),
        many => format!("Old key: {} requests", number_text(many)),
    }
}

/// The number of requests with the new key of a rotation.
pub fn requests_of_new_key(count: u64) -> String {
    match count {
        0 => "New key: no requests".to_owned(),
        1 => "New key: 1 request".to_owned(),
        many => format!("New key: {} requests", number_text(many)),
    }
}

/// When a rotation's old key was last used.
pub fn old_key_was_last_used(when: impl IntoView + 'static) -> AnyView {
    view! {
        "The old key was last used "
        {when}
        "."
    }
    .into_any()
}

/// The number of requests in an hour.
pub fn requests_in_hour(hour: &str, count: u64) -> String {
    match count {
        1 => format!("{hour}: 1 request"),
        many => format!("{hour}: {} requests", number_text(many)),
    }
}

/// The note below the strip of days. `is_capped`: whether it doesn't count all entries.
pub fn activity_note(is_capped: bool) -> &'static str {
    if is_capped {
        "Entries per day (UTC). Select a day to filter by it. Older entries aren't counted, because there are too many."
    } else {
        "Entries per day (UTC). Select a day to filter by it."
    }
}

/// The number of audit entries on a day.
pub fn entries_of_day(date: &str, all: u64, denied: u64) -> String {
    match (all, denied) {
        (1, 0) => format!("{date}: 1 entry"),
        (1, _) => format!("{date}: 1 entry, denied"),
        (all, 0) => format!("{date}: {all} entries"),
        (all, denied) => format!("{date}: {all} entries, {denied} of them denied"),
    }
}

/// The number of requests in the row of a key, as the label of its picture.
pub fn requests_in_days(days: u32, all: u64, refusals: u64) -> String {
    match (all, refusals) {
        (0, _) => format!("No requests in {days} days"),
        (1, 0) => format!("1 request in {days} days"),
        (1, _) => format!("1 request in {days} days, rejected"),
        (all, 0) => format!("{} requests in {days} days", number_text(all)),
        (all, refusals) => {
            format!("{} requests in {days} days, {} rejected", number_text(all), number_text(refusals))
        }
    }
}

/// How many keys expire within a number of days.
pub fn keys_expire(total: Total, days: i64) -> String {
    match (total.count, total.is_exact) {
        (count, false) => format!("More than {} keys expire within {days} days.", number_text(u64::from(count))),
        (1, true) => format!("1 key expires within {days} days."),
        (count, true) => format!("{} keys expire within {days} days.", number_text(u64::from(count))),
    }
}

/// How many keys expire in a part of the picture, as the label of a link to their list.
pub fn keys_expire_in_window(count: usize, window: ExpiryWindow) -> String {
    let ExpiryWindow { after_days, within_days } = window;
    match count {
        1 => format!("1 key expires in {after_days} to {within_days} days. Show it in the list."),
        count => format!("{count} keys expire in {after_days} to {within_days} days. Show them in the list."),
    }
}

/// The expiry of a key, and its requests in the last 7 days.
pub fn expiry_of(name: &str, owner: &str, expires: &str, use_count: u64) -> String {
    match use_count {
        0 => format!("“{name}” of {owner} expires on {expires}. No requests in the last 7 days."),
        1 => format!("“{name}” of {owner} expires on {expires}. 1 request in the last 7 days."),
        use_count => {
            format!("“{name}” of {owner} expires on {expires}. {} requests in the last 7 days.", number_text(use_count))
        }
    }
}

/// How many keys the picture doesn't show; `None` if it shows all.
pub fn unseen_words(total: Total, shown: usize) -> Option<String> {
    let unseen = (total.count as usize).saturating_sub(shown);
    match (unseen, total.is_exact) {
        (0, _) => None,
        (unseen, false) => Some(format!("and more than {} others, which expire later", number_text(unseen as u64))),
        (1, true) => Some("and 1 other, which expires later".to_owned()),
        (unseen, true) => Some(format!("and {} others, which expire later", number_text(unseen as u64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_whole_sentences() {
        let exact = |count| Total { count, is_exact: true };
        assert_eq!(keys_expire(exact(1), 90), "1 key expires within 90 days.");
        assert_eq!(keys_expire(exact(123), 90), "123 keys expire within 90 days.");
        assert_eq!(
            keys_expire(Total { count: 1_000, is_exact: false }, 90),
            "More than 1,000 keys expire within 90 days."
        );
        assert_eq!(unseen_words(exact(100), 100), None);
        assert_eq!(unseen_words(exact(101), 100).as_deref(), Some("and 1 other, which expires later"));
        assert_eq!(unseen_words(exact(123), 100).as_deref(), Some("and 23 others, which expire later"));
    }
}
