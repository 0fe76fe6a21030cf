//! Text that must not leave by accident.

use std::borrow::Cow;

/// How a token begins: a person's, a service account's.
const PREFIXES: [&str; 2] = ["lku_", "lks_"];
/// How many letters and digits follow.
const TOKEN_BODY: usize = 38;

/// The text without the bodies of the API keys' tokens in it: what is put into the wrong place is neither kept nor logged.
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

/// Whether the text contains an API key's token.
pub fn holds_token(text: &str) -> bool {
    first_token(text).is_some()
}

fn first_token(text: &str) -> Option<usize> {
    let is_token = |at: &usize| {
        let body = text.as_bytes().get(at + 4..at + 4 + TOKEN_BODY);
        body.is_some_and(|body| body.iter().all(u8::is_ascii_alphanumeric))
    };
    PREFIXES.iter().filter_map(|prefix| text.match_indices(prefix).map(|(at, _)| at).find(is_token)).min()
}

/// A secret: prints nothing, cannot be serialised, is read only by asking for it by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Every caller of this is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// For the few answers that hold a secret on purpose: `#[serde(with = "exposed")]`. Every use of it is a place to review.
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
    fn tokens_are_cut_to_their_prefix_wherever_they_stand() {
        let token = format!("lku_{}", "aB3".repeat(12) + "xy");
        let other = format!("lks_{}", "7".repeat(38));
        assert_eq!(without_tokens(&format!("/api/{token}/x é {other}")), "/api/lku_…/x é lks_…");
        assert_eq!(without_tokens(&format!("{other}{token}")), "lks_…lku_…");
        for plain in ["", "lku_", "lku_short", "a name", &token[..41]] {
            assert_eq!(without_tokens(plain), plain);
        }
    }
}
