//! Health checks, for supervisors and load balancers.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use service::Services;

use crate::problem;

/// `GET /health/live`: the process responds.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health/ready`: the database responds and accepts changes. Answers within two seconds.
pub(crate) async fn ready(State(services): State<Services>) -> Response {
    match services.check_readiness().await {
        Ok(ready) => {
            let warning = ready.warning.map_or_else(String::new, |warning| format!("{warning}\n"));
            format!("ok\n{warning}").into_response()
        }
        Err(not_ready) => problem::of(&not_ready.0),
    }
}
