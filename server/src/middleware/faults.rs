//! Gives every fault a reference that the log has.

use axum::{body::HttpBody, response::Response};

use crate::problem;

/// Replaces a server error without a body, as libraries make them, by one with a reference. Those of our own handlers
/// have a body.
pub(crate) async fn name(response: Response) -> Response {
    if !response.status().is_server_error() || !response.body().is_end_stream() {
        return response;
    }
    let status = response.status();
    problem::of(&service::Error::Fault(format!("a response without a body, with status {status}")).into())
}
