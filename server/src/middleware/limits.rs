//! How much and how long: a body's size and time.

use std::{error::Error, time::Duration};

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{StatusCode, header};
use http_body_util::LengthLimitError;

use crate::problem;

/// The largest body, in bytes.
pub(crate) const MOST_BYTES: usize = 64 * 1_024;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Reads the body whole, in time and within its size, before the handler sees the request.
pub(crate) async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MOST_BYTES) {
        return too_large();
    }
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) => too_large(),
        Ok(Err(_)) => problem::answer(StatusCode::BAD_REQUEST, "The request's body broke off, or is damaged."),
        Err(_) => problem::answer(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in 30 seconds."),
    }
}

fn too_large() -> Response {
    problem::answer(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than 64 KiB.")
}
