//! The outcome of a command.

use domain::ApiError;

/// Success, or what to print before the process exits with 1 or 2.
pub(super) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Success of a command that uses the services, or why it failed.
pub(super) type Answer<T = ()> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A use case refused, or failed.
    #[error("{}", text_of(.0))]
    Refused(#[from] ApiError),
    /// The result couldn't be written to standard output.
    #[error("The result can't be written to standard output: {0}")]
    Output(std::io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Returns the message of an error. If several values are invalid, it names each of them.
fn text_of(error: &ApiError) -> String {
    if error.fields.len() < 2 {
        return error.to_string();
    }
    let fields = error.fields.iter().map(|field| format!("{}: {}", field.field, field.message));
    fields.collect::<Vec<_>>().join("\n")
}
