//! The expiry of a key, and the choices that a form offers for it. Uses no clock: `now` is an argument.

use chrono::{DateTime, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::policy::Bounds;
use crate::time::parse_instant;

/// The minimum time from now to an expiry.
pub const MIN_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// The maximum time from now to an expiry, in days: 100 years of 365.25 days.
pub const MAX_LIFETIME_DAYS: i64 = 36_525;

/// When a key expires: in UTC and whole seconds, and 1 minute to 100 years after the time of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expiry(DateTime<Utc>);

/// Why an expiry is invalid. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// A form's custom date is missing or can't be parsed.
    #[error("Enter a date and time.")]
    Missing,
    /// The text isn't RFC 3339, or has no UTC offset.
    #[error("Enter a date and time with a UTC offset, for example 2027-01-31T09:00:00+01:00.")]
    Malformed,
    /// The time is now or in the past.
    #[error("Choose a time in the future.")]
    Past,
    /// The time is in the future, but before now + [`MIN_LIFETIME`].
    #[error("Choose a time at least a minute from now.")]
    TooSoon,
    /// The time is after now + [`MAX_LIFETIME_DAYS`].
    #[error("Choose a time within the next 100 years, or no expiration.")]
    TooLate,
}

impl Expiry {
    /// Parses RFC 3339 with a UTC offset, and checks the time against `now`.
    ///
    /// # Errors
    /// If the text is malformed, or the time is in the past, too soon or too late.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, ExpiryError> {
        Self::at(parse_instant(text).ok_or(ExpiryError::Malformed)?, now)
    }

    /// Truncates `at` to whole seconds and checks it against `now`.
    ///
    /// # Errors
    /// If the time is in the past, too soon or too late.
    pub fn at(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<Self, ExpiryError> {
        if at <= now {
            return Err(ExpiryError::Past);
        }
        if at < now + MIN_LIFETIME {
            return Err(ExpiryError::TooSoon);
        }
        let at = at.trunc_subsecs(0);
        if at > now + TimeDelta::days(MAX_LIFETIME_DAYS) {
            return Err(ExpiryError::TooLate);
        }
        Ok(Self(at))
    }

    /// Returns the first instant at which the key is rejected.
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }
}

/// An expiry choice in a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpiryChoice {
    /// In 7 days.
    #[serde(rename = "7d")]
    Week,
    /// In 30 days.
    #[serde(rename = "30d")]
    Month,
    /// In 90 days.
    #[serde(rename = "90d")]
    #[default]
    Quarter,
    /// In 365 days.
    #[serde(rename = "1y")]
    Year,
    /// At a custom date and time.
    #[serde(rename = "custom")]
    Custom,
    /// Never.
    #[serde(rename = "never")]
    Never,
}

impl ExpiryChoice {
    /// All choices, in the order the form offers them.
    pub const ALL: [Self; 6] = [Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Custom, Self::Never];

    /// Returns the code used in forms.
    pub fn code(self) -> &'static str {
        match self {
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
            Self::Year => "1y",
            Self::Custom => "custom",
            Self::Never => "never",
        }
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Week => "7 days",
            Self::Month => "30 days",
            Self::Quarter => "90 days",
            Self::Year => "1 year",
            Self::Custom => "Custom…",
            Self::Never => "No expiration",
        }
    }

    /// Returns the choice with the given code, or the default if the code is empty or unknown.
    pub fn from_code(word: &str) -> Self {
        Self::ALL.into_iter().find(|choice| choice.code() == word).unwrap_or_default()
    }

    /// Returns the expiry as the service accepts it: RFC 3339, or `None` for never. `date` is only used for
    /// [`ExpiryChoice::Custom`].
    ///
    /// # Errors
    /// If the custom date is missing.
    pub fn expires_at(self, date: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Option<String>, ExpiryError> {
        Ok(self.instant(date, now)?.map(text))
    }

    /// Like [`ExpiryChoice::expires_at`], but returns an instant.
    ///
    /// # Errors
    /// If the custom date is missing.
    pub fn instant(
        self,
        date: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, ExpiryError> {
        match (self, self.length()) {
            (Self::Never, _) => Ok(None),
            (_, Some(length)) => Ok(Some(now + length)),
            (_, None) => date.map(Some).ok_or(ExpiryError::Missing),
        }
    }

    /// Returns when a key created at `now` expires; `None` if the choice doesn't determine it.
    pub fn end(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.length().map(|length| now + length)
    }

    /// Returns whether the tenant's bounds allow the choice. [`ExpiryChoice::Custom`] is always allowed: its date is
    /// checked once the user has entered it.
    pub fn fits(self, bounds: Bounds) -> bool {
        match (self, self.length()) {
            (Self::Never, _) => bounds == Bounds::default(),
            (_, Some(length)) => bounds.longest.is_none_or(|longest| length <= longest),
            (_, None) => true,
        }
    }

    /// Returns the preselected choice: the default or, if the bounds don't allow it, the longest one that they allow.
    pub fn first(bounds: Bounds) -> Self {
        let choices = [Self::Quarter, Self::Month, Self::Week];
        choices.into_iter().find(|choice| choice.fits(bounds)).unwrap_or(Self::Custom)
    }

    /// Returns the key's lifetime, or `None` if the choice doesn't determine it.
    fn length(self) -> Option<TimeDelta> {
        let days = match self {
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
            Self::Year => 365,
            Self::Custom | Self::Never => return None,
        };
        Some(TimeDelta::days(days))
    }
}

/// Returns the date that a form suggests for [`ExpiryChoice::Custom`]: 31 days from now at noon, so that it stays the
/// same day in most time zones. If the bounds don't allow that, half of the longest lifetime that they allow.
pub fn suggested_date(bounds: Bounds, now: DateTime<Utc>) -> DateTime<Utc> {
    let month = TimeDelta::days(31);
    // The day around noon must be within the bounds too.
    if let Some(longest) = bounds.longest.filter(|longest| *longest < month + TimeDelta::days(1)) {
        return now + longest / 2;
    }
    (now + month).with_time(NaiveTime::MIN).single().map_or(now + month, |day| day + TimeDelta::hours(12))
}

/// Formats a time as the value of a `datetime-local` input, in UTC: `2027-01-31T12:00`.
pub fn local_input_text(at: DateTime<Utc>) -> String {
    text(at).chars().take(16).collect()
}

/// Returns the start of a UTC day like `2027-01-31` as RFC 3339. Returns any other text unchanged, and `None` if it is
/// empty.
pub fn first_instant(day: &str) -> Option<String> {
    let day = day.trim();
    let is_day = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (!day.is_empty()).then(|| if is_day { format!("{day}T00:00:00Z") } else { day.to_owned() })
}

/// Returns when the old key of a rotation expires if the new one isn't used before. `wait` is the number of days,
/// limited to 1–90; 7 if it isn't a number.
pub fn roll_deadline(wait: &str, now: DateTime<Utc>) -> String {
    text(now + TimeDelta::days(wait.parse::<i64>().unwrap_or(7).clamp(1, 90)))
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Parses the date of a form: RFC 3339, or the text of a `datetime-local` input, which is taken as UTC.
pub fn utc_date(date: &str) -> Option<DateTime<Utc>> {
    let date = date.trim();
    // The text of a `datetime-local` input has no offset, and no seconds if they are zero.
    let forms = [date.to_owned(), format!("{date}Z"), format!("{date}:00Z")];
    forms.iter().find_map(|form| parse_instant(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_now_and_never_is_none() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(ExpiryChoice::Week.expires_at(None, now), Ok(Some("1970-01-08T00:00:00Z".to_owned())));
        assert_eq!(ExpiryChoice::Never.expires_at(utc_date("2027-01-01T00:00"), now), Ok(None));
    }

    #[test]
    fn a_custom_date_is_rfc_3339_or_plain_utc() {
        let now = DateTime::UNIX_EPOCH;
        let custom = |date| ExpiryChoice::Custom.expires_at(utc_date(date), now);
        assert_eq!(custom("2027-03-14T02:30"), Ok(Some("2027-03-14T02:30:00Z".to_owned())));
        assert_eq!(custom("2027-03-14T02:30:00+01:00"), Ok(Some("2027-03-14T01:30:00Z".to_owned())));
        assert_eq!(custom(""), Err(ExpiryError::Missing));
        assert_eq!(custom("soon"), Err(ExpiryError::Missing));
        assert_eq!(custom("2027-03-14T02:30:60"), Err(ExpiryError::Missing));
    }

    #[test]
    fn only_allowed_choices_fit_and_the_longest_of_them_is_preselected() {
        let fitting = |days: Option<i64>, requires_expiry| {
            let bounds = Bounds { longest: days.map(TimeDelta::days), requires_expiry };
            ExpiryChoice::ALL.into_iter().filter(|choice| choice.fits(bounds)).collect::<Vec<_>>()
        };
        assert_eq!(fitting(None, false), ExpiryChoice::ALL);
        assert_eq!(fitting(None, true), ExpiryChoice::ALL[..5]);
        assert_eq!(fitting(Some(30), false), [ExpiryChoice::Week, ExpiryChoice::Month, ExpiryChoice::Custom]);
        let within = |days: i64| Bounds { longest: Some(TimeDelta::days(days)), requires_expiry: false };
        let first = |days: i64| ExpiryChoice::first(within(days));
        assert_eq!(ExpiryChoice::first(Bounds::default()), ExpiryChoice::default());
        assert_eq!(
            [first(365), first(89), first(6)],
            [ExpiryChoice::Quarter, ExpiryChoice::Month, ExpiryChoice::Custom]
        );
    }

    #[test]
    fn codes_lead_back_to_their_choices() {
        for choice in ExpiryChoice::ALL {
            assert_eq!(ExpiryChoice::from_code(choice.code()), choice);
        }
        assert_eq!(ExpiryChoice::from_code("x"), ExpiryChoice::Quarter);
    }

    #[test]
    fn a_choice_with_a_length_has_an_end_and_the_others_have_none() {
        let now = at("2026-11-29T18:40:00Z");
        assert_eq!(ExpiryChoice::Quarter.end(now), Some(at("2027-02-27T18:40:00Z")));
        assert_eq!([ExpiryChoice::Custom.end(now), ExpiryChoice::Never.end(now)], [None, None]);
    }

    #[test]
    fn the_suggested_date_is_allowed_and_fits_into_the_field() {
        let now = at("2026-11-29T18:40:00Z");
        let suggested = |days: Option<i64>| {
            suggested_date(Bounds { longest: days.map(TimeDelta::days), requires_expiry: false }, now)
        };
        assert_eq!(local_input_text(suggested(None)), "2026-12-30T12:00");
        assert_eq!(utc_date(&local_input_text(suggested(None))), Some(suggested(None)));
        assert_eq!(local_input_text(suggested(Some(32))), "2026-12-30T12:00");
        for days in [1, 7, 31, 32, 90] {
            assert!(suggested(Some(days)) > now && suggested(Some(days)) <= now + TimeDelta::days(days), "{days}");
        }
    }

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
        assert_eq!(Expiry::parse("2026-12-31T23:59:59Z", now), Err(ExpiryError::Past));
        assert_eq!(Expiry::parse("2027-01-01T00:00:30Z", now), Err(ExpiryError::TooSoon));
        assert!(Expiry::parse("2027-01-01T00:01:00Z", now).is_ok());
        assert_eq!(Expiry::parse("2227-01-01T00:00:00Z", now), Err(ExpiryError::TooLate));
        assert_eq!(Expiry::parse("2027-02-01T00:00:00", now), Err(ExpiryError::Malformed));
        for text in ["tomorrow", "", "2027-02-01T00:00:60Z", "2028-12-31T23:59:60+00:00"] {
            assert_eq!(Expiry::parse(text, now), Err(ExpiryError::Malformed), "{text}");
        }
    }
}
