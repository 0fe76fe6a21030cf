//! Rotating a key: a new key replaces an old one, and both work during the grace period ("overlap" in the protocol).

use chrono::{DateTime, TimeDelta, Utc};

use super::key::ApiKey;

/// How long the old key keeps working after the new one is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracePeriod {
    /// The old key stops working now.
    None,
    /// 1 hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// Until the new key is first used, but no later than `deadline`.
    FirstUse {
        /// When the old key expires in any case.
        deadline: DateTime<Utc>,
    },
}

/// The maximum time that an old key keeps working while the new one isn't used.
pub const LONGEST_WAIT: TimeDelta = TimeDelta::days(90);

/// Why a grace period is invalid. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GracePeriodError {
    /// The code is unknown.
    #[error("Choose now, 1h, 24h, 7d or first_use.")]
    Unknown,
    /// The deadline is in the past, or later than [`LONGEST_WAIT`] from now.
    #[error("Choose a deadline within the next 90 days.")]
    Deadline,
}

impl GracePeriod {
    /// The codes used in the APIs with their labels, in the order forms offer them.
    pub const CHOICES: [(&'static str, &'static str); 5] = [
        ("now", "Stop it now"),
        ("1h", "1 hour"),
        ("24h", "24 hours"),
        ("7d", "7 days"),
        ("first_use", "Until the new key is first used"),
    ];

    /// The code of the default choice.
    pub const DEFAULT: &'static str = "24h";

    /// Returns the choices that would extend the current grace period of a key.
    pub fn extensions(key: &ApiKey, now: DateTime<Utc>) -> Vec<(&'static str, &'static str)> {
        let end = key.overlap_until(now);
        let is_later = |code: &str| match Self::parse(code, None, now) {
            Err(_) | Ok(Self::FirstUse { .. }) => false,
            Ok(period) => period.until(now) > end,
        };
        Self::CHOICES.into_iter().filter(|(code, _)| is_later(code)).collect()
    }

    /// Returns whether the grace period of a key can be extended.
    pub fn can_extend(key: &ApiKey, now: DateTime<Utc>) -> bool {
        !Self::extensions(key, now).is_empty()
    }

    /// Returns the grace period with the given code. `deadline` is only used for `first_use`, and defaults to 7 days
    /// from `now`.
    ///
    /// # Errors
    /// If the code is unknown, or the deadline isn't within [`LONGEST_WAIT`] after `now`.
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

    /// Returns when the old key expires at the latest, or `None` if it stops working now.
    pub fn until(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::None => None,
            Self::Hour => Some(now + TimeDelta::hours(1)),
            Self::Day => Some(now + TimeDelta::days(1)),
            Self::Week => Some(now + TimeDelta::days(7)),
            Self::FirstUse { deadline } => Some(deadline),
        }
    }

    /// Returns the text for the audit log.
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
    fn every_choice_has_a_valid_code_and_a_deadline_is_within_ninety_days() {
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
