//! Hosts with ports, compared by value. As text, the same host can be written in several ways: in capital letters, with
//! a final dot, with or without the default port, as an IPv6 address with or without zeros.

use std::{fmt, net::IpAddr};

use url::Host;

/// A host, with a port unless it is the default of an unknown scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

impl Authority {
    /// Parses `host`, `host:port`, `[IPv6]` or `[IPv6]:port`: a `Host` header, for example. `None` for anything else,
    /// such as a name with a user or a path.
    pub fn parse(text: &str) -> Option<Self> {
        let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (host, port) = text.split_at(end);
        // `Host::parse` decodes percent signs, and maps characters that no host name in a request contains.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if !host.bytes().all(is_plain) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None => port.is_empty().then_some(None)?,
            // RFC 9110 §7.2 allows an empty port.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self::new(Host::parse(host).ok()?, port))
    }

    /// Combines a host and a port. A final dot of the host is dropped.
    pub(crate) fn new(host: Host, port: Option<u16>) -> Self {
        let host = match host {
            Host::Domain(name) => Host::Domain(name.strip_suffix('.').map_or(name.clone(), str::to_owned)),
            address => address,
        };
        Self { host, port }
    }

    /// Returns the port, if the text named one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the authority with `default` as its port, unless it has one.
    #[must_use]
    pub fn or_port(self, default: u16) -> Self {
        Self { port: self.port.or(Some(default)), ..self }
    }

    /// Returns whether two authorities have the same host, whatever their ports.
    pub fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Returns whether the host is `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => IpAddr::from(*address).to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Authority {
        Authority::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn spellings_of_one_host_are_equal() {
        let host = parsed("keys.example.org").or_port(443);
        for text in ["KEYS.example.org:443", "keys.example.org.", "keys.example.org.:443", "keys.example.org:"] {
            assert_eq!(parsed(text).or_port(443), host, "{text}");
        }
        assert_ne!(parsed("keys.example.org:80").or_port(443), host);
        assert_eq!(parsed("[2001:DB8:0::1]:8443"), parsed("[2001:db8::1]:8443"));
        assert!(parsed("keys.example.org:1").has_host_of(&host));
    }

    #[test]
    fn only_a_host_and_a_port_are_an_authority() {
        for text in [
            "",
            ":443",
            "keys.example.org:443/",
            "keys.example.org/path",
            "ada@keys.example.org",
            "keys.example.org:99999",
            "keys.example.org:+1",
            "keys.example.org:443:443",
            "%6beys.example.org",
            "keys .example.org",
            "[::1",
            "[::1]x",
            "::1",
            "schlüssel.example",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
        assert_eq!(parsed("latch_key:3000").port(), Some(3000), "as services in a container network may be named");
    }

    #[test]
    fn loopback_has_several_names() {
        for text in ["localhost", "LOCALHOST.:3000", "127.0.0.1", "127.8.0.1:80", "[::1]:3000", "[::ffff:127.0.0.1]"] {
            assert!(parsed(text).is_loopback(), "{text}");
        }
        assert!(!parsed("localhost.example.org").is_loopback() && !parsed("[2001:db8::1]").is_loopback());
    }
}
