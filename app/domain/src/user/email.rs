//! Email addresses.

use serde::{Deserialize, Serialize};

use crate::name::is_ignorable;

/// The longest address and the longest part before the `@`, in bytes (RFC 5321 §4.5.3.1).
const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
/// The longest part of a host name between two dots, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL_BYTES: usize = 63;
/// How many wrappings are removed from an address, such as `<mailto:…>,`.
const MAX_WRAPPINGS: usize = 8;

/// An email address, used to sign in. Stored in lower case. Only its format is checked, because only delivery can prove
/// that it exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// Why a text is not an email address. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// The text doesn't have the format of an address that mail can be sent to.
    #[error("Enter an email address, for example name@example.org.")]
    Format,
    /// The text contains more than one address.
    #[error("Enter one email address only.")]
    Several,
    /// The address contains an invisible character.
    #[error("Remove the invisible character U+{:04X} from the email address.", u32::from(*.0))]
    Invisible(char),
}

impl Email {
    /// Reads an address that somebody typed: removes what surrounds it, see [`Email::bare`], lowercases it, and checks
    /// that mail can be sent to it: a dot-atom, `@`, and a host name (RFC 5321 §4.1.2), in ASCII or not.
    ///
    /// # Errors
    /// If the text isn't such an address.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = Self::bare(text);
        if let Some(invisible) = text.chars().find(|c| is_ignorable(*c)) {
            return Err(EmailError::Invisible(invisible));
        }
        if text.matches('@').count() > 1 && text.contains([',', ';', ' ', '<']) {
            return Err(EmailError::Several);
        }
        let is_clean = text.len() <= MAX_BYTES && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((local, host)) if is_clean && is_local(local) && is_host(host) => Ok(Self(lowercase(text))),
            _ => Err(EmailError::Format),
        }
    }

    /// Returns an address without what surrounds it when it is copied from elsewhere: white space, invisible
    /// characters, `mailto:`, a display name with angle brackets, and commas or semicolons after it.
    pub fn bare(text: &str) -> &str {
        let mut bare = text;
        for _ in 0..MAX_WRAPPINGS {
            let is_around = |c: char| c.is_whitespace() || c.is_control() || is_ignorable(c);
            let mut inner = bare.trim_matches(is_around).trim_end_matches([',', ';', '.']);
            if let Some((name, address)) = inner.strip_suffix('>').and_then(|inner| inner.rsplit_once('<'))
                // Otherwise there is another address, and it isn't clear which one is meant.
                && !name.contains('@')
            {
                inner = address;
            }
            if let Some((scheme, address)) = inner.split_once(':')
                && scheme.eq_ignore_ascii_case("mailto")
            {
                inner = address.split('?').next().unwrap_or_default();
            }
            if inner == bare {
                break;
            }
            bare = inner;
        }
        bare
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a dot-atom (RFC 5322 §3.2.3), with letters of any script (RFC 6531 §3.3).
fn is_local(text: &str) -> bool {
    let is_atext = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    text.len() <= MAX_LOCAL_BYTES && text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// Whether a text is a host name, with letters of any script. Its last part can't be a number, as in an IP address.
fn is_host(text: &str) -> bool {
    let is_letter = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-';
    let is_label = |label: &str| {
        let is_sized = !label.is_empty() && label.len() <= MAX_LABEL_BYTES;
        is_sized && label.chars().all(is_letter) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(is_label) && !last.bytes().all(|digit| digit.is_ascii_digit())
}

/// The browser only checks the format, so it doesn't need the table of all letters, which would be the largest part of
/// its WASM.
fn lowercase(text: &str) -> String {
    if cfg!(target_arch = "wasm32") { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, EmailError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lowercased_and_needs_a_mailbox_and_a_host() {
        for valid in [" Ada@Example.org ", "ada@localhost", "o'neil+keys@sub.example.org", "öl@müller.example"] {
            assert_eq!(Email::parse(valid).map(String::from), Ok(valid.trim().to_lowercase()), "{valid}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@x",
            "ada@",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a..b@c",
            ".a@b",
            "a.@b",
            "a@b..c",
            "a@-b.org",
            "a@b_c.org",
            "a@[192.0.2.1]",
            "a@192.0.2.1",
            "\"a b\"@c.org",
            "a,b@c.org",
            "a@b.org,c",
            "a\\b@c.org",
            "a(b)@c.org",
            &long,
        ] {
            assert_eq!(Email::parse(bad), Err(EmailError::Format), "{bad}");
        }
        assert_eq!(Email::parse("a@b.org, c@d.org"), Err(EmailError::Several));
        assert_eq!(Email::parse("A <a@b.org>, C <c@d.org>"), Err(EmailError::Several));
    }

    #[test]
    fn what_surrounds_an_address_is_removed() {
        for wrapped in [
            "<ada@example.org>",
            "Ada Lovelace <ada@example.org>",
            "\"Lovelace, Ada\" <Ada@example.org>,",
            "mailto:ada@example.org",
            "MAILTO:ada@example.org?subject=Keys",
            "<mailto:ada@example.org>;",
            "ada@example.org,",
            "ada@example.org.",
            "\u{FEFF}ada@example.org\u{200B}",
            "\u{202A}ada@example.org\u{202C} ",
        ] {
            assert_eq!(Email::parse(wrapped).as_ref().map(Email::as_str), Ok("ada@example.org"), "{wrapped:?}");
        }
    }

    #[test]
    fn invisible_characters_inside_are_refused() {
        for invisible in ['\u{200B}', '\u{202E}', '\u{FEFF}', '\u{2060}', '\u{AD}', '\u{3164}', '\u{200D}'] {
            let text = format!("a{invisible}da@example.org");
            assert_eq!(Email::parse(&text), Err(EmailError::Invisible(invisible)), "{text:?}");
        }
        assert_eq!(
            EmailError::Invisible('\u{200B}').to_string(),
            "Remove the invisible character U+200B from the email address."
        );
    }

    #[test]
    fn a_parsed_address_stays_the_same_when_it_is_read_again() {
        for typed in [" Ada@Example.org ", "<ada@example.org>,", "İdil@example.org", "öl@müller.example"] {
            let email = Email::parse(typed).unwrap();
            assert_eq!(Email::try_from(String::from(email.clone())), Ok(email));
        }
    }
}
