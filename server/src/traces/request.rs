//! The span of a request, named as the semantic conventions of `OpenTelemetry` for HTTP say.

use std::{fmt, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TraceId as Id},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{config::Site, metrics::name_of};

/// The target of the spans that are only for traces.
pub(crate) const TARGET: &str = "traces";

/// The header that says which trace a request is part of, see <https://www.w3.org/TR/trace-context/>.
const PARENT: &str = "traceparent";

/// The id of the trace that a request is part of, in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceId(Id);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Middleware: makes the request a part of its client's trace, or begins one.
pub(crate) async fn follow(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    follow_as(&site, request, route.as_ref().map(MatchedPath::as_str), |request| next.run(request)).await
}

/// As [`follow`], for a request to a route that isn't the router's.
pub(crate) async fn follow_as<F: Future<Output = Response>>(
    site: &Site,
    mut request: Request,
    route: Option<&str>,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let span = begin(&request, route, site.is_secure);
    if span.is_disabled() {
        return next(request).await;
    }
    if let Some(parent) = parent(request.headers()) {
        // Fails only if there are no traces.
        span.set_parent(parent).ok();
    }
    request.extensions_mut().insert(TraceId(span.context().span().span_context().trace_id()));
    let response = next(request).instrument(span.clone()).await;
    record(&span, response.status());
    response
}

/// Returns a span that contains nothing that a client chooses freely.
fn begin(request: &Request, route: Option<&str>, is_secure: bool) -> Span {
    let method = name_of(request.method());
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    let scheme = if is_secure { "https" } else { "http" };
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = %Name { verb, route },
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        url.scheme = scheme,
        "error.type" = Empty,
    )
}

/// The name of a span.
struct Name<'a> {
    verb: &'static str,
    route: Option<&'a str>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        self.route.map_or(Ok(()), |route| write!(f, " {route}"))
    }
}

fn record(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}

/// Returns the span of the client that a request is part of. `tracestate` isn't read, because it is free text.
fn parent(headers: &HeaderMap) -> Option<Context> {
    let mut values = headers.get_all(PARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let only: HeaderMap<HeaderValue> = HeaderMap::from_iter([(http::HeaderName::from_static(PARENT), value.clone())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(&only));
    context.span().span_context().is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace_of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PARENT, HeaderValue::from_str(value).unwrap());
        }
        headers.append("tracestate", HeaderValue::from_static("vendor=lku_token"));
        let context = parent(&headers)?;
        let parent = context.span().span_context().clone();
        assert_eq!(parent.trace_state().header(), "");
        Some(parent.trace_id().to_string())
    }

    #[test]
    fn only_one_valid_parent_is_followed() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_of(&[valid]).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        for values in [
            &[][..],
            &[valid, valid],
            &[""],
            &["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
            &["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            &["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331"],
        ] {
            assert_eq!(trace_of(values), None, "{values:?}");
        }
    }
}
