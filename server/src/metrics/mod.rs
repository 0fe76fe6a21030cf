//! The metrics in the format of `OpenMetrics`, which Prometheus reads, and the listener that serves them.

mod gateways;
mod http;
mod keys;
mod process;

use std::sync::Arc;

use ::http::{HeaderValue, header};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use service::Services;

pub use self::gateways::GatewayMetrics;
pub(crate) use self::gateways::Outcome;
pub(crate) use self::http::{HttpMetrics, measure, name_of};
use self::keys::KeyMetrics;

/// The content type of the text format 1.0.0.
const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The metrics of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    http: HttpMetrics,
    gateways: GatewayMetrics,
}

impl Metrics {
    /// The metrics of gateways.
    pub fn gateways(&self) -> &GatewayMetrics {
        &self.gateways
    }

    /// The metrics of requests.
    pub(crate) fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// Returns the router of the listener for metrics. It must not be reachable by clients: metrics name tenants.
    pub fn router(&self, services: Services) -> Router {
        let state = Arc::new(Exposition {
            services,
            http: self.http.clone(),
            gateways: self.gateways.clone(),
            keys: KeyMetrics::default(),
        });
        Router::new().route("/metrics", get(expose)).with_state(state)
    }
}

/// What the listener needs.
struct Exposition {
    services: Services,
    http: HttpMetrics,
    gateways: GatewayMetrics,
    keys: KeyMetrics,
}

/// `GET /metrics`.
async fn expose(State(exposition): State<Arc<Exposition>>) -> Response {
    let mut registry = Registry::default();
    process::register(&mut registry);
    exposition.http.register(&mut registry);
    exposition.gateways.register(&mut registry);
    exposition.keys.register(&mut registry, &exposition.services).await;
    let mut body = String::new();
    // Writing to a `String` can't fail.
    text::encode(&mut body, &registry).ok();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}
