//! Limits the size of request bodies and the time to receive them.

use std::{error::Error, pin::pin, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::LengthLimitError;
use service::Services;

use crate::{body::MAX_BYTES, headers, problem};

/// The maximum time to receive a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum size of a body that a client of flow runs sends with a valid key, in bytes: a flow, or a part of a log.
pub(crate) const MAX_FLOW_BYTES: usize = 5 * 1_024 * 1_024;

/// A request whose body has been read.
pub(crate) type ReadRequest = http::Request<Bytes>;

/// Reads the body once, and passes on the request with the body in memory. Refuses a form that isn't UTF-8, which would
/// be read with replacement characters.
///
/// The body of a safe method has no meaning (RFC 9110 §9.3.1), and may never come: a proxy that asks whether a request is
/// allowed sends its `Content-Length` without its body.
///
/// While the built-in backend for flow runs is on, GraphQL's handler reads its bodies itself, once the key is known.
pub(crate) async fn read_body(State(services): State<Services>, request: Request, next: Next) -> Response {
    if services.flows().is_on() && request.method() == Method::POST && matches!(request.uri().path(), "/" | "/graphql")
    {
        return next.run(request).await;
    }
    match read_whole(request).await {
        Ok(request) => next.run(request.map(Body::from)).await,
        Err(refusal) => *refusal,
    }
}

/// As [`read_body`]. Returns the request with its body.
///
/// # Errors
/// The response to a body that can't be read.
pub(crate) async fn read_whole(request: Request) -> Result<ReadRequest, Box<Response>> {
    let (parts, body) = request.into_parts();
    if parts.method.is_safe() {
        drop(body);
        return Ok(http::Request::from_parts(parts, Bytes::new()));
    }
    let bytes = collect(&parts.headers, body, MAX_BYTES).await?;
    if headers::is_form(&parts.headers) && !headers::is_utf8(&bytes) {
        return Err(Box::new(problem::answer(StatusCode::BAD_REQUEST, "The form data isn't valid UTF-8.")));
    }
    Ok(http::Request::from_parts(parts, bytes))
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// The response to a body that is too large, incomplete or too slow.
pub(crate) async fn collect(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Box<Response>> {
    let refuse = |status, detail: &str| Err(Box::new(problem::answer(status, detail)));
    let too_large = || {
        let detail = format!("The request body is larger than {} KiB.", most / 1_024);
        refuse(StatusCode::PAYLOAD_TOO_LARGE, &detail)
    };
    let declared = headers::text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > most) {
        return too_large();
    }
    let mut whole = pin!(to_bytes(body, most));
    // Most bodies arrive with their head. They need no timer.
    let received = match whole.as_mut().now_or_never() {
        Some(received) => Ok(received),
        None => tokio::time::timeout(BODY_TIMEOUT, whole).await,
    };
    match received {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) => too_large(),
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "The request body is incomplete or malformed."),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "The request body wasn't received within 30 seconds."),
    }
}
