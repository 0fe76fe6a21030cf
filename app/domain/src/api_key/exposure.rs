//! Exposed keys: keys whose token was found where others can read it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The most characters of an [`Exposure::url`].
pub const MAX_URL: usize = 500;

/// The source of an exposure that the command `scan` found.
pub const SCAN: &str = "scan";
/// The source of a report that doesn't name one.
pub const UNKNOWN_SOURCE: &str = "unknown";
/// The most characters of an [`Exposure::source`].
const MAX_SOURCE: usize = 40;

/// The first report that a key's token was found where others can read it. The key stays exposed permanently: nobody
/// knows who has read the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// When it was reported.
    pub at: DateTime<Utc>,
    /// The kind of place: one of GitHub's sources in lower case, such as `commit`, or [`SCAN`].
    pub source: String,
    /// The URL of the place, as the reporter gave it.
    pub url: Option<String>,
}

impl Exposure {
    /// Returns the kind of place for users, such as "pull request description"; `None` if it is unknown.
    pub fn source_text(&self) -> Option<String> {
        match self.source.as_str() {
            UNKNOWN_SOURCE => None,
            SCAN => Some("scan by the operator".to_owned()),
            source => Some(source.replace('_', " ")),
        }
    }
}

/// Returns a reported source as it is stored: in lower case, and [`UNKNOWN_SOURCE`] for anything but a short word.
pub fn stored_source(reported: &str) -> String {
    let source = reported.trim().to_ascii_lowercase();
    let is_word = !source.is_empty() && source.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && source.len() <= MAX_SOURCE { source } else { UNKNOWN_SOURCE.to_owned() }
}

/// What happens to a key that works when it is exposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExposureResponse {
    /// It is suspended until it is resumed.
    #[default]
    Suspend,
    /// It is revoked permanently.
    Revoke,
    /// It keeps working. Its owner and the administrators are told, as in the other cases.
    Notify,
}

impl ExposureResponse {
    /// All responses, in the order that the settings list them.
    pub const ALL: [Self; 3] = [Self::Suspend, Self::Revoke, Self::Notify];

    /// Returns the code used in the database and in the APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Revoke => "revoke",
            Self::Notify => "notify",
        }
    }

    /// Returns the response with the given code.
    pub fn from_code(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|response| response.as_str() == word)
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Suspend => "Suspend",
            Self::Revoke => "Revoke",
            Self::Notify => "Only notify",
        }
    }

    /// Returns what happens, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Suspend => "Exposed keys in this tenant are suspended.",
            Self::Revoke => "Exposed keys in this tenant are revoked.",
            Self::Notify => "Exposed keys in this tenant keep working; the owner and the administrators are notified.",
        }
    }

    /// Returns how much the response allows; a larger number allows more.
    pub(crate) fn allowance(self) -> u32 {
        match self {
            Self::Revoke => 0,
            Self::Suspend => 1,
            Self::Notify => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_short_word_in_lower_case() {
        for (reported, stored) in [
            ("Commit", "commit"),
            (" Pull_request_description ", "pull_request_description"),
            ("", UNKNOWN_SOURCE),
            ("Your account was locked", UNKNOWN_SOURCE),
            ("<b>", UNKNOWN_SOURCE),
            ("lku_0123", UNKNOWN_SOURCE),
        ] {
            assert_eq!(stored_source(reported), stored, "{reported}");
        }
        assert_eq!(stored_source(&"a".repeat(MAX_SOURCE + 1)), UNKNOWN_SOURCE);
    }

    #[test]
    fn responses_have_codes_and_labels_of_their_own() {
        for response in ExposureResponse::ALL {
            assert_eq!(ExposureResponse::from_code(response.as_str()), Some(response));
            let is_same = |other: &&ExposureResponse| other.label() == response.label();
            assert_eq!(ExposureResponse::ALL.iter().filter(is_same).count(), 1);
        }
        assert_eq!(ExposureResponse::from_code("ignore"), None);
    }
}
