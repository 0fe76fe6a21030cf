//! What a caller may know of a failure.

use serde::{Deserialize, Serialize};

/// The kinds of failure. On the wire in capitals, as GraphQL's `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// No session, or no good key.
    Unauthenticated,
    /// Known, and not allowed.
    Forbidden,
    /// Not there, or not in this tenant: the two answer alike.
    NotFound,
    /// Allowed, once the person has confirmed that it is them: their sign-in is too old for this.
    ConfirmationRequired,
    /// A value is wrong; `fields` says which.
    BadUserInput,
    /// The state has moved on: revoked already, name taken, last administrator.
    Conflict,
    /// Too often; wait for `retry_after` seconds.
    RateLimited,
    /// Too busy now; the same request may work later.
    Unavailable,
    /// Our fault. `reference` finds the cause in the log.
    Internal,
}

impl ErrorCode {
    /// The HTTP status of the code (RFC 9110 §15).
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::ConfirmationRequired => 403,
            Self::NotFound => 404,
            Self::BadUserInput => 422,
            Self::Conflict => 409,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::ConfirmationRequired => "CONFIRMATION_REQUIRED",
            Self::NotFound => "NOT_FOUND",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One wrong field and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name as in the form and the GraphQL input (`name`, `expires_at`, …).
    pub field: String,
    /// A sentence for the person at the field.
    pub message: String,
}

/// A failure as a caller sees it. Holds no cause and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The kind.
    pub code: ErrorCode,
    /// A sentence that says what to do.
    pub message: String,
    /// The fields that are wrong; empty unless `BadUserInput` or `Conflict`.
    pub fields: Vec<FieldError>,
    /// Seconds to wait, with `RateLimited` and `Unavailable`.
    pub retry_after: Option<u32>,
    /// What to quote, with `Internal` and `Unavailable`, where a cause stands in the log.
    pub reference: Option<String>,
}

impl ApiError {
    /// A failure with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: Vec::new(), retry_after: None, reference: None }
    }

    /// One wrong field.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// Several wrong fields; the message is the first one's.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = fields.first().map_or_else(|| "Check the values.".to_owned(), |first| first.message.clone());
        Self { fields, ..Self::new(ErrorCode::BadUserInput, message) }
    }

    /// "Not found": one wording for absent and foreign rows.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "There is nothing here by that id. It may be gone, or belong to another tenant.")
    }

    /// "Not allowed".
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// "Who are you?" The message is Prefect Cloud's, word for word: its clients go by the code, and print the message to people
    /// and scripts that know it.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "AuthenticationError: Forbidden")
    }

    /// The message at a field, if there is one.
    pub fn at(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}
