//! Finds the client's address behind a proxy.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName};

use crate::{accept::Peer, config::Site};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Replaces a trusted proxy's address with the client's. If the proxy names no client, the request has no address: with
/// the proxy's own, the rate limit of one client would apply to all.
pub(crate) async fn find_client(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if let Some(Peer(proxy)) = peer.filter(|peer| site.trusts(peer.0)) {
        request.extensions_mut().remove::<Peer>();
        if let Some(client) = client_of(request.headers(), |address| site.trusts(address)) {
            request.extensions_mut().insert(Peer(client));
        } else {
            tracing::debug!(%proxy, "trusted proxy sent no client address");
        }
    }
    next.run(request).await
}

/// Returns the last address in `X-Forwarded-For` that isn't a trusted proxy's. Each proxy appends the address of its
/// peer, so whatever precedes an untrusted address is only that client's claim.
fn client_of(headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let mut first = None;
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = parse(text.trim())?;
        if !trusts(address) {
            return Some(address);
        }
        first = Some(address);
    }
    first
}

/// Parses an address, which some proxies write with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let trusted: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        client_of(&headers, |address| trusted.contains(&address)).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        assert_eq!(found(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(found(&["198.51.100.1, 192.0.2.1, 10.0.0.2"]).as_deref(), Some("192.0.2.1"), "not what it says");
        assert_eq!(found(&["198.51.100.1", "192.0.2.1,10.0.0.2"]).as_deref(), Some("192.0.2.1"), "of several lines");
        assert_eq!(found(&["[2001:db8::1]:4711"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(found(&["::ffff:192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(found(&["10.0.0.2, 10.0.0.1"]).as_deref(), Some("10.0.0.2"), "a proxy that asks for itself");
        assert_eq!(found(&["192.0.2.1, unknown"]), None);
        assert_eq!(found(&[]), None);
    }
}
