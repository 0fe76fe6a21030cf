//! The command `health`, for supervisors without an HTTP client of their own, such as Docker's.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::{listen::Listen, outcome::Outcome};

/// The maximum time for the response.
const WITHIN: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(super) struct Health {
    /// URL of the server [default: the address in --listen]
    url: Option<String>,
    #[command(flatten)]
    listen: Listen,
}

pub(super) async fn run(options: Health) -> Outcome {
    let address = match options.url {
        Some(url) => authority(&url)?,
        None => reachable(options.listen.address).to_string(),
    };
    let status = timeout(WITHIN, ask(&address)).await;
    match status.map_err(|_| format!("{address} didn't respond within {} seconds.", WITHIN.as_secs()))? {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("{address} isn't ready: it responded with {status}.").into()),
        Err(cause) => Err(format!("{address} can't be reached: {cause}").into()),
    }
}

/// Asks a server whether it is ready.
async fn ask(address: &str) -> Result<http::StatusCode, Box<dyn std::error::Error>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/health/ready").header(header::HOST, address).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    connection.abort();
    Ok(status)
}

fn authority(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} isn't a URL."))?;
    let host = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let host = host.ok_or("The URL must begin with http://, because the check is made on the same machine.")?;
    Ok(if host.port().is_some() { host.to_string() } else { format!("{host}:80") })
}

/// Returns the address at which this machine reaches a server that listens on `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        let loopback = if listen.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}
