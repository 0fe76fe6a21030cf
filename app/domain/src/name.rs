//! The name of a key, an account, a tenant or a person.

use serde::{Deserialize, Serialize};

/// The longest name, in characters (Unicode scalar values).
pub const MAX_CHARS: usize = 100;

/// 1–100 characters after trimming, any script; no control and no bidi-override characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left after trimming.
    #[error("Enter a name.")]
    Empty,
    /// More than [`MAX_CHARS`].
    #[error("Use at most 100 characters.")]
    TooLong,
    /// A control character, or one that reorders the text around it (Unicode TR36, "bidirectional text spoofing").
    #[error("Use visible characters only: no line breaks, control or text-direction characters.")]
    Forbidden,
    /// It holds an API key's token. [`Name::parse`] lets it pass: names of earlier versions are read with it.
    #[error("This holds an API key's token, which is a secret. Choose a name for it.")]
    Token,
}

impl Name {
    /// Trims and checks.
    ///
    /// # Errors
    /// When the text is empty, longer than 100 characters or holds a forbidden character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().any(is_forbidden) {
            return Err(NameError::Forbidden);
        }
        if text.chars().count() > MAX_CHARS {
            return Err(NameError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it is shown and stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{200B}')
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_any_script_is_welcome() {
        assert_eq!(Name::parse("  ключ 🔑 मेरी  ").unwrap().as_str(), "ключ 🔑 मेरी");
    }

    #[test]
    fn a_hundred_characters_fit_and_one_more_does_not() {
        assert!(Name::parse(&"é".repeat(100)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(101)), Err(NameError::TooLong));
    }

    #[test]
    fn empty_control_and_bidi_override_are_refused() {
        assert_eq!(Name::parse(" \t "), Err(NameError::Empty));
        for bad in ["a\nb", "a\0b", "a\u{202E}b", "a\u{2066}b", "a\u{200F}b"] {
            assert_eq!(Name::parse(bad), Err(NameError::Forbidden), "{bad:?}");
        }
    }
}
