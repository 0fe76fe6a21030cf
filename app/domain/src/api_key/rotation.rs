//! Rotating a key: a new key replaces an old one, and both work during the grace period ("overlap" in the protocol).

use chrono::{DateTime, TimeDelta, Utc};

use super::key::ApiKey;

/// How long the old key keeps working after the new one was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracePeriod {
    /// Not at all.
    None,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week.
    Week,
    /// Until the new key is first used, and at the latest until the instant.
    FirstUse {
        /// At the latest.
        deadline: DateTime<Utc>,
    },
}

/// The longest time that an old key may wait for the first use of the new one.
pub const LONGEST_WAIT: TimeDelta = TimeDelta::days(90);

/// A text names no grace period, or a deadline is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GracePeriodError {
    /// No known word.
    #[error("Choose now, 1h, 24h, 7d or first_use.")]
    Unknown,
    /// Past, or too far.
    #[error("Choose a deadline between now and 90 days ahead.")]
    Deadline,
}

impl GracePeriod {
    /// The codes on the wire with their labels, in the order they are offered.
    pub const CHOICES: [(&'static str, &'static str); 5] = [
        ("now", "Stop it now"),
        ("1h", "1 hour"),
        ("24h", "24 hours"),
        ("7d", "7 days"),
        ("first_use", "Until the new key is first used"),
    ];

    /// The code that is chosen unless somebody chooses another.
    pub const DEFAULT: &'static str = "24h";

    /// The choices that prolong the grace period of a key that is being rotated.
    pub fn extensions(key: &ApiKey, now: DateTime<Utc>) -> Vec<(&'static str, &'static str)> {
        let end = key.overlap_until(now);
        let is_later = |code: &str| match Self::parse(code, None, now) {
            Err(_) | Ok(Self::FirstUse { .. }) => false,
            Ok(period) => period.until(now) > end,
        };
        Self::CHOICES.into_iter().filter(|(code, _)| is_later(code)).collect()
    }

    /// Whether any choice prolongs the grace period of a key.
    pub fn can_extend(key: &ApiKey, now: DateTime<Utc>) -> bool {
        !Self::extensions(key, now).is_empty()
    }

    /// The grace period with a code. `deadline`: for `first_use`; a week, when `None`.
    ///
    /// # Errors
    /// For an unknown code, or a deadline that isn't within [`LONGEST_WAIT`] of `now`.
    pub fn parse(code: &str, deadline: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Self, GracePeriodError> {
        Ok(match code {
            "now" => Self::None,
            "1h" => Self::Hour,
            "24h" => Self::Day,
            "7d" => Self::Week,
            "first_use" => {
                let deadline = deadline.unwrap_or(now + TimeDelta::days(7));
                if deadline <= now || deadline > now + LONGEST_WAIT {
                    return Err(GracePeriodError::Deadline);
                }
                Self::FirstUse { deadline }
            }
            _ => return Err(GracePeriodError::Unknown),
        })
    }

    /// When the old key ends at the latest; `None`: at once.
    pub fn until(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::None => None,
            Self::Hour => Some(now + TimeDelta::hours(1)),
            Self::Day => Some(now + TimeDelta::days(1)),
            Self::Week => Some(now + TimeDelta::days(7)),
            Self::FirstUse { deadline } => Some(deadline),
        }
    }

    /// The text in the audit log.
    pub fn audit_text(self) -> &'static str {
        match self {
            Self::None => "no grace period",
            Self::Hour => "grace period 1 hour",
            Self::Day => "grace period 24 hours",
            Self::Week => "grace period 7 days",
            Self::FirstUse { .. } => "grace period until the new key is first used",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_word_and_a_deadline_is_within_ninety_days() {
        let now = DateTime::UNIX_EPOCH;
        for (word, _) in GracePeriod::CHOICES {
            assert!(GracePeriod::parse(word, None, now).is_ok(), "{word}");
        }
        assert_eq!(GracePeriod::parse("never", None, now), Err(GracePeriodError::Unknown));
        assert_eq!(GracePeriod::parse("first_use", Some(now), now), Err(GracePeriodError::Deadline));
        let far = now + LONGEST_WAIT + TimeDelta::seconds(1);
        assert_eq!(GracePeriod::parse("first_use", Some(far), now), Err(GracePeriodError::Deadline));
        assert_eq!(GracePeriod::parse("1h", None, now).unwrap().until(now), Some(now + TimeDelta::hours(1)));
    }
}
