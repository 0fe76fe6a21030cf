//! The verification doors: whether a key is valid, whose it is, and whether it may do something. They are asked for every
//! request of other APIs, so they pass through one layer instead of the site's twenty.

mod credential;
mod demand;
mod facts;
mod forward;
pub(crate) mod grpc;
mod introspect;
pub(crate) mod verify;
mod whoami;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{FromRef, MatchedPath, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{any, get, post},
};
use futures::FutureExt;
use http::{HeaderValue, header};
use service::Services;

use crate::{
    config::Site,
    metrics::{self, HttpMetrics},
    middleware::{draining, forwarded, heads, limits, trace},
    problem, traces,
};

/// What the doors share.
#[derive(Clone, FromRef)]
struct Doors {
    services: Services,
    site: Arc<Site>,
    metrics: HttpMetrics,
}

/// Returns the routes of all doors. They answer under any host, and read neither cookies nor `Origin`.
pub(crate) fn routes(services: Services, site: Arc<Site>, metrics: HttpMetrics) -> Router {
    let doors = Doors { services, site, metrics };
    let mut router = Router::new();
    // As in the rest of the site, a trailing slash makes no difference.
    for end in ["", "/"] {
        router = router
            .route(&format!("/api/v1/verify{end}"), post(verify::one))
            .route(&format!("/api/v1/verify/batch{end}"), post(verify::batch))
            .route(&format!("/api/v1/whoami{end}"), get(whoami::whoami))
            .route(&format!("/oauth2/introspect{end}"), post(introspect::introspect))
            .route(&format!("/.well-known/oauth-authorization-server{end}"), get(introspect::metadata))
            .route(&format!("/auth/forward{end}"), any(forward::forward))
            .route(&format!("/auth/envoy{end}"), any(forward::envoy));
    }
    let router = router
        .route("/auth/forward/{*rest}", any(forward::forward))
        .route("/auth/envoy/{*rest}", any(forward::envoy))
        .layer(from_fn_with_state(doors.clone(), guard));
    let router = if traces::are_recorded() {
        router.layer(from_fn_with_state(Arc::clone(&doors.site), traces::follow))
    } else {
        router
    };
    router.with_state(doors)
}

/// Everything that the site's layers do and a door needs: refuses ambiguous heads, finds the client, answers after a
/// panic, sets the headers that matter for an API, measures, and logs one line at the level `debug`.
async fn guard(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = metrics::name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let line = trace::access_line(&request);
    let active = doors.metrics.begin();
    let mut response = answer(&doors, request, next).await;
    drop(active);
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    draining::close_if_stopping(&doors.site, &mut response);
    doors.metrics.observe(method, route.as_ref().map_or("", MatchedPath::as_str), response.status(), begun);
    if let Some(line) = line {
        line.write(&mut response, begun);
    }
    response
}

async fn answer(doors: &Doors, mut request: Request, next: Next) -> Response {
    if let Some(refusal) = heads::refuse(&mut request) {
        return refusal;
    }
    if forwarded::find(&doors.site, &doors.services, &mut request) {
        demand::note_method(&mut request);
    }
    match limits::read(request).await {
        Ok(request) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(problem::panicked),
        Err(refusal) => *refusal,
    }
}
