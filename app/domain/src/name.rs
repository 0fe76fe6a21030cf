//! The name of a key, service account, tenant or user.

use serde::{Deserialize, Serialize};

use crate::secret::without_tokens;

/// The maximum length of a name, in characters (Unicode scalar values).
pub const MAX_CHARS: usize = 100;

/// A name of 1–100 characters after trimming, in any script, without control or bidi-override characters.
///
/// This is what every stored name complies with. New names comply with more rules, whose tables are too large for the
/// browser; the service checks them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why a text is not a valid name. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty after trimming.
    #[error("Enter a name.")]
    Empty,
    /// The text is longer than [`MAX_CHARS`].
    #[error("Use at most 100 characters.")]
    TooLong,
    /// The text contains a control character, or one that reorders the text around it (Unicode TR36, "bidirectional
    /// text spoofing").
    #[error("Use visible characters only: no line breaks, control characters or text-direction marks.")]
    Forbidden,
    /// The text contains a character that can't be seen where it is. The service checks this.
    #[error("Remove the invisible character U+{:04X}.", u32::from(*.0))]
    Invisible(char),
    /// All characters of the text are invisible or marks on other characters. The service checks this.
    #[error("Use at least one visible character.")]
    Blank,
    /// The text is, or looks like, a name by which the product refers to itself. The service checks this.
    #[error("This name could be mistaken for Latchkey itself. Choose another name.")]
    Reserved,
    /// The text contains an API key's token. The service checks this.
    #[error("This contains an API key, which is a secret. Choose another name.")]
    Token,
}

impl Name {
    /// Trims and validates a name.
    ///
    /// # Errors
    /// If the text is empty, longer than [`MAX_CHARS`] or contains a forbidden character.
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
        Ok(Self(text.into()))
    }

    /// Returns the name as shown and stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character is ignored when text is displayed (the Unicode property `Default_Ignorable_Code_Point`, of which
/// the ranges are fixed). Such characters only change how their neighbours look, if at all.
pub fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a character has no place in a line of text: control characters, line separators, and invisible characters
/// that change the direction of writing.
pub fn is_forbidden(c: char) -> bool {
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
        name.0.into()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest text of a file that a message repeats, in characters.
const MAX_SHOWN: usize = 100;

/// Returns a text from a file as a message may repeat it: without control characters and tokens, and cut.
pub fn shown(text: &str) -> String {
    without_tokens(text).chars().filter(|c| !is_forbidden(*c)).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_file_is_shown_without_tokens_and_control_characters() {
        let token = format!("lks_{}", "7".repeat(38));
        assert_eq!(shown(&format!("a\u{1b}[31m {token}\u{202e}")), "a[31m lks_…");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), MAX_SHOWN);
    }

    #[test]
    fn a_name_is_trimmed_and_can_be_in_any_script() {
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
