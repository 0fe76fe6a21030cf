//! The network that a client's failed attempts count against.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// How many bits of an IPv6 address name the network. One subscriber has at least all addresses of such a network.
const PREFIX_BITS: u32 = 64;

/// An IPv4 address, or the first half of an IPv6 address; or clients whose address isn't known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Known(String),
    /// All clients of a proxy that isn't trusted.
    Behind(String),
    Unknown,
}

impl Network {
    /// Returns the network of an address, which may have a zone.
    pub(crate) fn of(address: Option<&str>) -> Self {
        let Some(address) = address.map(str::trim).filter(|address| !address.is_empty()) else { return Self::Unknown };
        let bare = address.split('%').next().unwrap_or_default();
        Self::Known(match bare.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V6(address)) => {
                let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - PREFIX_BITS)));
                format!("{network}/{PREFIX_BITS}")
            }
            Ok(IpAddr::V4(address)) => address.to_string(),
            Err(_) => address.to_owned(),
        })
    }

    /// Returns the clients behind a proxy that isn't trusted, from the proxy's address. Its other clients share their
    /// limits, but nobody else does.
    pub(crate) fn behind(proxy: Option<&str>) -> Self {
        match Self::of(proxy) {
            Self::Known(network) => Self::Behind(network),
            other => other,
        }
    }

    /// Whether the client's address is known.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(network) => f.write_str(network),
            Self::Behind(network) => write!(f, "an unknown network behind {network}"),
            Self::Unknown => f.write_str("an unknown network"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_half_of_the_address() {
        let text = |address: &str| Network::of(Some(address)).to_string();
        assert_eq!(text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(text("2001:db8:1:2::1"), text("2001:DB8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(text("2001:db8:1:2::1"), text("2001:db8:1:3::1"));
        assert_eq!(text("fe80::1%eth0"), "fe80::/64");
        assert_eq!(text("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(text("192.0.2.1"), text("192.0.2.2"));
        assert_eq!(text("something"), "something");
        let proxy = Network::behind(Some("10.0.0.1"));
        assert!(!proxy.is_known() && proxy != Network::behind(Some("10.0.0.2")) && proxy != Network::of(None));
        for unknown in [None, Some(""), Some(" ")] {
            assert!(!Network::of(unknown).is_known());
        }
    }
}
