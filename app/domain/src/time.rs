//! Instants as text for people. Uses no clock: `now` is always an argument.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Parses an RFC 3339 timestamp with a UTC offset. Rejects a leap second (`:60`), which chrono accepts in every minute and
/// would store as a time that doesn't exist.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    (at.nanosecond() < 1_000_000_000).then(|| at.with_timezone(&Utc))
}

/// Returns the UTC date, like "31 Jan 2027".
pub fn date_text(at: DateTime<Utc>) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!("{} {} {}", at.day(), MONTHS[at.month0() as usize % 12], at.year())
}

/// Returns the UTC date and time, like "31 Jan 2027, 09:00 UTC". Used where the reader's time zone isn't known.
pub fn utc_text(at: DateTime<Utc>) -> String {
    // Formatted manually: chrono's pattern formatter would add more to the WASM bundle than all other date code.
    format!("{}, {:02}:{:02} UTC", date_text(at), at.hour(), at.minute())
}

/// Returns the time between `now` and `at`, rounded to its largest unit, like "in 5 minutes" or "3 hours ago". Less than
/// 5 seconds is "just now". Up to 2 years it is counted in days: months have no fixed length, so that "in 90 days" can
/// be checked against a setting, and "in 3 months" can't.
pub fn distance_text(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    /// The length of each unit in seconds, with the count from which the next unit is used.
    const UNITS: [(u64, u64, &str); 5] = [
        (1, 60, "second"),
        (60, 60, "minute"),
        (3_600, 24, "hour"),
        (86_400, 730, "day"),
        (31_557_600, u64::MAX, "year"),
    ];
    let seconds = (at - now).num_seconds();
    let distance = seconds.unsigned_abs();
    if distance < 5 {
        return "just now".to_owned();
    }
    let mut units = UNITS.into_iter().map(|(length, limit, unit)| ((distance + length / 2) / length, limit, unit));
    let (count, _, unit) = units.find(|(count, limit, _)| count < limit).unwrap_or((distance, 0, "second"));
    let plural = if count == 1 { "" } else { "s" };
    if seconds > 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn a_timestamp_needs_an_offset_and_has_no_leap_second() {
        assert_eq!(parse_instant(" 2027-01-31T09:00:00+01:00 "), Some(at("2027-01-31T08:00:00Z")));
        for wrong in ["", "2027-01-31", "2027-01-31T09:00:00", "2027-01-31T09:00:60Z", "2016-12-31T23:59:60Z"] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn utc_text_is_zero_padded() {
        assert_eq!(utc_text(at("2027-01-02T03:04:59Z")), "2 Jan 2027, 03:04 UTC");
    }

    #[test]
    fn a_distance_is_rounded_and_never_cut() {
        let now = at("2027-01-01T00:00:00Z");
        let text = |seconds: i64| distance_text(now + TimeDelta::seconds(seconds), now);
        for (seconds, expected) in [
            (2, "just now"),
            (59, "in 59 seconds"),
            (-89, "1 minute ago"),
            (-3_600, "1 hour ago"),
            (59 * 60 + 30, "in 1 hour"),
            (23 * 3_600 + 1_800, "in 1 day"),
            // A few seconds after creation, an expiry still shows the chosen number of days.
            (7 * 86_400 - 9, "in 7 days"),
            (30 * 86_400 - 9, "in 30 days"),
            (90 * 86_400 - 9, "in 90 days"),
            (365 * 86_400 - 9, "in 365 days"),
            (72 * 3_600 - 1, "in 3 days"),
            (-60 * 86_400, "60 days ago"),
            (3 * 31_557_600, "in 3 years"),
        ] {
            assert_eq!(text(seconds), expected, "{seconds} s");
        }
    }
}
