//! Instants as text for people. Uses no clock: `now` is always an argument.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Returns the UTC date, like "31 Jan 2027".
pub fn date_text(at: DateTime<Utc>) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!("{} {} {}", at.day(), MONTHS[at.month0() as usize % 12], at.year())
}

/// Returns the UTC date and time, like "2027-01-31 09:00 UTC". Used where the reader's time zone isn't known.
pub fn utc_text(at: DateTime<Utc>) -> String {
    // Formatted manually: chrono's pattern formatter would add more to the WASM bundle than all other date code.
    format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", at.year(), at.month(), at.day(), at.hour(), at.minute())
}

/// Returns the time between `now` and `at` in its largest whole unit, like "in 5 minutes" or "3 hours ago". Less than 5
/// seconds is "just now".
pub fn relative_text(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (at - now).num_seconds();
    let distance = seconds.unsigned_abs();
    if distance < 5 {
        return "just now".to_owned();
    }
    let units =
        [(31_557_600, "year"), (2_629_800, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| distance >= *length).unwrap_or((1, "second"));
    let count = distance / length;
    let plural = if count == 1 { "" } else { "s" };
    if seconds > 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn utc_text_is_zero_padded() {
        assert_eq!(utc_text(at("2027-01-02T03:04:59Z")), "2027-01-02 03:04 UTC");
    }

    #[test]
    fn relative_text_uses_the_largest_unit() {
        let now = at("2027-01-01T00:00:00Z");
        assert_eq!(relative_text(at("2027-01-01T00:00:02Z"), now), "just now");
        assert_eq!(relative_text(at("2026-12-31T23:00:00Z"), now), "1 hour ago");
        assert_eq!(relative_text(at("2027-01-15T01:00:00Z"), now), "in 14 days");
    }
}
