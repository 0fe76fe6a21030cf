//! Traces in the protocol of `OpenTelemetry` (OTLP), if the environment asks for them with its standard variables.
//!
//! A span contains ids, the template of a route, and names in the code. It never contains a path, a query, a header or
//! an error, which could contain a secret.

mod environment;
mod exporter;
mod http_client;
mod request;

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::SdkTracerProvider,
};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

pub(crate) use self::request::{TARGET, TraceId, follow, follow_as};
use self::{environment::Environment, exporter::Exporter, http_client::HttpClient};

/// Where the spans of use cases are.
const USE_CASES: &str = "service";

/// Returns whether there are traces. The log must have been started.
pub(crate) fn are_recorded() -> bool {
    tracing::span_enabled!(target: TARGET, Level::INFO)
}

/// How long a server that stops tries to send its last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The traces of a server.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the traces that the environment variables ask for. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When a variable asks for something that isn't supported. The message never contains the value.
    pub(crate) fn start() -> Result<Option<Self>, String> {
        let Some(environment) = Environment::read(|name| std::env::var(name).ok())? else { return Ok(None) };
        let exporter = Exporter::new(HttpClient::new(&environment)?)?;
        let provider = SdkTracerProvider::builder().with_resource(resource(&environment)).with_batch_exporter(exporter);
        Ok(Some(Self(provider.build())))
    }

    /// Returns the layer that turns the spans of requests and use cases into those of traces.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("latchkey"))
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_traced).with_max_level_hint(Level::INFO))
    }

    /// Sends the spans that are left, for at most three seconds.
    pub(crate) async fn finish(&self) {
        let provider = self.0.clone();
        // Blocks until the collector has answered.
        let sending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        if !matches!(sending.await, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Events aren't part of a trace: they can contain the cause of an error.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let module = metadata.target().split("::").next();
    metadata.is_span() && *metadata.level() <= Level::INFO && matches!(module, Some(TARGET | USE_CASES))
}

/// Returns what is said about the process. Variables take precedence.
fn resource(environment: &Environment) -> Resource {
    let own = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "latchkey"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ]);
    let detected = own.with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    match &environment.service_name {
        Some(name) => detected.with_service_name(name.clone()).build(),
        None => detected.build(),
    }
}
