//! What can go wrong between a page in the browser and the server.

use domain::ApiError;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::api::wire::Wire;

/// A refusal by a use case, or a request that never got that far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AppError {
    /// The server's answer.
    Api(ApiError),
    /// No answer, or one that can't be read.
    Transport(String),
}

impl AppError {
    /// As an error to show: nothing here is sent again by itself, so it says what to do.
    pub fn into_api(self) -> ApiError {
        match self {
            Self::Api(error) => error,
            Self::Transport(_) => ApiError::new(
                domain::ErrorCode::Unavailable,
                "The server can't be reached. Check the connection; reload the page to see whether it was done.",
            ),
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = Wire;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Transport(error.to_string())
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Transport(cause) => f.write_str(cause),
        }
    }
}
