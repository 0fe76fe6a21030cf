//! HTTP errors as problem details (RFC 9457).

use axum::response::{IntoResponse, Response};
use domain::{ApiError, FieldError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The value of `WWW-Authenticate`, which RFC 9110 §15.5.2 requires with status 401.
pub(crate) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"Latchkey\"");

/// Marks a response that refuses something. Contains what builds the response for another error, in the same format.
/// Only needed where the status doesn't say that it is a refusal, or where the format isn't that of [`of`].
#[derive(Clone, Copy)]
pub(crate) struct Refusal(pub(crate) fn(&ApiError) -> Response);

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

/// Builds the response to a request that is rejected before any use case.
pub(crate) fn answer(status: StatusCode, detail: &str) -> Response {
    write(status, &Problem { detail, ..problem(status) })
}

/// Builds the response for a use case's error.
pub(crate) fn of(error: &ApiError) -> Response {
    let status = status_of(error);
    let problem = Problem {
        detail: &error.message,
        code: Some(error.code.as_str()),
        fields: &error.fields,
        reference: error.reference.as_deref(),
        ..problem(status)
    };
    let mut response = write(status, &problem);
    set_retry_after(&mut response, error.retry_after);
    response
}

/// Builds the response for the browser's script: the error itself, as JSON.
pub(crate) fn json(error: &ApiError) -> Response {
    let body = serde_json::to_string(error).unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status_of(error), headers, body).into_response();
    set_retry_after(&mut response, error.retry_after);
    response.extensions_mut().insert(Refusal(json));
    response
}

/// Responds to a method that a path doesn't have. The router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Response {
    answer(
        StatusCode::METHOD_NOT_ALLOWED,
        "This path doesn't have this method. The header Allow lists those that it has.",
    )
}

/// Builds the response of a handler that panicked. The panic is logged with a reference, which the client gets too.
pub(crate) fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    of(&of_panic(&*cause))
}

/// Logs a panic. Returns the error for the caller, with the reference.
pub(crate) fn of_panic(cause: &(dyn std::any::Any + Send)) -> ApiError {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    service::Error::Fault(format!("a handler panicked: {}", text.unwrap_or("no message"))).into()
}

/// Returns the HTTP status of an error.
pub(crate) fn status_of(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Sets `Retry-After`, in seconds, if the client should wait.
pub(crate) fn set_retry_after(response: &mut Response, seconds: Option<u32>) {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn problem(status: StatusCode) -> Problem<'static> {
    let title = status.canonical_reason().unwrap_or("Error");
    Problem {
        r#type: "about:blank",
        title,
        status: status.as_u16(),
        detail: "",
        code: None,
        fields: &[],
        reference: None,
    }
}

fn write(status: StatusCode, problem: &Problem<'_>) -> Response {
    let body = serde_json::to_string(problem).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §15.5.2 requires a challenge.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}
