//! Reading what was typed: collects every wrong field, so that a person hears of all at once.

use domain::{ApiError, FieldError, Name};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// The wrong fields so far.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// Gives a good value, collects a bad one.
    pub(crate) fn take<T, E: std::fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(FieldError { field: field.to_owned(), message: error.to_string() });
                None
            }
        }
    }

    /// The refusal of all the wrong fields.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::fields(self.0)
    }
}

/// A name as typed, in Unicode's composed form (NFC), so that equal looks compare equal. A token is no name: it would be shown to
/// everybody who sees the name.
pub(crate) fn name(text: &str) -> Result<Name, domain::name::NameError> {
    if domain::secret::holds_token(text) {
        return Err(domain::name::NameError::Token);
    }
    Name::parse(&text.nfc().collect::<String>())
}

/// The longest text that is searched for, in characters: no name is longer.
const LONGEST_SEARCH: usize = 100;

/// What is searched for: without what no name can hold, and no longer than one.
pub(crate) fn search(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST_SEARCH).collect()
}

/// A form's idempotency key; none when the field is empty.
pub(crate) fn idempotency_key(text: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let refused = || ApiError::field("idempotency_key", "This form is damaged. Reload the page and try again.");
    text.map(|text| Uuid::try_parse(text).map_err(|_| refused())).transpose()
}
