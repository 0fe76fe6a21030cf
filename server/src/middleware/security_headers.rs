//! Sets the security headers of every response (OWASP Secure Headers), and the request id.

use std::{borrow::Cow, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use domain::secret::without_tokens;
use http::{HeaderName, HeaderValue, header};
use tracing::Instrument;

use crate::config::Site;

const STRICT_CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
const COMMON: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Prefixes of paths that continue with a secret. Only the prefix is logged.
const SECRET_PATHS: [&str; 3] = ["/calendar/", "/invitations/", "/set-up/"];

/// Returns a path as it may be logged.
fn without_secret(path: &str) -> Cow<'_, str> {
    let known = SECRET_PATHS.into_iter().find(|prefix| path.starts_with(prefix));
    known.map_or_else(|| without_tokens(path), Cow::Borrowed)
}

/// Gives the request an id, and sets the response's security headers. A page sets its own CSP, with its nonce.
pub(crate) async fn set(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let id = service::new_request_id();
    let span =
        tracing::info_span!("request", id, method = %request.method(), path = &*without_secret(request.uri().path()));
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    for (name, value) in COMMON {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(STRICT_CSP));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if site.is_secure {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
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
