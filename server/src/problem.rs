//! Errors over HTTP: problem details (RFC 9457).

use axum::response::{IntoResponse, Response};
use domain::{ApiError, FieldError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

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

/// A refusal of the protocol, before any use case.
pub(crate) fn answer(status: StatusCode, detail: &str) -> Response {
    write(status, &Problem { detail, ..problem(status) })
}

/// A use case's refusal.
pub(crate) fn of(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem {
        detail: &error.message,
        code: Some(error.code.as_str()),
        fields: &error.fields,
        reference: error.reference.as_deref(),
        ..problem(status)
    };
    let mut response = write(status, &problem);
    retry_after(&mut response, error);
    response
}

/// A handler that panicked: one line in the log under a reference, the reference outward.
pub(crate) fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    of(&service::Error::Fault(format!("a handler panicked: {}", text.unwrap_or("no text"))).into())
}

/// Says how long to wait, where there is something to wait for.
pub(crate) fn retry_after(response: &mut Response, error: &ApiError) {
    if let Some(seconds) = error.retry_after {
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
        // RFC 9110 §15.5.2 demands a challenge.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Latchkey\""));
    }
    response
}
