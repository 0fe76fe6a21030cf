//! Validated settings of the server.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use http::HeaderName;
use ipnet::{IpNet, Ipv4Net};
use url::Url;

use crate::{accept::Drain, assets::Assets, authority::Authority, report_keys::ReportKeys};

/// The site's public URL, and the settings that depend on it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme, host and port, without a path or a default port: `https://keys.example.org`.
    pub public_url: String,
    /// Whether the public URL is `https`.
    pub is_secure: bool,
    /// Whether the host is a loopback address.
    pub is_loopback: bool,
    /// The built browser files.
    pub assets: Arc<Assets>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the server is about to stop.
    pub drain: Drain,
    /// Which leak reports are accepted.
    pub leak_reports: LeakReportRules,
    /// The header besides `Authorization` in which the verification endpoints find a key.
    pub key_header: HeaderName,
    /// The public host, with its port.
    public: Authority,
    /// Further hosts. One without a port matches every port.
    further_hosts: Vec<Authority>,
    session_cookie: Arc<str>,
    /// The address of a proxy that isn't trusted, once one was noticed.
    unknown_proxy: Arc<OnceLock<IpAddr>>,
}

/// Which leak reports are accepted.
#[derive(Clone, Debug, Default)]
pub struct LeakReportRules {
    /// The keys of signed reports. Without them, signatures are ignored.
    pub keys: Option<ReportKeys>,
    /// Whether unsigned reports are refused.
    pub requires_signature: bool,
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
        let (is_secure, authority) = split(public_url)?;
        let is_loopback = authority.is_loopback();
        if !is_secure && !is_loopback && !allow_http {
            return Err(SiteError::Insecure);
        }
        Ok(Self {
            public_url: format!("{}://{authority}", scheme(is_secure)),
            is_secure,
            is_loopback,
            assets: Arc::new(assets),
            trusted_proxies: Vec::new(),
            drain: Drain::default(),
            key_header: HeaderName::from_static("x-api-key"),
            leak_reports: LeakReportRules::default(),
            session_cookie: session_cookie(is_secure, authority.port()).into(),
            public: authority.or_port(default_port(is_secure)),
            further_hosts: Vec::new(),
            unknown_proxy: Arc::default(),
        })
    }

    /// Returns the site behind proxies that send their clients' addresses in `X-Forwarded-For`.
    #[must_use]
    pub fn behind(self, trusted_proxies: Vec<IpNet>) -> Self {
        Self { trusted_proxies, ..self }
    }

    /// Returns the site that also answers under other hosts, such as a name inside a private network.
    #[must_use]
    pub fn with_hosts(self, further_hosts: Vec<Authority>) -> Self {
        Self { further_hosts, ..self }
    }

    /// Returns the site with other rules for leak reports.
    #[must_use]
    pub fn with_leak_reports(self, leak_reports: LeakReportRules) -> Self {
        Self { leak_reports, ..self }
    }

    /// Returns the site that also reads keys from another header than `X-API-Key`.
    #[must_use]
    pub fn with_key_header(self, key_header: HeaderName) -> Self {
        Self { key_header, ..self }
    }

    /// Returns whether an address belongs to a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|proxies| proxies.contains(&address))
    }

    /// Returns the public host, with its port unless it is the default.
    pub fn public_host(&self) -> &str {
        self.public_url.split_once("://").map_or("", |(_, host)| host)
    }

    /// Returns whether a `Host` header names this site. If the site is on loopback, every loopback name does.
    pub fn is_host(&self, host: &str) -> bool {
        Authority::parse(host).is_some_and(|host| self.is_own(&host, default_port(self.is_secure)))
    }

    fn is_own(&self, host: &Authority, default_port: u16) -> bool {
        let full = host.clone().or_port(default_port);
        let is_further = |own: &Authority| if own.port().is_some() { *own == full } else { own.has_host_of(host) };
        full == self.public || (self.is_loopback && host.is_loopback()) || self.further_hosts.iter().any(is_further)
    }

    /// Returns whether an `Origin` header is this site's own, given the request's `Host`: the public URL, or the host
    /// that the browser's request itself names.
    pub fn is_origin(&self, origin: &str, host: &str) -> bool {
        let Ok((is_secure, authority)) = split(origin) else { return false };
        let port = default_port(is_secure);
        let full = authority.clone().or_port(port);
        if full == self.public {
            return is_secure == self.is_secure;
        }
        let is_of_request = Authority::parse(host).is_some_and(|host| host.or_port(port) == full);
        is_of_request && self.is_own(&authority, port)
    }

    /// Returns the name of the session cookie. Browsers send a host's cookies to all its ports, so the name contains the
    /// port unless it is the default: two servers on one host don't overwrite each other's cookie.
    pub fn session_cookie(&self) -> &str {
        &self.session_cookie
    }

    /// Records that clients connect through a proxy that isn't trusted. Returns whether this is news.
    pub(crate) fn record_unknown_proxy(&self, address: IpAddr) -> bool {
        self.unknown_proxy.set(address).is_ok()
    }

    /// Returns what the settings allow and is hardly meant.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.hides_clients() {
            warnings.push(
                "--trusted-proxy isn't set: all clients appear to come from the TLS proxy and share its rate limits"
                    .to_owned(),
            );
        }
        for network in self.trusted_proxies.iter().filter(|network| network.prefix_len() == 0) {
            warnings.push(format!(
                "--trusted-proxy {network} trusts every client: anybody can choose the address that rate limits, allowed \
                 addresses and the audit log see. Set the address of the proxy"
            ));
        }
        warnings
    }

    /// Returns whether clients connect through a proxy that isn't trusted, and so appear to have its address. Behind an
    /// https URL without a trusted proxy, all do: this server doesn't terminate TLS.
    pub(crate) fn hides_clients(&self) -> bool {
        (self.is_secure && self.trusted_proxies.is_empty()) || self.unknown_proxy.get().is_some()
    }
}

/// Splits `scheme://host[:port]` into whether the scheme is `https`, and the host. A default port is dropped.
fn split(url: &str) -> Result<(bool, Authority), SiteError> {
    if !url.contains("://") {
        return Err(SiteError::Malformed);
    }
    let url = Url::parse(url.trim()).map_err(|_| SiteError::Malformed)?;
    let is_secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(SiteError::Malformed),
    };
    let has_more = !url.path().trim_end_matches('/').is_empty() || url.query().is_some() || url.fragment().is_some();
    let has_user = !url.username().is_empty() || url.password().is_some();
    let host = url.host().filter(|_| !has_more && !has_user).ok_or(SiteError::Malformed)?;
    Ok((is_secure, Authority::new(host.to_owned(), url.port())))
}

fn scheme(is_secure: bool) -> &'static str {
    if is_secure { "https" } else { "http" }
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// Without TLS, browsers would reject the prefix (RFC 6265bis §4.1.3.2). `port`: of the public URL, unless it is the
/// default.
fn session_cookie(is_secure: bool, port: Option<u16>) -> String {
    let prefix = if is_secure { "__Host-" } else { "" };
    let suffix = port.map(|port| format!("-{port}")).unwrap_or_default();
    format!("{prefix}latchkey{suffix}")
}

/// Parses a public URL, and returns it without a default port, a final dot or capital letters.
///
/// # Errors
/// [`SiteError::Malformed`], as a text.
pub fn parse_public_url(text: &str) -> Result<String, String> {
    let (is_secure, authority) = split(text).map_err(|error| error.to_string())?;
    Ok(format!("{}://{authority}", scheme(is_secure)))
}

/// Parses a further host of the site, with or without a port.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_host(text: &str) -> Result<Authority, String> {
    Authority::parse(text.trim()).ok_or_else(|| "expected a host, like latchkey.internal or latchkey:3000".to_owned())
}

/// Parses a proxy's address, or a network of proxies: `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_proxy(text: &str) -> Result<IpNet, String> {
    let address = text.trim().parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.trim().parse());
    let network = network.map_err(|_| "expected an address or network, like 10.0.0.0/8".to_owned())?;
    without_host_bits(network).map(canonical)
}

/// Refuses a network that is written as one of its addresses: nobody can know whether all of it was meant.
fn without_host_bits(network: IpNet) -> Result<IpNet, String> {
    let meant = network.trunc();
    if meant == network {
        return Ok(network);
    }
    Err(format!("{network} is an address in the network {meant}; write {meant} or {}", network.addr()))
}

/// The length of the prefix of IPv4 addresses in IPv6, `::ffff:0:0/96`.
const MAPPED_PREFIX: u8 = 96;

/// Returns an IPv4 network for one that is written in IPv6: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    let mapped = |network: IpNet| {
        let IpAddr::V4(address) = network.network().to_canonical() else { return None };
        Ipv4Net::new(address, network.prefix_len().checked_sub(MAPPED_PREFIX)?).ok()
    };
    if matches!(network, IpNet::V6(_)) { mapped(network).map_or(network, IpNet::V4) } else { network }
}

/// Headers that mean something else to proxies, browsers or this server, besides [`RESERVED_PREFIXES`].
const RESERVED_HEADERS: [&str; 34] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "www-authenticate",
    "x-real-ip",
    "x-request-id",
];
const RESERVED_PREFIXES: [&str; 8] =
    ["access-control-", "content-", "if-", "proxy-", "sec-", "x-forwarded-", "x-latchkey-", "x-original-"];

/// Parses the name of the header in which other APIs' requests carry a key.
///
/// # Errors
/// A sentence, also if the header already means something else.
pub fn parse_key_header(text: &str) -> Result<HeaderName, String> {
    let name: HeaderName =
        text.trim().parse().map_err(|_| "expected the name of a header, like X-API-Key".to_owned())?;
    let is_reserved = RESERVED_HEADERS.contains(&name.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if is_reserved {
        return Err(format!("{name} has a meaning of its own; choose another header, like X-API-Key"));
    }
    Ok(name)
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

    fn set(url: &str) -> Site {
        site(url).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn only_the_public_host_and_origin_are_the_sites_own() {
        let public = set("https://keys.example.org");
        assert!(public.is_host("KEYS.example.org") && !public.is_host("localhost") && !public.is_host("evil.example"));
        assert!(!public.is_host("keys.example.org:80") && !public.is_host("keys.example.org.evil.example"));
        assert!(public.is_origin("https://keys.example.org", "keys.example.org"));
        for foreign in [
            "http://keys.example.org",
            "http://keys.example.org:443",
            "https://keys.example.org:8443",
            "https://keys.example.org.evil.example",
            "null",
            "",
        ] {
            assert!(!public.is_origin(foreign, "keys.example.org"), "{foreign}");
        }
        let local = set("http://127.0.0.1:3000");
        assert!(local.is_host("localhost:4000") && !local.is_host("evil.example:3000"));
        assert!(local.is_origin("http://localhost:4000", "localhost:4000"));
        assert!(!local.is_origin("http://localhost:4000", "localhost:3000"), "another server on this machine");
        assert!(!local.is_origin("http://evil.example", "localhost:4000"));
    }

    #[test]
    fn a_default_port_and_a_final_dot_make_no_difference() {
        let (short, long) = (set("https://keys.example.org"), set("https://KEYS.example.org.:443/"));
        for site in [&short, &long] {
            assert_eq!(site.public_url, "https://keys.example.org");
            assert_eq!(site.session_cookie(), "__Host-latchkey");
            for host in ["keys.example.org", "keys.example.org:443", "Keys.Example.ORG.", "keys.example.org.:443"] {
                assert!(site.is_host(host), "{host}");
                for origin in ["https://keys.example.org", "https://keys.example.org:443", "https://keys.example.org."]
                {
                    assert!(site.is_origin(origin, host), "{origin} at {host}");
                }
            }
        }
        let other = set("https://keys.example.org:8443");
        assert_eq!(other.public_url, "https://keys.example.org:8443");
        assert!(other.is_host("keys.example.org:8443") && !other.is_host("keys.example.org"));
        assert!(!other.is_origin("https://keys.example.org", "keys.example.org:8443"));
        assert_eq!(set("http://localhost:80").public_url, "http://localhost");
        assert_eq!(set("http://[::1]:3000").public_url, "http://[::1]:3000");
        assert_eq!(parse_public_url("https://keys.example.org:443").as_deref(), Ok("https://keys.example.org"));
        assert!(parse_public_url("keys.example.org").is_err() && parse_public_url("https://a@b").is_err());
    }

    #[test]
    fn further_hosts_are_the_sites_own() {
        let hosts = ["latchkey.internal", "latchkey:3000"].map(|host| parse_host(host).unwrap());
        let site = set("https://keys.example.org").with_hosts(hosts.to_vec());
        assert!(site.is_host("latchkey.internal") && site.is_host("LATCHKEY.internal.:8080"));
        assert!(site.is_host("latchkey:3000") && !site.is_host("latchkey") && !site.is_host("latchkey:3001"));
        assert!(site.is_origin("http://latchkey:3000", "latchkey:3000"));
        assert!(site.is_origin("https://keys.example.org", "latchkey:3000"), "behind a proxy that changes the host");
        assert!(!site.is_origin("http://latchkey:3000", "keys.example.org"));
        assert!(parse_host("https://latchkey").is_err() && parse_host("a/b").is_err());
    }

    #[test]
    fn two_servers_on_one_host_have_cookies_of_their_own() {
        let names =
            ["http://localhost:3000", "http://localhost:3001", "http://localhost"].map(|url| set(url).session_cookie);
        assert_eq!(names.each_ref().map(AsRef::as_ref), ["latchkey-3000", "latchkey-3001", "latchkey"]);
        assert_eq!(set("https://keys.example.org:8443").session_cookie(), "__Host-latchkey-8443");
    }

    #[test]
    fn a_key_header_has_no_other_meaning() {
        for name in ["X-API-Key", "api-key", "Ocp-Apim-Subscription-Key", "X-Auth-Token", "Token"] {
            assert!(parse_key_header(name).is_ok(), "{name}");
        }
        for name in
            ["Authorization", "Host", "COOKIE", "Content-Length", "Content-Range", "Transfer-Encoding", "Origin"]
        {
            assert!(parse_key_header(name).is_err_and(|error| error.contains("meaning of its own")), "{name}");
        }
        for name in ["X-Forwarded-For", "Sec-Fetch-Site", "Proxy-Authorization", "x-latchkey-tenant", "If-Match"] {
            assert!(parse_key_header(name).is_err(), "{name}");
        }
        assert!(parse_key_header("a b").is_err() && parse_key_header("").is_err());
    }

    #[test]
    fn a_network_of_proxies_is_not_written_as_one_of_its_addresses() {
        let refused = parse_proxy("10.0.0.1/8").unwrap_err();
        assert_eq!(refused, "10.0.0.1/8 is an address in the network 10.0.0.0/8; write 10.0.0.0/8 or 10.0.0.1");
        assert!(parse_proxy("fd00::1/8").is_err() && parse_proxy("::ffff:10.0.0.1/104").is_err());
        for network in ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.1", "fd00::/8", "::1", "0.0.0.0/0", "::/0"] {
            assert!(parse_proxy(network).is_ok(), "{network}");
        }
    }

    #[test]
    fn trusting_every_proxy_is_worth_a_warning() {
        for (setting, is_everything) in [("0.0.0.0/0", true), ("::/0", true), ("10.0.0.0/8", false), ("::1", false)] {
            let site = set("https://keys.example.org").behind(vec![parse_proxy(setting).unwrap()]);
            assert_eq!(site.warnings().len(), usize::from(is_everything), "{setting}");
        }
        assert!(set("https://keys.example.org").warnings()[0].contains("isn't set"));
        assert!(set("http://localhost:3000").warnings().is_empty());
    }

    #[test]
    fn trusted_proxies_match_in_mapped_form() {
        for (setting, address) in [
            ("10.0.0.1", "::ffff:10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.200.0.1"),
            ("10.0.0.0/8", "::ffff:10.200.0.1"),
            ("fd00::/8", "fd12::1"),
        ] {
            let site = set("http://127.0.0.1").behind(vec![parse_proxy(setting).unwrap()]);
            assert!(site.trusts(address.parse().unwrap()), "{setting} is {address}");
            assert!(!site.trusts("192.0.2.1".parse().unwrap()), "{setting}");
        }
    }
}
