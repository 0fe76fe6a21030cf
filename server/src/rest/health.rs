//! Health checks, for supervisors and load balancers.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use service::Services;

use crate::problem;

/// `GET /health/live`: the process responds.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health/ready`: the database responds too.
pub(crate) async fn ready(State(services): State<Services>) -> Response {
    if services.is_healthy().await {
        return "ok\n".into_response();
    }
    problem::answer(StatusCode::SERVICE_UNAVAILABLE, "The database isn't responding.")
}
