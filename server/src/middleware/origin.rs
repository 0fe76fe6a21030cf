//! Checks that a request is for this site and, if a cookie could authenticate it, comes from one of the site's pages.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, header};

use crate::{config::Site, headers, problem};

/// Rejects requests for other hosts (DNS rebinding), and unsafe requests from other sites' pages with our cookie
/// (CSRF).
pub(crate) async fn check(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let host = headers::text(request.headers(), header::HOST)
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    if !site.is_host(host) {
        return problem::answer(StatusCode::MISDIRECTED_REQUEST, "This server isn't configured for that host.");
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_own(&site, request.headers(), host) {
        return next.run(request).await;
    }
    problem::answer(StatusCode::FORBIDDEN, "The request came from another site.")
}

/// Checks `Sec-Fetch-Site` if the browser sends it (Fetch Metadata, W3C), else `Origin`. Without either, a request is
/// rejected only if it has a cookie.
fn is_own(site: &Site, headers: &HeaderMap, host: &str) -> bool {
    if let Some(site) = headers::text(headers, "sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match headers::text(headers, header::ORIGIN) {
        Some(origin) => site.is_origin(origin, host),
        None => !headers.contains_key(header::COOKIE),
    }
}
