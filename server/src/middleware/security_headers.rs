//! The security headers of every response (OWASP Secure Headers).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Site;

const STRICT_CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
const COMMON: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Sets the headers that a handler hasn't set. A page sets its own CSP, with its nonce; an asset sets its own
/// `Cache-Control`.
///
/// One function over a table instead of one `SetResponseHeaderLayer` for each header: every layer is cloned for every
/// request.
pub(crate) async fn set(State(site): State<Arc<Site>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let hsts = site.is_secure.then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"));
    for (name, value) in COMMON.into_iter().chain(hsts) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if site.is_secure {
        secure_cookies(headers);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(STRICT_CSP));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Adds `Secure` to the cookies without it.
fn secure_cookies(headers: &mut HeaderMap) {
    let header::Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE) else { return };
    for cookie in cookies.iter_mut() {
        let text = cookie.to_str().unwrap_or_default();
        let is_secure = text.split(';').skip(1).any(|flag| flag.trim().eq_ignore_ascii_case("secure"));
        if let (false, Ok(secured)) = (is_secure, HeaderValue::from_str(&format!("{text}; Secure"))) {
            *cookie = secured;
        }
    }
}
