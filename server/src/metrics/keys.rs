//! Keys and verifications.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use service::{KeyFigures, Services};
use tokio::{sync::Mutex, time::timeout};

/// How long the figures from the database are used. Counting a million keys takes a tenth of a second.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// The maximum time to read them. A scrape usually has ten seconds in all.
const READ_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerificationLabels {
    api: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    key_id: String,
    tenant: String,
}

/// The figures that were read last, and when.
#[derive(Debug, Default)]
pub(super) struct KeyMetrics(Mutex<Option<(Instant, KeyFigures)>>);

impl KeyMetrics {
    /// Adds the metrics. Those that come from the database are missing if it doesn't respond.
    pub(super) async fn register(&self, registry: &mut Registry, services: &Services) {
        register_verifications(registry, services);
        let figures = self.figures(services).await;
        let up = Gauge::<i64>::default();
        up.set(i64::from(figures.is_some()));
        registry.register("latchkey_database_up", "Whether the database answers", up);
        if let Some(figures) = figures {
            register_keys(registry, figures);
        }
    }

    async fn figures(&self, services: &Services) -> Option<KeyFigures> {
        let mut last = self.0.lock().await;
        if let Some((_, figures)) = last.as_ref().filter(|(read, _)| read.elapsed() < KEPT_FOR) {
            return Some(figures.clone());
        }
        let metrics = services.metrics();
        let figures = match timeout(READ_WITHIN, metrics.keys()).await {
            Ok(Ok(figures)) => Some(figures),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the keys could not be counted for the metrics");
                None
            }
            Err(_) => {
                tracing::warn!("the keys could not be counted for the metrics in time");
                None
            }
        };
        *last = figures.clone().map(|figures| (Instant::now(), figures));
        figures
    }
}

fn register_verifications(registry: &mut Registry, services: &Services) {
    let verifications = Family::<VerificationLabels, Counter<u64, AtomicU64>>::default();
    for (channel, outcome, count) in services.metrics().verifications() {
        let labels = VerificationLabels { api: channel.as_str(), outcome: outcome.as_str() };
        verifications.get_or_create(&labels).inc_by(count);
    }
    registry.register("latchkey_verifications", "Verified tokens since the process started", verifications);
    let known = Gauge::<i64>::default();
    known.set(i64::try_from(services.metrics().keys_in_memory()).unwrap_or(i64::MAX));
    registry.register("latchkey_keys_in_memory", "Keys that are verified without reading the database", known);
}

fn register_keys(registry: &mut Registry, figures: KeyFigures) {
    let keys = Family::<StateLabels, Gauge>::default();
    for (state, count) in figures.counts {
        keys.get_or_create(&StateLabels { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("latchkey_keys", "Keys of all tenants", keys);
    let expiries = Family::<KeyLabels, Gauge>::default();
    for key in figures.expiring {
        let labels = KeyLabels { key_id: key.key_id.to_string(), tenant: key.tenant };
        expiries.get_or_create(&labels).set(key.expires_at.timestamp());
    }
    let help = "When a key expires, as seconds since the Unix epoch; the first 1000 keys within 30 days";
    registry.register_with_unit("latchkey_key_expiry_timestamp", help, Unit::Seconds, expiries);
}
