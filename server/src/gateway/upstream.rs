//! The requests to an upstream.

use std::{error::Error, future::poll_fn, io, sync::Arc, task::Poll};

use http::{HeaderValue, Request, Response, Uri, request::Parts};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::timeout_at;
use tower::Service;

use super::{
    entry::Entry,
    line::{Idle, Limits, Line, Reply, Unanswered},
    transfer::{Broken, Progress, Upload},
};

/// Sends requests to one upstream.
pub(crate) struct Upstream {
    connector: HttpsConnector<HttpConnector>,
    address: Uri,
    /// The value of `Host` for it.
    pub(super) host: Option<HeaderValue>,
    idle: Idle,
    limits: Limits,
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

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Once.
    Once,
    /// Again, if the connection breaks: it only reads, and has no body.
    Repeatable,
    /// On a connection of its own, whose protocol it asks to change.
    Upgrade,
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
        let host = entry.upstream.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        let idle = Idle::default();
        idle.watch();
        let limits = Limits { idle: entry.idle_timeout, response: entry.response_timeout };
        Ok(Self { connector, address: entry.upstream.clone(), host, idle, limits })
    }

    /// Sends a request, and waits for the head of the response. The time counts from when a part of the request was last
    /// transferred.
    ///
    /// # Errors
    /// When there is no response.
    pub(crate) async fn send(
        &self,
        head: Parts,
        upload: Upload,
        progress: Progress,
        manner: Manner,
    ) -> Result<Response<Reply>, Failure> {
        let mut again = (manner == Manner::Repeatable).then(|| head.clone());
        let mut request = Request::from_parts(head, upload);
        loop {
            let kept = match manner {
                Manner::Upgrade => None,
                _ => self.idle.take(),
            };
            let is_new = kept.is_none();
            let mut line = match kept {
                Some(line) => line,
                None => Box::pin(self.connect(&progress)).await?,
            };
            if manner == Manner::Upgrade {
                line.detach();
            }
            match line.send(request, &progress, self.limits).await {
                Ok(response) => {
                    let mut response = response.map(|body| Reply::new(body, line, self.idle.clone()));
                    poll_fn(|context| {
                        response.body_mut().poll_begin(context);
                        Poll::Ready(())
                    })
                    .await;
                    return Ok(response);
                }
                Err(Unanswered::Unsent(unsent)) if !is_new => request = *unsent,
                Err(Unanswered::Late) if !progress.is_complete() && progress.waits_for_sender() => {
                    return Err(Failure::Body(Broken::Idle));
                }
                Err(Unanswered::Late) => return Err(Failure::ResponseTimeout),
                Err(_) => match (progress.broken(), again.take()) {
                    (Some(broken), _) => return Err(Failure::Body(broken)),
                    (None, Some(head)) => request = Request::from_parts(head, Upload::empty(progress.clone())),
                    (None, None) => return Err(Failure::Broken),
                },
            }
        }
    }

    async fn connect(&self, progress: &Progress) -> Result<Line, Failure> {
        // The connector has a limit of its own for the connection, but none for TLS.
        let connecting = self.connector.clone().call(self.address.clone());
        let connected = timeout_at(progress.last() + self.limits.response, connecting).await;
        let stream = connected.map_err(|_| Failure::ResponseTimeout)?.map_err(|error| failure_of(&*error))?;
        Line::new(stream).await.map_err(|_| Failure::Broken)
    }
}

/// Returns why connecting failed.
fn failure_of(error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Failure::ConnectTimeout;
        }
        cause = inner.source();
    }
    Failure::Unreachable
}
