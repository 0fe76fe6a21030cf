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
use http::{HeaderMap, HeaderName, header};

use crate::{accept::Peer, config::Site};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Headers that only a proxy sets.
const FROM_PROXY: [HeaderName; 4] = [
    FORWARDED_FOR,
    header::FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Marks a request that came through a proxy that isn't trusted, so that its client's address isn't known.
#[derive(Clone, Copy)]
pub(crate) struct UntrustedProxy;

/// Replaces a trusted proxy's address with the client's. If the proxy names none that can be read, the address of the
/// last known proxy stays: a client without an address would have no limit.
pub(crate) async fn find_client(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    find(&site, &mut request);
    next.run(request).await
}

/// As [`find_client`]. Returns whether a trusted proxy sent the request.
pub(crate) fn find(site: &Site, request: &mut Request) -> bool {
    let Some(Peer(peer)) = request.extensions().get().copied() else { return false };
    let is_trusted = site.trusts(peer);
    if is_trusted {
        let client = client_of(request.headers(), peer, |address| site.trusts(address));
        request.extensions_mut().insert(Peer(client));
    } else if is_proxy(peer, request.headers()) {
        request.extensions_mut().insert(UntrustedProxy);
        if !site.hides_clients() && site.record_unknown_proxy(peer) {
            tracing::warn!(
                proxy = %peer,
                "clients connect through a proxy that isn't trusted, so all of them appear to have its address; set \
                 --trusted-proxy"
            );
        }
    }
    is_trusted
}

/// Returns whether a peer that isn't trusted is a proxy. A stranger can send a proxy's headers too, but not from a
/// private address.
fn is_proxy(peer: IpAddr, headers: &HeaderMap) -> bool {
    is_private(peer) && FROM_PROXY.iter().any(|name| headers.contains_key(name))
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_private() || address.is_loopback() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Returns the last address in `X-Forwarded-For` that isn't a trusted proxy's. Each proxy appends the address of its
/// peer, so whatever precedes an untrusted address, or one that can't be read, is only a claim.
fn client_of(headers: &HeaderMap, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let lines = headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("unreadable"));
    let pieces: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut last = peer;
    for piece in pieces.into_iter().rev().filter(|piece| !piece.is_empty()) {
        let Some(address) = parse(piece) else {
            tracing::debug!(proxy = %last, "a trusted proxy sent a client address that can't be read");
            return last;
        };
        if !trusts(address) {
            return address;
        }
        last = address;
    }
    last
}

/// Parses an address, which proxies also write with a port, in brackets, in quotes, or with a zone.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim();
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    // The zone, `%eth0`, names an interface of the proxy.
    let (start, end) = (text.find('%'), text.find(']').unwrap_or(text.len()));
    if let Some(start) = start.filter(|start| *start < end && text[..*start].contains(':')) {
        return parse(&format!("{}{}", &text[..start], &text[end..]));
    }
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: IpAddr = text.parse().ok().or_else(bare).or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        client_of(&headers, trusted[0], |address| trusted.contains(&address)).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        assert_eq!(found(&["192.0.2.1"]), "192.0.2.1");
        assert_eq!(found(&["198.51.100.1, 192.0.2.1, 10.0.0.2"]), "192.0.2.1", "not what it says");
        assert_eq!(found(&["198.51.100.1", "192.0.2.1,10.0.0.2"]), "192.0.2.1", "of several lines");
        assert_eq!(found(&["10.0.0.2, 10.0.0.1"]), "10.0.0.2", "a proxy that asks for itself");
    }

    #[test]
    fn addresses_are_read_in_every_spelling() {
        for (piece, address) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:DB8:0::1]:4711", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]", "fe80::1"),
            ("[fe80::1%eth0]:4711", "fe80::1"),
            ("\"192.0.2.1\"", "192.0.2.1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("192.0.2.1,", "192.0.2.1"),
            (" , 192.0.2.1 ,\t, ", "192.0.2.1"),
            ("unknown, 192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(found(&[piece]), address, "{piece}");
        }
    }

    #[test]
    fn without_a_readable_address_the_proxy_is_the_client() {
        for piece in ["", ",", "unknown", "_hidden", "192.0.2", "192.0.2.1.", "[2001:db8::1", "192.0.2.1%eth0", "é"] {
            assert_eq!(found(&[piece]), "10.0.0.1", "{piece}");
        }
        assert_eq!(found(&[]), "10.0.0.1");
        assert_eq!(found(&["192.0.2.1, unknown"]), "10.0.0.1", "what precedes it is a claim");
        assert_eq!(found(&["192.0.2.1, unknown, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn private_addresses_may_be_proxies() {
        for address in ["127.0.0.1", "::1", "10.1.2.3", "172.17.0.1", "100.64.0.1", "fd00::1", "::ffff:192.168.0.1"] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        assert!(!is_private("192.0.2.1".parse().unwrap()) && !is_private("2001:db8::1".parse().unwrap()));
    }
}
