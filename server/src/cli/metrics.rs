//! The listener for metrics.

use std::net::SocketAddr;

use clap::Args;
use service::Services;

use super::announce;
use crate::{
    accept::{self, Drain, Limits},
    metrics::Metrics,
};

/// The maximum number of concurrent connections of monitoring systems.
const MAX_CONNECTIONS: usize = 16;
/// How long one of them may be idle. Prometheus keeps its connections, and scrapes every minute or more often.
const IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(5);

#[derive(Args, Debug)]
pub(super) struct MetricsOptions {
    /// Address for Prometheus metrics at /metrics, on a network that only the monitoring can reach [default: none]
    #[arg(long, env = "LATCHKEY_METRICS_LISTEN", value_name = "ADDRESS", help_heading = "Network")]
    pub(super) metrics_listen: Option<SocketAddr>,
}

impl MetricsOptions {
    /// Serves the metrics until the process ends, if there is an address for them.
    ///
    /// # Errors
    /// When the address isn't available.
    pub(super) fn start(&self, metrics: &Metrics, services: &Services) -> Result<(), String> {
        let Some(address) = self.metrics_listen else { return Ok(()) };
        let listener = accept::listen(address).map_err(|cause| format!("Can't listen on {address}: {cause}"))?;
        let bound = listener.local_addr().unwrap_or(address);
        let limits = Limits::new(MAX_CONNECTIONS, IDLE_TIMEOUT);
        let router = metrics.router(services.clone());
        // While the server finishes its requests, the metrics are still there.
        tokio::spawn(accept::serve(listener, router, limits, Drain::default()));
        announce::line(format!("metrics on http://{bound}/metrics"));
        Ok(())
    }
}
