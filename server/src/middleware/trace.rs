//! The id of a request, and its span in the log.

use std::borrow::Cow;

use axum::{middleware::Next, response::Response};
use domain::{KeyId, secret::without_tokens};
use http::{HeaderName, HeaderValue, Request};
use tracing::Span;

/// The header with the request's id, in the request and in the response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Prefixes of paths that continue with a secret. Only the prefix is logged.
const SECRET_PATHS: [&str; 3] = ["/calendar/", "/invitations/", "/set-up/"];

/// Returns a path as it may be logged.
fn without_secret(path: &str) -> Cow<'_, str> {
    let known = SECRET_PATHS.into_iter().find(|prefix| path.starts_with(prefix));
    known.map_or_else(|| without_tokens(path), Cow::Borrowed)
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
    tracing::info_span!("request", id, method = %request.method(), path, api_key.id = tracing::field::Empty)
}

#[cfg(test)]
mod tests {
    use super::without_secret;

    #[test]
    fn the_secret_of_a_link_is_not_logged() {
        assert_eq!(without_secret("/calendar/abc.ics"), "/calendar/");
        assert_eq!(without_secret("/invitations/abc"), "/invitations/");
        assert_eq!(without_secret("/set-up/abc"), "/set-up/");
        assert_eq!(without_secret("/user/api-keys"), "/user/api-keys");
        assert_eq!(without_secret(&format!("/api/v1/lku_{}", "a".repeat(38))), "/api/v1/lku_…");
    }
}
