//! Responses wait for the changes that they may be based on.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use service::Services;

use crate::problem;

/// Holds back the response to a request that may change something while a change that it may have read isn't committed
/// yet. Otherwise a request could be told that a key is already revoked, although the revocation is lost in a crash.
pub(crate) async fn before_response(State(services): State<Services>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let mark = services.settling_mark();
    let response = next.run(request).await;
    if services.settle(mark).await || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let message = "The database couldn't save some changes, so this answer may be wrong. Try again in a moment.";
    problem::answer(StatusCode::SERVICE_UNAVAILABLE, message)
}
