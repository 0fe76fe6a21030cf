//! The accept loop: limits connections and what one connection may hold, closes them in order, and shuts down
//! gracefully.
//!
//! `axum::serve` does none of this.

mod descriptors;
mod drain;
mod exchange;
mod head;
mod signal;
mod socket;

use std::{convert::Infallible, future::Future, net::IpAddr, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower::{Service, ServiceExt};

pub use self::{
    descriptors::within_descriptors,
    drain::Drain,
    head::Refusal,
    signal::{Abort, Signal},
};
use self::{exchange::Exchange, socket::Socket};

/// The maximum time for running requests after new connections are no longer accepted.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 1_024;
/// The kernel's buffer for what a connection's client hasn't read yet, in bytes. The kernel doubles it.
const SEND_BUFFER: u32 = 128 * 1_024;
/// The maximum size of our own buffer for the same, in bytes. A larger part of a response is written in pieces.
const WRITE_BUFFER: usize = 64 * 1_024;

/// The client's network address: the connection's peer or, behind a trusted proxy, the address that the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What the accept loop allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A permit for each concurrent connection. Several listeners may share them.
    pub connections: Arc<Semaphore>,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
}

/// Listens on an address.
///
/// # Errors
/// When the address isn't available.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server can listen at once. On Windows, the option would allow two servers on one port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Connections inherit it. Otherwise the kernel would grow it to several megabytes.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `drain` is told to stop. Then accepts connections for the time that `drain` asks for, so that load
/// balancers notice, and waits at most 10 s for running requests.
pub async fn serve<S>(listener: TcpListener, site: S, limits: Limits, drain: Drain)
where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let server = Server { site, slots: Arc::clone(&limits.connections), limits, closing: watch::Sender::new(false) };
    server.accept(&listener, drain.begun()).await;
    server.accept(&listener, tokio::time::sleep(drain.delay())).await;
    drop(listener);
    server.closing.send_replace(true);
    tokio::time::timeout(DRAIN_TIMEOUT, server.closing.closed()).await.ok();
}

struct Server<S> {
    limits: Limits,
    site: S,
    slots: Arc<Semaphore>,
    /// Whether connections close after the request that they are busy with. Each connection has a receiver.
    closing: watch::Sender<bool>,
}

impl Limits {
    /// Allows a number of concurrent connections. `idle_timeout`: how long one may wait for its next request.
    pub fn new(max_connections: usize, idle_timeout: Duration) -> Self {
        Self { connections: Arc::new(Semaphore::new(max_connections)), idle_timeout }
    }
}

impl<S> Server<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    /// Accepts connections until `stop` completes.
    async fn accept(&self, listener: &TcpListener, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            let next = async {
                let slot = Arc::clone(&self.slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                next = next => next,
                () = &mut stop => return,
            };
            match (slot, accepted) {
                (Ok(slot), Ok((stream, peer))) => self.start(stream, peer.ip().to_canonical(), slot),
                (Err(_), _) => return,
                (_, Err(error)) => {
                    // Most likely out of file descriptors: pause instead of looping busily.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Serves a connection in a task of its own, which gives `slot` back.
    fn start(&self, stream: TcpStream, peer: IpAddr, slot: OwnedSemaphorePermit) {
        stream.set_nodelay(true).ok();
        let exchange = Exchange::default();
        let followed = exchange.clone();
        let abort = Abort(Arc::default());
        let socket = Socket::new(
            stream,
            exchange.clone(),
            self.limits.idle_timeout,
            abort.clone(),
            (Arc::clone(&self.slots), slot),
        );
        let aborted = Arc::clone(&abort.0);
        let site = self.site.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(abort.clone());
            if let Some(refusal) = exchange.refusal() {
                request.extensions_mut().insert(refusal);
            }
            let (site, exchange) = (site.clone(), exchange.clone());
            async move {
                let response = site.oneshot(request.map(Body::new)).await?;
                Ok::<_, Infallible>(exchange.respond(response))
            }
        });
        // Only HTTP/1: the proxy that terminates TLS speaks HTTP/2. The socket has timeouts of its own.
        let mut builder = http1::Builder::new();
        builder.header_read_timeout(None).max_buf_size(WRITE_BUFFER);
        let connection = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // A client that disconnects isn't worth a log entry.
            tokio::select! {
                _ = followed.follow(connection.as_mut()) => return,
                () = aborted.given() => return,
                _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _ = followed.follow(connection) => (),
                () = aborted.given() => (),
            }
        });
    }
}
