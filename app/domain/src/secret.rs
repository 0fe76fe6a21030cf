//! Secrets, and text that may contain them by accident.

use std::borrow::Cow;

/// The prefixes of user tokens and service account tokens.
pub const TOKEN_PREFIXES: [&str; 2] = ["lku_", "lks_"];
/// The number of letters and digits after the prefix.
pub const TOKEN_BODY: usize = 38;

/// Shortens every API key token in the text to its prefix. A token sent in the wrong place is then neither stored nor
/// logged.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = first_token(rest) {
        let (before, token) = rest.split_at(at);
        kept.push_str(before);
        kept.push_str(&token[..4]);
        kept.push('…');
        rest = &token[4 + TOKEN_BODY..];
    }
    if kept.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(kept + rest) }
}

/// Returns whether the text contains an API key token.
pub fn contains_token(text: &str) -> bool {
    first_token(text).is_some()
}

fn first_token(text: &str) -> Option<usize> {
    let is_token = |at: &usize| {
        let body = text.as_bytes().get(at + 4..at + 4 + TOKEN_BODY);
        body.is_some_and(|body| body.iter().all(u8::is_ascii_alphanumeric))
    };
    TOKEN_PREFIXES.iter().filter_map(|prefix| text.match_indices(prefix).map(|(at, _)| at).find(is_token)).min()
}

/// A secret string. Its `Debug` output hides the value, it can't be serialised, and only [`Secret::expose`] reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret. Review every call of this function.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Serialises the secret of the few responses that contain one on purpose: `#[serde(with = "exposed")]`. Review every
/// use.
pub(crate) mod exposed {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_to_their_prefix_anywhere_in_a_text() {
        let token = format!("lku_{}", "aB3".repeat(12) + "xy");
        let other = format!("lks_{}", "7".repeat(38));
        assert_eq!(without_tokens(&format!("/api/{token}/x é {other}")), "/api/lku_…/x é lks_…");
        assert_eq!(without_tokens(&format!("{other}{token}")), "lks_…lku_…");
        for plain in ["", "lku_", "lku_short", "a name", &token[..41]] {
            assert_eq!(without_tokens(plain), plain);
        }
    }
}
