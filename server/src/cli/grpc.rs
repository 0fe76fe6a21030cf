//! The listener for Envoy's authorization over gRPC.

use std::{future::Future, net::SocketAddr, sync::Arc};

use clap::Args;
use service::Services;

use super::announce;
use crate::{
    accept,
    config::Site,
    metrics::Metrics,
    verification::grpc::{self, MAX_CONNECTIONS},
};

#[derive(Args, Debug)]
pub(super) struct GrpcOptions {
    /// Address for Envoy's authorization over gRPC, on a network that only proxies can reach [default: none]
    #[arg(long, env = "LATCHKEY_GRPC_LISTEN", value_name = "ADDRESS", help_heading = "Network")]
    pub(super) grpc_listen: Option<SocketAddr>,
}

impl GrpcOptions {
    /// How many connections the listener may have.
    pub(super) fn max_connections(&self) -> usize {
        self.grpc_listen.map_or(0, |_| MAX_CONNECTIONS)
    }

    /// Serves until the site is told to stop, if there is an address. Returns what completes when running calls have
    /// ended.
    ///
    /// # Errors
    /// When the address isn't available.
    pub(super) fn start(
        &self,
        services: &Services,
        site: &Arc<Site>,
        metrics: &Metrics,
    ) -> Result<impl Future<Output = ()> + use<>, String> {
        let task = match self.grpc_listen {
            None => None,
            Some(address) => {
                let listener =
                    accept::listen(address).map_err(|cause| format!("Can't listen on {address}: {cause}"))?;
                let bound = listener.local_addr().unwrap_or(address);
                let authorization =
                    grpc::Authorization::new(services.clone(), Arc::clone(site), metrics.http().clone());
                announce::line(format!("gRPC for Envoy on {bound}"));
                Some(tokio::spawn(grpc::serve(listener, Arc::new(authorization), site.drain.clone())))
            }
        };
        Ok(async {
            if let Some(task) = task {
                task.await.ok();
            }
        })
    }
}
