//! Responses wait for the changes that they may be based on.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use service::Services;

use crate::problem::{self, Refusal};

/// Holds back the response to a request that may change something while a change that it may have read isn't committed
/// yet. Otherwise a request could be told that a key is already revoked, although the revocation is lost in a crash.
pub(crate) async fn before_response(State(services): State<Services>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let mark = services.settling_mark();
    let response = next.run(request).await;
    let Err(error) = services.settle(mark).await else { return response };
    match response.extensions().get().copied() {
        // A request that the fault itself met has been told so.
        _ if response.status().is_server_error() => response,
        // The refusals of GraphQL have the status 200.
        Some(Refusal(answer)) => answer(&error.into()),
        None if response.status().is_client_error() => problem::of(&error.into()),
        None => response,
    }
}
