//! Instants as the product speaks of them. No clock: `now` is always an argument.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

/// The shortest time between now and an expiry.
pub const MIN_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// The longest time between now and an expiry, in days (100 years of 365.25 days).
pub const MAX_LIFETIME_DAYS: i64 = 36_525;

/// When a key ends: UTC, whole seconds, between a minute and 100 years ahead of the instant it was checked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expiry(DateTime<Utc>);

/// Why an expiry is refused. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// Not RFC 3339, or without an offset.
    #[error("Enter a date and time with its offset from UTC, like 2027-01-31T09:00:00+01:00.")]
    Malformed,
    /// Before now + [`MIN_LIFETIME`].
    #[error("Choose a time that is at least a minute ahead.")]
    TooSoon,
    /// After now + [`MAX_LIFETIME_DAYS`].
    #[error("Choose a time within the next 100 years, or no expiration.")]
    TooLate,
}

impl Expiry {
    /// Reads RFC 3339 with an offset, and checks it against `now`.
    ///
    /// # Errors
    /// When the text is malformed, too soon or too late.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, ExpiryError> {
        let at = DateTime::parse_from_rfc3339(text.trim()).map_err(|_| ExpiryError::Malformed)?;
        Self::at(at.with_timezone(&Utc), now)
    }

    /// Cuts `at` to the second and checks it against `now`.
    ///
    /// # Errors
    /// When the instant is too soon or too late.
    pub fn at(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<Self, ExpiryError> {
        if at < now + MIN_LIFETIME {
            return Err(ExpiryError::TooSoon);
        }
        let at = at.trunc_subsecs(0);
        if at > now + TimeDelta::days(MAX_LIFETIME_DAYS) {
            return Err(ExpiryError::TooLate);
        }
        Ok(Self(at))
    }

    /// The first instant at which the key is refused.
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }
}

/// "2027-01-31 09:00 UTC", for places without the reader's time zone.
pub fn utc_text(at: DateTime<Utc>) -> String {
    // By hand: chrono's formatter of patterns would weigh more than the rest of the page's dates together.
    format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", at.year(), at.month(), at.day(), at.hour(), at.minute())
}

/// "in 5 minutes", "3 hours ago", "just now": the distance from `now` in its largest whole unit.
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
    fn an_expiry_keeps_the_instant_to_the_second_whatever_the_offset() {
        let expiry = Expiry::parse("2027-01-31T09:00:00.999+02:00", at("2027-01-01T00:00:00Z")).unwrap();
        assert_eq!(expiry.instant(), at("2027-01-31T07:00:00Z"));
    }

    #[test]
    fn past_near_far_and_offsetless_expiries_are_refused() {
        let now = at("2027-01-01T00:00:00Z");
        assert_eq!(Expiry::parse("2026-12-31T23:59:59Z", now), Err(ExpiryError::TooSoon));
        assert_eq!(Expiry::parse("2027-01-01T00:00:30Z", now), Err(ExpiryError::TooSoon));
        assert!(Expiry::parse("2027-01-01T00:01:00Z", now).is_ok());
        assert_eq!(Expiry::parse("2227-01-01T00:00:00Z", now), Err(ExpiryError::TooLate));
        assert_eq!(Expiry::parse("2027-02-01T00:00:00", now), Err(ExpiryError::Malformed));
        assert_eq!(Expiry::parse("tomorrow", now), Err(ExpiryError::Malformed));
    }

    #[test]
    fn utc_text_is_padded() {
        assert_eq!(utc_text(at("2027-01-02T03:04:59Z")), "2027-01-02 03:04 UTC");
    }

    #[test]
    fn relative_text_names_the_largest_unit() {
        let now = at("2027-01-01T00:00:00Z");
        assert_eq!(relative_text(at("2027-01-01T00:00:02Z"), now), "just now");
        assert_eq!(relative_text(at("2026-12-31T23:00:00Z"), now), "1 hour ago");
        assert_eq!(relative_text(at("2027-01-15T01:00:00Z"), now), "in 14 days");
    }
}
