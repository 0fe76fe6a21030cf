//! Validation of input. Collects all wrong fields, so that the user sees every error at once.

use domain::{ApiError, Email, FieldError, Name, name::NameError, user::EmailError};
use uuid::Uuid;

use crate::text;

/// The wrong fields found so far.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// Returns a valid value, or records the error under the field's name.
    pub(crate) fn take<T, E: std::fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(FieldError { field: field.to_owned(), message: error.to_string() });
                None
            }
        }
    }

    /// Returns a valid value, or records the errors of its fields.
    pub(crate) fn take_all<T>(&mut self, parsed: Result<T, ApiError>) -> Option<T> {
        parsed.map_err(|error| self.0.extend(error.fields)).ok()
    }

    /// Returns one error for all recorded fields.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::fields(self.0)
    }
}

/// Parses a new name and composes its characters, so that names that look the same compare equal. Refuses a text that
/// contains a token, because everyone who sees the name would see the token, and one that misleads: see [`text`].
pub(crate) fn name(typed: &str) -> Result<Name, NameError> {
    if domain::secret::contains_token(typed) {
        return Err(NameError::Token);
    }
    let name = Name::parse(text::trim(&text::compose(typed)))?;
    if !text::is_visible(name.as_str()) {
        return Err(NameError::Blank);
    }
    if let Some(invisible) = text::find_invisible(name.as_str()) {
        return Err(NameError::Invisible(invisible));
    }
    if text::is_reserved(name.as_str()) { Err(NameError::Reserved) } else { Ok(name) }
}

/// Whether a person typed a name, in whatever composition and with whatever spaces.
pub(crate) fn is_name(typed: &str, name: &Name) -> bool {
    let plain = |text: &str| text::compose(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let visible = |text: &str| plain(text).chars().filter(|c| !domain::name::is_ignorable(*c)).collect::<String>();
    visible(typed) == visible(name.as_str())
}

/// Parses a new email address in any composition and width. Its host is stored as mail servers know it, in ASCII.
/// Refuses what mail can't be sent to.
pub(crate) fn email(typed: &str) -> Result<Email, EmailError> {
    let email = Email::parse(&text::simplify(typed))?;
    let Some((local, host)) = email.as_str().split_once('@') else { return Err(EmailError::Format) };
    let host = idna::domain_to_ascii(host).map_err(|_| EmailError::Format)?;
    let email = Email::parse(&format!("{local}@{host}"))?;
    crate::mail::mailbox_of(&email).map(|_| email).ok_or(EmailError::Format)
}

/// The longest search text, in characters. No name is longer.
const LONGEST_SEARCH: usize = 100;

/// A search text that finds nothing: no text that is searched contains a control character.
const FINDS_NOTHING: &str = "\u{1}";

/// Cleans a search text: trims and composes it, removes control characters, and cuts it to [`LONGEST_SEARCH`]. Of a text
/// that has nothing else, nothing is found, instead of everything.
pub(crate) fn search(typed: &str) -> String {
    let typed = typed.trim();
    let cleaned: String = text::compose(typed).chars().filter(|c| !c.is_control()).take(LONGEST_SEARCH).collect();
    let cleaned = cleaned.trim();
    if cleaned.is_empty() && !typed.is_empty() { FINDS_NOTHING.to_owned() } else { cleaned.to_owned() }
}

/// Parses a form's idempotency key. `None` if the field is empty.
pub(crate) fn idempotency_key(text: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let refused = || ApiError::field("idempotency_key", "This form has expired. Reload and try again.");
    text.map(|text| Uuid::try_parse(text).map_err(|_| refused())).transpose()
}
