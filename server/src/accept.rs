//! The accept loop: a cap on connections, a limit on how long headers may take, an end that waits for what is running.
//!
//! `axum::serve` has none of these.

use std::{future::Future, net::IpAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::ServiceExt;

/// How long a client may take to send the head of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// How long requests may go on after the end was asked for.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// The network address that a request comes from: of the connection's other end or, behind a trusted proxy, of the client that
/// the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Serves until `end` is ready, then waits for the requests that are running, 10 s at most.
pub async fn serve(listener: TcpListener, router: Router, most_connections: usize, end: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(most_connections));
    let graceful = GracefulShutdown::new();
    let mut end = std::pin::pin!(end);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut end => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: a moment's rest instead of a busy loop.
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        stream.set_nodelay(true).ok();
        let service = router.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
            request
        });
        // HTTP/1 alone: HTTP/2 is spoken by the proxy that ends TLS.
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no event.
            watched.await.ok();
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(DRAIN_WITHIN, graceful.shutdown()).await.ok();
}
