//! Whose page sent this? The `Host` must be ours, and a change by cookie must come from our own pages.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, header};

use crate::{problem, router::Doors};

/// Refuses foreign hosts (DNS rebinding), and unsafe methods that another site's page sent with our cookie.
pub(crate) async fn check(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let host = text(request.headers(), header::HOST)
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    if !doors.site.is_host(host) {
        return problem::answer(StatusCode::MISDIRECTED_REQUEST, "This server does not answer for that host.");
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_own(&doors, request.headers(), host) {
        return next.run(request).await;
    }
    problem::answer(StatusCode::FORBIDDEN, "The request came from another site's page.")
}

/// `Sec-Fetch-Site` decides where a browser sends it (Fetch Metadata, W3C); else `Origin` does. A request without any
/// cookie carries nobody's rights, unless it names a foreign origin: then it is refused as well.
fn is_own(doors: &Doors, headers: &HeaderMap, host: &str) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site".parse().unwrap_or(header::ORIGIN)) {
        return matches!(site, "same-origin" | "none");
    }
    match text(headers, header::ORIGIN) {
        Some(origin) => doors.site.is_origin(origin, host),
        None => !headers.contains_key(header::COOKIE),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
