//! Failures, as far as a caller may know about them.

use serde::{Deserialize, Serialize};

/// The kind of a failure. Serialised in upper case, as in GraphQL's `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The request has no session and no valid key.
    Unauthenticated,
    /// The caller is authenticated, but isn't allowed to do this.
    Forbidden,
    /// The resource doesn't exist or belongs to another tenant. The response is the same in both cases.
    NotFound,
    /// The user's sign-in is too old for this operation. It is allowed once they have confirmed their identity.
    ConfirmationRequired,
    /// A value is invalid; `fields` says which.
    BadUserInput,
    /// The current state rules it out: already revoked, name taken, last administrator.
    Conflict,
    /// Too many requests; wait for `retry_after` seconds.
    RateLimited,
    /// The server is too busy; the same request may succeed later.
    Unavailable,
    /// The server failed. Look up `reference` in the log to find the cause.
    Internal,
}

impl ErrorCode {
    /// Returns the HTTP status of the code (RFC 9110 §15).
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

    /// Returns the code as serialised.
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

/// An invalid field and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name in the form and in the GraphQL input (`name`, `expires_at`, …).
    pub field: String,
    /// A sentence to show next to the field.
    pub message: String,
}

/// A failure as the caller sees it. Contains neither the cause nor secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// A sentence that says what to do.
    pub message: String,
    /// The invalid fields; empty unless the code is `BadUserInput` or `Conflict`.
    pub fields: Vec<FieldError>,
    /// Seconds to wait before retrying, for `RateLimited` and `Unavailable`.
    pub retry_after: Option<u32>,
    /// A reference to the logged cause, for `Internal` and `Unavailable`. Callers quote it when they ask for help.
    pub reference: Option<String>,
}

impl ApiError {
    /// Creates a failure with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: Vec::new(), retry_after: None, reference: None }
    }

    /// Creates a `BadUserInput` failure for one field.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// Creates a `BadUserInput` failure for several fields. Its message is that of the first field.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = fields.first().map_or_else(|| "Check your input.".to_owned(), |first| first.message.clone());
        Self { fields, ..Self::new(ErrorCode::BadUserInput, message) }
    }

    /// Creates a `NotFound` failure. The message is the same for missing rows and for rows of other tenants.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "Not found: it may have been deleted or belong to another tenant.")
    }

    /// Creates a `Forbidden` failure.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// Creates an `Unauthenticated` failure. The message is exactly Prefect Cloud's: its clients check only the code,
    /// but print the message, which users and scripts recognise.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "AuthenticationError: Forbidden")
    }

    /// Creates a `RateLimited` failure for a key that was used more often than its limit allows. `retry_after`: seconds.
    pub fn key_rate_limited(retry_after: u32) -> Self {
        let plural = if retry_after == 1 { "" } else { "s" };
        let message = format!("This API key has reached its rate limit. Try again in {retry_after} second{plural}.");
        Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::RateLimited, message) }
    }

    /// Returns the message for a field, if there is one.
    pub fn at(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}
