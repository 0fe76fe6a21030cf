//! Rolling a key: a new token takes an old one's place, and for a while both may work.

use chrono::{DateTime, TimeDelta, Utc};

/// How long the old key still works after the new one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
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

/// A text names no overlap, or a deadline is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlapError {
    /// No known word.
    #[error("Choose now, 1h, 24h, 7d or first_use.")]
    Unknown,
    /// Past, or too far.
    #[error("Choose a deadline between now and 90 days ahead.")]
    Deadline,
}

impl Overlap {
    /// The words on the wire, in the order they are offered, with what each says.
    pub const CHOICES: [(&'static str, &'static str); 5] = [
        ("24h", "24 hours"),
        ("7d", "7 days"),
        ("1h", "1 hour"),
        ("first_use", "Until the new one is first used"),
        ("now", "None: the old token stops now"),
    ];

    /// The overlap of a word. `deadline`: for `first_use`; a week, when `None`.
    ///
    /// # Errors
    /// For an unknown word, or a deadline that isn't within [`LONGEST_WAIT`] of `now`.
    pub fn parse(word: &str, deadline: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Self, OverlapError> {
        Ok(match word {
            "now" => Self::None,
            "1h" => Self::Hour,
            "24h" => Self::Day,
            "7d" => Self::Week,
            "first_use" => {
                let deadline = deadline.unwrap_or(now + TimeDelta::days(7));
                if deadline <= now || deadline > now + LONGEST_WAIT {
                    return Err(OverlapError::Deadline);
                }
                Self::FirstUse { deadline }
            }
            _ => return Err(OverlapError::Unknown),
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

    /// The overlap in the audit log's words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no overlap",
            Self::Hour => "overlap 1 hour",
            Self::Day => "overlap 24 hours",
            Self::Week => "overlap 7 days",
            Self::FirstUse { .. } => "overlap until the first use of the new one",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_word_and_a_deadline_is_within_ninety_days() {
        let now = DateTime::UNIX_EPOCH;
        for (word, _) in Overlap::CHOICES {
            assert!(Overlap::parse(word, None, now).is_ok(), "{word}");
        }
        assert_eq!(Overlap::parse("never", None, now), Err(OverlapError::Unknown));
        assert_eq!(Overlap::parse("first_use", Some(now), now), Err(OverlapError::Deadline));
        let far = now + LONGEST_WAIT + TimeDelta::seconds(1);
        assert_eq!(Overlap::parse("first_use", Some(far), now), Err(OverlapError::Deadline));
        assert_eq!(Overlap::parse("1h", None, now).unwrap().until(now), Some(now + TimeDelta::hours(1)));
    }
}
