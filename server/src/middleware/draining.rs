//! Tells load balancers and clients that the server is about to stop.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, StatusCode, header};

use crate::{config::Site, problem};

/// The path of the readiness check.
const READINESS: &str = "/health/ready";

/// While the server is about to stop, denies readiness, and asks clients to connect elsewhere for their next request.
pub(crate) async fn announce(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if !site.drain.is_begun() {
        return next.run(request).await;
    }
    let mut response = if request.uri().path() == READINESS {
        problem::answer(StatusCode::SERVICE_UNAVAILABLE, "The server is about to stop.")
    } else {
        next.run(request).await
    };
    close(&mut response);
    response
}

/// Asks a client to connect elsewhere for its next request while the server is about to stop.
pub(crate) fn close_if_stopping(site: &Site, response: &mut Response) {
    if site.drain.is_begun() {
        close(response);
    }
}

fn close(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
