//! Envoy's authorization over gRPC (`envoy.service.auth.v3`), on a listener of its own.
//!
//! The answers are those of `/auth/envoy`, translated. Latchkey serves one method with small messages, so it speaks gRPC
//! itself, over the HTTP/2 of `h2` ([decision 0046](../../../docs/decisions/0046-envoy-over-grpc.md)).

mod call;
mod check;
mod messages;

use std::{
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{Request, StatusCode};
use service::Services;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{
    accept::{DRAIN_TIMEOUT, Drain},
    config::Site,
    metrics::HttpMetrics,
};

/// The method of the service.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// The maximum number of concurrent connections. A proxy needs a few.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// The maximum number of concurrent calls of one connection.
const MAX_CALLS: u32 = 256;
/// How much of the messages of all running calls is kept in memory, in bytes. The rest waits at the clients.
const MAX_KEPT: usize = 64 * 1_024 * 1_024;
/// The maximum size of the headers of a call, which name the method.
const MAX_HEADERS: u32 = 16 * 1_024;
/// How long a connection may be open without a call before it is closed. Proxies connect again.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a client may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);

/// The service, as the connections share it.
pub(crate) struct Authorization {
    services: Services,
    site: Arc<Site>,
    metrics: HttpMetrics,
    /// The bytes of messages that may still be received.
    room: Semaphore,
}

impl Authorization {
    /// Creates the service of a site.
    pub(crate) fn new(services: Services, site: Arc<Site>, metrics: HttpMetrics) -> Self {
        Self { services, site, metrics, room: Semaphore::new(MAX_KEPT) }
    }
}

/// Serves until `drain` is told to stop and its delay is over. Then waits at most 10 s for running calls.
pub(crate) async fn serve(listener: TcpListener, authorization: Arc<Authorization>, drain: Drain) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = pin!(drain.ended());
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        match (slot, accepted) {
            (Ok(slot), Ok((stream, peer))) => {
                let peer = peer.ip().to_canonical();
                connections.spawn(serve_connection(stream, peer, Arc::clone(&authorization), drain.clone(), slot));
            }
            (Err(_), _) => break,
            (_, Err(error)) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(DRAIN_TIMEOUT, ended).await.ok();
}

/// Serves a connection, and gives `_slot` back. A client that disconnects isn't worth a log entry.
async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    authorization: Arc<Authorization>,
    drain: Drain,
    _slot: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(MAX_CALLS).max_header_list_size(MAX_HEADERS);
    let Ok(Ok(mut connection)) = tokio::time::timeout(BEGIN_WITHIN, builder.handshake(stream)).await else { return };
    let mut stop = pin!(drain.ended());
    let mut is_stopping = false;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(IDLE_TIMEOUT, connection.accept()) => next,
            () = &mut stop, if !is_stopping => {
                is_stopping = true;
                connection.graceful_shutdown();
                continue;
            }
        };
        match next {
            Ok(Some(Ok((request, respond)))) => {
                tokio::spawn(respond_to(Arc::clone(&authorization), peer, request, respond));
            }
            Err(_) if !is_stopping => {
                is_stopping = true;
                connection.graceful_shutdown();
            }
            Ok(None | Some(Err(_))) | Err(_) => return,
        }
    }
}

async fn respond_to(
    authorization: Arc<Authorization>,
    peer: IpAddr,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    if !call::is_grpc(&request) {
        call::refuse(respond).ok();
        return;
    }
    let begun = Instant::now();
    let active = authorization.metrics.begin();
    let (head, mut body) = request.into_parts();
    let is_check = head.uri.path() == CHECK;
    let answer = if is_check {
        match call::read(&mut body, &authorization.room).await {
            Ok(message) => authorization.check(peer, message).await,
            Err(failure) => Err(failure),
        }
    } else {
        Err(call::Failure::Unimplemented)
    };
    drop(active);
    // The status of HTTP: a failure of gRPC is in the trailers.
    authorization.metrics.observe("POST", if is_check { CHECK } else { "" }, StatusCode::OK, begun);
    call::answer(respond, answer).ok();
}
