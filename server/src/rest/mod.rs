//! The REST API. Errors are problem details (RFC 9457).

pub(crate) mod audit_log;
pub(crate) mod calendar;
pub(crate) mod health;
pub(crate) mod verification;

use axum::response::Response;
use domain::ApiError;

use crate::problem;

/// Responds to any other path below `/api/`.
pub(crate) async fn not_found() -> Response {
    problem::of(&ApiError::not_found())
}
