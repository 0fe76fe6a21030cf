//! Sends spans, and says once if that fails.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

use super::http_client::HttpClient;

/// The exporter of spans. The library would log every batch that can't be sent.
#[derive(Debug)]
pub(super) struct Exporter {
    otlp: OtlpExporter,
    /// The number of spans that were lost since the last batch that was sent.
    lost: AtomicU64,
}

impl Exporter {
    /// # Errors
    /// When a variable is invalid.
    pub(super) fn new(client: HttpClient) -> Result<Self, String> {
        let otlp = OtlpExporter::builder().with_http().with_http_client(client).build();
        let otlp = otlp.map_err(|_| "a variable OTEL_EXPORTER_OTLP_… is invalid".to_owned())?;
        Ok(Self { otlp, lost: AtomicU64::new(0) })
    }

    fn report(&self, result: &OTelSdkResult, spans: usize) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::info!(lost, "traces are sent again");
                }
            }
            Err(error) => {
                if self.lost.fetch_add(spans, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "traces can't be sent; spans are lost until this changes");
                }
            }
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.otlp.export(batch).await;
        self.report(&result, spans);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
