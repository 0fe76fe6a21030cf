//! Validated settings of the server.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::Uri;
use ipnet::IpNet;

use crate::assets::Assets;

/// The site's public URL, and the settings that depend on it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme, host and port, without a path: `https://keys.example.org`.
    pub public_url: String,
    /// Host and port, as in a `Host` header.
    pub authority: String,
    /// Whether the public URL is `https`.
    pub is_secure: bool,
    /// Whether the host is a loopback address.
    pub is_loopback: bool,
    /// The built browser files.
    pub assets: Arc<Assets>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
}

/// Why a public URL is rejected. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// The URL isn't of the form `https://host[:port]`.
    #[error("--public-url must be of the form https://host or https://host:port, without a path")]
    Malformed,
    /// The URL is `http` beyond loopback, which would send tokens and sessions unencrypted.
    #[error("--public-url may use http only for loopback; set the https URL of a TLS proxy, or --insecure-http")]
    Insecure,
}

impl Site {
    /// Validates a public URL.
    ///
    /// # Errors
    /// When it is malformed, or is `http` on a host other than loopback without `allow_http`.
    pub fn new(public_url: &str, allow_http: bool, assets: Assets) -> Result<Self, SiteError> {
        let uri: Uri = public_url.trim_end_matches('/').parse().map_err(|_| SiteError::Malformed)?;
        let authority =
            uri.authority().filter(|_| uri.path() == "/" && uri.query().is_none()).ok_or(SiteError::Malformed)?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(SiteError::Malformed),
        };
        let is_loopback = is_loopback_host(authority.host());
        if !is_secure && !is_loopback && !allow_http {
            return Err(SiteError::Insecure);
        }
        let public_url = format!("{}://{authority}", if is_secure { "https" } else { "http" });
        Ok(Self {
            public_url,
            authority: authority.to_string(),
            is_secure,
            is_loopback,
            assets: Arc::new(assets),
            trusted_proxies: Vec::new(),
        })
    }

    /// Returns the site behind proxies that send their clients' addresses in `X-Forwarded-For`.
    #[must_use]
    pub fn behind(self, trusted_proxies: Vec<IpNet>) -> Self {
        Self { trusted_proxies, ..self }
    }

    /// Returns whether an address belongs to a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|proxies| proxies.contains(&address))
    }

    /// Returns whether a `Host` header names this site. If the site is on loopback, every loopback name does.
    pub fn is_host(&self, host: &str) -> bool {
        let name = |text: &str| {
            text.parse::<http::uri::Authority>().map(|authority| authority.host().to_owned()).unwrap_or_default()
        };
        host.eq_ignore_ascii_case(&self.authority) || (self.is_loopback && is_loopback_host(&name(host)))
    }

    /// Returns whether an `Origin` header is this site's own, given the request's `Host`.
    pub fn is_origin(&self, origin: &str, host: &str) -> bool {
        let scheme = if self.is_secure { "https" } else { "http" };
        origin.eq_ignore_ascii_case(&self.public_url)
            || (self.is_loopback && self.is_host(host) && origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")))
    }

    /// Returns the name of the session cookie. Without TLS, browsers would reject the prefix (RFC 6265bis §4.1.3.2).
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure { "__Host-latchkey" } else { "latchkey" }
    }
}

fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Parses a proxy's address, or a network of proxies: `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_proxy(text: &str) -> Result<IpNet, String> {
    let address = text.trim().parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.trim().parse()).map_err(|_| "expected an address or network, like 10.0.0.0/8".to_owned())
}

/// Returns the default public URL: the listening address.
pub fn default_public_url(listen: SocketAddr) -> String {
    format!("http://{listen}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Source;

    fn site(url: &str) -> Result<Site, SiteError> {
        Site::new(url, false, Assets::new(Source::Embedded(|_| None)))
    }

    #[test]
    fn http_is_for_loopback_and_paths_are_refused() {
        assert!(
            site("http://127.0.0.1:3000").is_ok()
                && site("http://localhost").is_ok()
                && site("http://[::1]:3000").is_ok()
        );
        assert_eq!(site("http://keys.example.org").err(), Some(SiteError::Insecure));
        assert!(Site::new("http://keys.example.org", true, Assets::new(Source::Embedded(|_| None))).is_ok());
        assert_eq!(site("https://keys.example.org/path").err(), Some(SiteError::Malformed));
        assert_eq!(site("ftp://keys.example.org").err(), Some(SiteError::Malformed));
    }

    #[test]
    fn only_the_public_host_and_origin_are_the_sites_own() {
        let public = site("https://keys.example.org").unwrap_or_else(|error| panic!("{error}"));
        assert!(public.is_host("KEYS.example.org") && !public.is_host("localhost") && !public.is_host("evil.example"));
        assert!(public.is_origin("https://keys.example.org", "keys.example.org"));
        assert!(
            !public.is_origin("http://keys.example.org", "keys.example.org")
                && !public.is_origin("null", "keys.example.org")
        );
        let local = site("http://127.0.0.1:3000").unwrap_or_else(|error| panic!("{error}"));
        assert!(local.is_host("localhost:4000") && !local.is_host("evil.example:3000"));
        assert!(local.is_origin("http://localhost:4000", "localhost:4000"));
        assert!(!local.is_origin("http://evil.example", "localhost:4000"));
    }
}
