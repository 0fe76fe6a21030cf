//! A TCP proxy that can fall silent without closing its connections, as if the host behind it had disappeared.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A proxy on loopback in front of one server. It stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// How often the host has disappeared. A connection of an earlier host stays silent.
    host: u64,
    is_silent: bool,
}

impl Proxy {
    /// Starts a proxy before a server.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (state, watched) = watch::channel(State::default());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, server, watched.clone()));
            }
        });
        Self { address, state, task }
    }

    /// Starts a proxy before the server of a database URL. Returns the URL through the proxy, too.
    ///
    /// # Panics
    /// If the URL doesn't have a host with an address and a port, or no port is free.
    pub async fn before_database(url: &str) -> (Self, String) {
        let (user, host) = url.split_once('@').expect("a URL with a user");
        let (host, database) = host.split_once('/').expect("a URL with a database");
        let proxy = Self::before(host.parse().expect("an address and a port")).await;
        let through = format!("{user}@{}/{database}", proxy.address);
        (proxy, through)
    }

    /// Forwards nothing any more, and closes nothing: the host has disappeared.
    pub fn vanish(&self) {
        self.state.send_modify(|state| *state = State { host: state.host + 1, is_silent: true });
    }

    /// Forwards new connections: another host has taken over the address.
    pub fn appear(&self) {
        self.state.send_modify(|state| state.is_silent = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr, mut watched: watch::Receiver<State>) {
    let opened = *watched.borrow_and_update();
    if !opened.is_silent
        && let Ok(mut upstream) = TcpStream::connect(server).await
    {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut upstream) => return,
            _ = watched.wait_for(|state| *state != opened) => {}
        }
    }
    // Keeps the client's connection open. The server's is closed, as by a host that has lost its power.
    std::future::pending::<()>().await;
}
