//! The REST API. Errors are problem details (RFC 9457).

pub(crate) mod audit_entry;
pub(crate) mod audit_log;
pub(crate) mod calendar;
pub(crate) mod health;
pub(crate) mod leaks;
mod spreadsheet;

use axum::{extract::Request, middleware::Next, response::Response};
use domain::{ApiError, ErrorCode};
use http::{HeaderValue, header};
use service::Actor;

use crate::{headers, middleware::authenticate::Caller, problem};

/// Responds to any other path below `/api/`.
pub(crate) async fn not_found() -> Response {
    problem::of(&ApiError::not_found())
}

/// Middleware: no API has a path that isn't UTF-8. axum would respond with a text of its own.
pub(crate) async fn require_utf8_path(request: Request, next: Next) -> Response {
    if !headers::is_utf8_path(request.uri()) {
        return not_found().await;
    }
    next.run(request).await
}

/// Returns the actor, or the response to a request that isn't authenticated: a challenge (RFC 6750 §3), with an error
/// code only if the request contained a key.
pub(crate) fn require_actor(caller: &Caller) -> Result<&Actor, Box<Response>> {
    match caller {
        Caller::Known(actor) => Ok(actor),
        Caller::Nobody => Err(Box::new(missing_key())),
        Caller::Refused(error) if error.code == ErrorCode::Unauthenticated => Err(Box::new(invalid_key())),
        Caller::Refused(error) => Err(Box::new(problem::of(error))),
    }
}

/// Returns the response to a request without a key.
pub(crate) fn missing_key() -> Response {
    challenge(
        "This request needs an API key. Send it in the header \"Authorization: Bearer KEY\".",
        "Bearer realm=\"Latchkey\"",
    )
}

/// Returns the response to a request with a key that isn't valid, whatever the reason.
pub(crate) fn invalid_key() -> Response {
    challenge(
        "This API key isn't valid here. It may be mistyped, expired, suspended or revoked, or belong to another tenant.",
        "Bearer realm=\"Latchkey\", error=\"invalid_token\"",
    )
}

fn challenge(detail: &str, challenge: &'static str) -> Response {
    let mut response = problem::of(&ApiError::new(ErrorCode::Unauthenticated, detail));
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
