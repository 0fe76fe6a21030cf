//! Requests by route, as the semantic conventions of `OpenTelemetry` name and count them.

use std::{borrow::Cow, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// The limits of the histogram, in seconds.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The labels of a request. A client chooses none of their values freely.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the fields are the names of the labels, which OpenTelemetry defines")]
struct Labels {
    http_request_method: &'static str,
    /// The template of the route, such as `/fn/{operation}`; empty if no route matches.
    http_route: Cow<'static, str>,
    http_response_status_code: u16,
}

type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// The metrics of requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HttpMetrics {
    durations: Durations,
    active: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self { durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)), active: Gauge::default() }
    }
}

impl HttpMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from a request's head to the response's head",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("http_server_active_requests", "Requests in progress", self.active.clone());
    }
}

/// Counts a request as active until it ends, also if the client disconnects.
pub(crate) struct Active<'a>(&'a Gauge);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Middleware: measures how long the response takes.
pub(crate) async fn measure(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = {
        let _active = metrics.begin();
        next.run(request).await
    };
    let route = route.as_ref().map_or("", MatchedPath::as_str).to_owned();
    metrics.observe(method, route, response.status(), begun);
    response
}

impl HttpMetrics {
    /// Counts a request as active until the returned value is dropped.
    pub(crate) fn begin(&self) -> Active<'_> {
        self.active.inc();
        Active(&self.active)
    }

    /// Records a request that has been answered.
    pub(crate) fn observe(
        &self,
        method: &'static str,
        route: impl Into<Cow<'static, str>>,
        status: StatusCode,
        begun: Instant,
    ) {
        let labels = Labels {
            http_request_method: method,
            http_route: route.into(),
            http_response_status_code: status.as_u16(),
        };
        self.durations.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
    }
}

/// Returns the name of a method, or `_OTHER` if a client made it up.
pub(crate) fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "PATCH" => "PATCH",
        _ => "_OTHER",
    }
}
