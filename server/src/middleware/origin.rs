//! Checks that a request is for this site and, if a cookie could authenticate it, comes from one of the site's pages.
//! Only for routes that read sessions: the others answer under any host, and to pages of any site.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;

use crate::{config::Site, headers, problem};

/// How often a request for another host is logged.
const WARN_EVERY: Duration = Duration::from_mins(1);
/// The maximum length of a foreign host in a message, in characters.
const MAX_HOST_CHARS: usize = 100;

/// The site, and when a request for another host was last logged.
#[derive(Clone, Debug)]
pub(crate) struct OwnSite {
    site: Arc<Site>,
    warned_at: Arc<Mutex<Option<Instant>>>,
}

impl OwnSite {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site, warned_at: Arc::default() }
    }

    fn should_warn(&self) -> bool {
        let mut warned_at = self.warned_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY);
        if is_due {
            *warned_at = Some(Instant::now());
        }
        is_due
    }
}

/// For routes that only a session authenticates. Rejects requests for other hosts (DNS rebinding), and unsafe requests
/// from other sites' pages (CSRF).
pub(crate) async fn check(State(own): State<OwnSite>, request: Request, next: Next) -> Response {
    check_if(own, request, next, |_| true).await
}

/// For routes that accept a key too. With `Authorization`, the session isn't read, so that there is nothing to protect
/// from other sites.
pub(crate) async fn check_without_key(State(own): State<OwnSite>, request: Request, next: Next) -> Response {
    check_if(own, request, next, |headers| !headers.contains_key(header::AUTHORIZATION)).await
}

async fn check_if(own: OwnSite, request: Request, next: Next, may_be_session: fn(&HeaderMap) -> bool) -> Response {
    let host = headers::text(request.headers(), header::HOST);
    // RFC 9112 §3.2.2: the host in the request's target counts more than the header.
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    if let Some(foreign) = [target, host].into_iter().flatten().find(|host| !own.site.is_host(host)) {
        return misdirected(&own, foreign);
    }
    let Some(host) = target.or(host) else { return misdirected(&own, "") };
    if request.method().is_safe() || !may_be_session(request.headers()) || is_own(&own.site, request.headers(), host) {
        return next.run(request).await;
    }
    problem::answer(StatusCode::FORBIDDEN, "The request came from another site.")
}

/// Checks `Sec-Fetch-Site` if the browser sends it (Fetch Metadata, W3C), else `Origin`. Without either, a request is
/// rejected only if it may have our cookie.
fn is_own(site: &Site, headers: &HeaderMap, host: &str) -> bool {
    if let Some(value) = headers.get("sec-fetch-site") {
        return matches!(value.as_bytes(), b"same-origin" | b"none");
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => origin.to_str().is_ok_and(|origin| site.is_origin(origin, host)),
        None => !headers::may_have_cookie(headers, site.session_cookie()),
    }
}

/// Says which host came, and which settings name the hosts of this server.
fn misdirected(own: &OwnSite, host: &str) -> Response {
    let host: String = headers::redacted(host).chars().take(MAX_HOST_CHARS).collect();
    let public = own.site.public_host();
    if own.should_warn() {
        tracing::warn!(
            host,
            "rejected a request for another host; the public URL is {} (--public-url), and further hosts can be set \
             with --allowed-host",
            own.site.public_url
        );
    }
    let detail = format!(
        "This server isn't configured for the host \"{host}\". Its host is \"{public}\" (--public-url). Behind a proxy, \
         pass on the Host header of the browser; for a further host name, set --allowed-host."
    );
    problem::answer(StatusCode::MISDIRECTED_REQUEST, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::{Assets, Source};

    #[test]
    fn requests_for_other_hosts_are_logged_once_a_minute() {
        let site = Site::new("http://127.0.0.1:3000", false, Assets::new(Source::Embedded(|_| None))).unwrap();
        let own = OwnSite::new(Arc::new(site));
        assert!(own.should_warn() && !own.clone().should_warn() && !own.should_warn());
        *own.warned_at.lock().unwrap() = Instant::now().checked_sub(WARN_EVERY);
        assert!(own.should_warn() && !own.should_warn());
    }
}
