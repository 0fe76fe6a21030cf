//! How large a request's body may be, and how long it may take.

use std::{error::Error, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use http::{StatusCode, header};
use http_body_util::LengthLimitError;

use crate::{body::MAX_BYTES, headers, problem};

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads the body once, and hands on a request with the body in memory.
pub(crate) async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let declared =
        headers::text(&parts.headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BYTES) {
        return too_large();
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) => too_large(),
        Ok(Err(_)) => problem::answer(StatusCode::BAD_REQUEST, "The request's body broke off, or is damaged."),
        Err(_) => problem::answer(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in 30 seconds."),
    }
}

fn too_large() -> Response {
    problem::answer(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than 64 KiB.")
}
