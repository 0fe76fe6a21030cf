//! Validation of input. Collects all wrong fields, so that the user sees every error at once.

use domain::{ApiError, FieldError, Name};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

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

    /// Returns one error for all recorded fields.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::fields(self.0)
    }
}

/// Parses a name and normalizes it to Unicode's composed form (NFC), so that names that look the same compare equal.
/// Refuses a text that contains a token, because everyone who sees the name would see the token.
pub(crate) fn name(text: &str) -> Result<Name, domain::name::NameError> {
    if domain::secret::contains_token(text) {
        return Err(domain::name::NameError::Token);
    }
    Name::parse(&text.nfc().collect::<String>())
}

/// The longest search text, in characters. No name is longer.
const LONGEST_SEARCH: usize = 100;

/// Cleans a search text: trims it, removes control characters, and cuts it to [`LONGEST_SEARCH`].
pub(crate) fn search(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST_SEARCH).collect()
}

/// Parses a form's idempotency key. `None` if the field is empty.
pub(crate) fn idempotency_key(text: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let refused = || ApiError::field("idempotency_key", "This form has expired. Reload and try again.");
    text.map(|text| Uuid::try_parse(text).map_err(|_| refused())).transpose()
}
