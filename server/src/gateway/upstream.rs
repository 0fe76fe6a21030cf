//! The connections to an upstream.

use std::{
    error::Error,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::{Instant, sleep_until};

use super::{
    entry::Entry,
    transfer::{Broken, Progress, Upload},
};

/// How long a connection is kept for the next request. Servers in Python close theirs after five seconds, and a request that
/// meets such an end fails.
const KEPT_FOR: Duration = Duration::from_secs(4);

/// Sends requests to one upstream.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: legacy::Client<HttpsConnector<HttpConnector>, Upload>,
    response_timeout: Duration,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The upstream can't be reached.
    Unreachable,
    /// Connecting takes too long.
    ConnectTimeout,
    /// The upstream doesn't respond in time.
    ResponseTimeout,
    /// The upstream's response isn't one, or the connection broke.
    Broken,
    /// The request's own body ended early.
    Body(Broken),
}

/// A request to the upstream, and what is known about its body.
pub(crate) struct Sent {
    pub(crate) request: Request<Upload>,
    pub(crate) progress: Progress,
    pub(crate) broken: Arc<OnceLock<Broken>>,
}

impl Upstream {
    /// # Errors
    /// When TLS can't be set up.
    pub(crate) fn new(entry: &Entry) -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(entry.connect_timeout));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_webpki_roots()
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_FOR)
            .http1_max_buf_size(64 * 1_024)
            .build(connector);
        Ok(Self { client, response_timeout: entry.response_timeout })
    }

    /// Sends a request, and waits for the head of the response.
    ///
    /// # Errors
    /// When there is none. The time counts from when the upstream last took a part of the request.
    pub(crate) async fn send(&self, sent: Sent) -> Result<Response<Incoming>, Failure> {
        let response = self.client.request(sent.request);
        tokio::pin!(response);
        loop {
            let deadline = sent.progress.last() + self.response_timeout;
            tokio::select! {
                response = &mut response => {
                    return response.map_err(|error| match sent.broken.get() {
                        Some(broken) => Failure::Body(*broken),
                        None => failure_of(&error),
                    });
                }
                () = sleep_until(deadline) => {
                    if Instant::now() >= sent.progress.last() + self.response_timeout {
                        return Err(Failure::ResponseTimeout);
                    }
                }
            }
        }
    }
}

fn failure_of(error: &legacy::Error) -> Failure {
    if !error.is_connect() {
        return Failure::Broken;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Failure::ConnectTimeout;
        }
        cause = inner.source();
    }
    Failure::Unreachable
}
