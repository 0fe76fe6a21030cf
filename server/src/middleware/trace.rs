//! The id of a request, and its span in the log.

use std::borrow::Cow;

use axum::{middleware::Next, response::Response};
use domain::KeyId;
use http::{HeaderName, HeaderValue, Request};
use tracing::Span;

use crate::{headers, traces::TraceId};

/// The header with the request's id, in the request and in the response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names in paths that are followed by a secret. Nothing after them is logged.
const BEFORE_SECRETS: [&str; 3] = ["calendar", "invitations", "set-up"];

/// Returns a path as it may be logged: decoded, up to the secret of a link, and without tokens.
fn without_secret(path: &str) -> Cow<'_, str> {
    let decoded = headers::decoded(path);
    let mut end = 0;
    for segment in decoded.split('/') {
        end += segment.len();
        if BEFORE_SECRETS.iter().any(|name| segment.eq_ignore_ascii_case(name)) && end < decoded.len() {
            return format!("{}/", &decoded[..end]).into();
        }
        end += 1;
    }
    headers::redacted(path)
}

/// The span of a request, in its extensions: the layers between it and a handler have spans of their own.
#[derive(Clone, Debug)]
pub(crate) struct RequestSpan(Span);

impl RequestSpan {
    /// Adds the id of the key that authenticated the request.
    pub(crate) fn record_key(&self, key: KeyId) {
        self.0.record("api_key.id", tracing::field::display(key));
    }
}

/// Keeps the span for the handlers.
pub(crate) async fn keep_span(mut request: axum::extract::Request, next: Next) -> Response {
    request.extensions_mut().insert(RequestSpan(Span::current()));
    next.run(request).await
}

/// Returns a new id. A client's own isn't used: it could imitate another request's entries in the log.
pub(crate) fn new_id<B>(_: &Request<B>) -> Option<HeaderValue> {
    HeaderValue::from_str(&service::new_request_id()).ok()
}

/// Returns the span of a request. Authentication and verification add the key's id. The span never contains the query or
/// the secret of a link.
pub(crate) fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let path = &*without_secret(request.uri().path());
    let trace_id = request.extensions().get::<TraceId>().map(tracing::field::display);
    tracing::info_span!("request", id, method = %request.method(), path, api_key.id = tracing::field::Empty, trace_id)
}

/// The module in the log of the line that each request leaves at the level `debug`, so that it can be turned on alone.
const ACCESS: &str = "access";

/// Logs a response. The request's span adds method, path and ids.
pub(crate) fn log_response<B>(response: &http::Response<B>, latency: std::time::Duration, _: &Span) {
    let status = response.status().as_u16();
    let milliseconds = rounded(latency);
    tracing::debug!(target: ACCESS, status, milliseconds, "response");
}

/// The line in the log about a request that has no span, if it is wanted.
pub(crate) struct AccessLine {
    id: String,
    trace_id: Option<TraceId>,
    method: http::Method,
    path: String,
}

/// Begins the line about a request.
pub(crate) fn access_line<B>(request: &Request<B>) -> Option<AccessLine> {
    tracing::enabled!(target: ACCESS, tracing::Level::DEBUG).then(|| AccessLine {
        id: service::new_request_id(),
        method: request.method().clone(),
        path: without_secret(request.uri().path()).into_owned(),
        trace_id: request.extensions().get::<TraceId>().copied(),
    })
}

impl AccessLine {
    /// Writes the line, and tells the client the request's id.
    pub(crate) fn write(&self, response: &mut Response, begun: std::time::Instant) {
        let (status, milliseconds) = (response.status().as_u16(), rounded(begun.elapsed()));
        let (id, method, path) = (&self.id, &self.method, &self.path);
        let trace_id = self.trace_id.map(tracing::field::display);
        tracing::debug!(target: ACCESS, id, %method, path, status, milliseconds, trace_id, "response");
        if let Ok(id) = HeaderValue::from_str(id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
    }
}

fn rounded(latency: std::time::Duration) -> f64 {
    (latency.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::without_secret;

    #[test]
    fn the_secret_of_a_link_is_not_logged() {
        assert_eq!(without_secret("/%69nvitations/abc"), "/invitations/");
        assert_eq!(without_secret("//Set-Up//abc"), "//Set-Up/");
        assert_eq!(without_secret("/x/calendar%2fabc.ics"), "/x/calendar/");
        assert_eq!(without_secret("/team/members/invitations"), "/team/members/invitations");
        let encoded = "lku_".bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat() + &"a".repeat(38);
        assert_eq!(without_secret(&format!("/api/v1/{encoded}")), "/api/v1/lku_…");
        assert_eq!(without_secret("/calendar/abc.ics"), "/calendar/");
        assert_eq!(without_secret("/invitations/abc"), "/invitations/");
        assert_eq!(without_secret("/set-up/abc"), "/set-up/");
        assert_eq!(without_secret("/user/api-keys"), "/user/api-keys");
        assert_eq!(without_secret(&format!("/api/v1/lku_{}", "a".repeat(38))), "/api/v1/lku_…");
    }
}
