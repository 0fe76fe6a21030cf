//! The heads of requests and responses on their way through a gateway: what belongs to one connection only, what a client
//! could forge, and what is secret, is removed.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers of one connection (RFC 9110 §7.6.1), and those that describe how a body is sent, which hyper sets itself.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];
/// Headers by which an upstream would delete Latchkey's cookies of the same host, or send browsers past the gateway.
const OF_THE_HOST: [HeaderName; 2] = [HeaderName::from_static("clear-site-data"), header::ALT_SVC];
/// The prefix of the headers that name the caller to an upstream, with every separator as `-`.
const IDENTITY: &str = "x-latchkey-";
/// Headers that only a proxy may set.
const FROM_PROXY: [&str; 3] = ["forwarded", "x-forwarded-", "x-real-ip"];
/// Headers by which some servers read another method or path than that of the request line, which the rules are about.
const OVERRIDES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
];
/// How the names of Latchkey's cookies begin, apart from the prefix `__Host-`. Browsers send a host's cookies to all ports.
const COOKIES: &str = "latchkey";

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What is known about how a request came.
pub(crate) struct Came<'a> {
    /// The peer of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// Whether that is a trusted proxy.
    pub(crate) is_trusted: bool,
    /// The scheme and the host under which the client reached the gateway, unless a trusted proxy says otherwise.
    pub(crate) scheme: &'a str,
    pub(crate) host: Option<HeaderValue>,
}

/// Returns the names of headers that belong to the connection because its `Connection` says so.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Removes the headers of the connection, and those for which `is_removed`.
fn remove(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let named = named_by_connection(headers);
    let is_removed = |name: &&HeaderName| HOP_BY_HOP.contains(name) || named.contains(name) || is_removed(name);
    // One pass: most of these headers are in no request, and each removal would look for its own.
    let removed: Vec<HeaderName> = headers.keys().filter(is_removed).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Removes from a request what the upstream must not get. `key_header`: in which keys are sent besides `Authorization`.
pub(crate) fn clean(headers: &mut HeaderMap, key_header: &HeaderName, came: &Came<'_>) {
    remove(headers, |name| {
        let is_replaced = [&header::AUTHORIZATION, key_header, &header::CONTENT_LENGTH].contains(&name);
        is_replaced || is_forgery(name, key_header, came)
    });
    remove_cookies(headers);
}

/// Whether a client may not send a header. Servers that turn names into variables read other separators as `-`.
fn is_forgery(name: &HeaderName, key_header: &HeaderName, came: &Came<'_>) -> bool {
    let is_other = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let has_alias = name.as_str().contains(is_other);
    let plain = if has_alias { Cow::from(name.as_str().replace(is_other, "-")) } else { Cow::from(name.as_str()) };
    let is_of_proxy = FROM_PROXY.iter().any(|begin| plain.starts_with(begin));
    plain.starts_with(IDENTITY)
        || OVERRIDES.contains(&&*plain)
        || (is_of_proxy && (!came.is_trusted || has_alias))
        || (has_alias && (plain == "authorization" || plain == key_header.as_str()))
}

fn remove_cookies(headers: &mut HeaderMap) {
    let header::Entry::Occupied(lines) = headers.entry(header::COOKIE) else { return };
    let (_, lines) = lines.remove_entry_mult();
    let lines: Vec<HeaderValue> = lines.collect();
    let cookies = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let kept = cookies.map(<[u8]>::trim_ascii).filter(|cookie| !cookie.is_empty() && !is_own(cookie));
    let kept = kept.collect::<Vec<_>>().join(b"; ".as_slice());
    if let Some(kept) = HeaderValue::from_bytes(&kept).ok().filter(|kept| !kept.is_empty()) {
        headers.insert(header::COOKIE, kept);
    }
}

/// Whether a cookie has a name of Latchkey's.
fn is_own(cookie: &[u8]) -> bool {
    let name = cookie.strip_prefix(b"__Host-").unwrap_or(cookie);
    name.get(..COOKIES.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(COOKIES.as_bytes()))
}

/// Removes from a response what the client must not get.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    // The body is read by the chunks (RFC 9112 §6.3), whatever the length says.
    let has_chunks = headers.contains_key(header::TRANSFER_ENCODING);
    remove(headers, |name| OF_THE_HOST.contains(name) || (has_chunks && *name == header::CONTENT_LENGTH));
    remove_own_cookies(headers);
}

/// Removes from a response the cookies that would take the place of Latchkey's own, which browsers send to all ports of a
/// host: with one, the upstream could sign a person in as somebody else.
fn remove_own_cookies(headers: &mut HeaderMap) {
    let is_own = |line: &HeaderValue| is_own(line.as_bytes().trim_ascii());
    if !headers.get_all(header::SET_COOKIE).iter().any(is_own) {
        return;
    }
    let kept: Vec<_> = headers.get_all(header::SET_COOKIE).iter().filter(|line| !is_own(line)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(header::SET_COOKIE, line);
    }
}

/// Tells the upstream how the request came.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, came: Came<'_>) {
    let mut chain = String::new();
    for line in headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()) {
        if !line.is_empty() {
            chain.push_str(line);
            chain.push_str(", ");
        }
    }
    match came.peer {
        Some(peer) => chain.push_str(&peer.to_string()),
        None => chain.truncate(chain.len().saturating_sub(2)),
    }
    match HeaderValue::try_from(chain) {
        Ok(chain) if !chain.is_empty() => headers.insert(X_FORWARDED_FOR, chain),
        _ => headers.remove(X_FORWARDED_FOR),
    };
    if !headers.contains_key(X_FORWARDED_PROTO)
        && let Ok(scheme) = HeaderValue::from_str(came.scheme)
    {
        headers.insert(X_FORWARDED_PROTO, scheme);
    }
    if let (false, Some(host)) = (headers.contains_key(X_FORWARDED_HOST), came.host) {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_sets_its_own_cookies_but_none_of_latchkeys() {
        let mut headers = HeaderMap::new();
        for line in ["a=1; Path=/", "latchkey=x", " __Host-Latchkey-3000=x; Secure", "notlatchkey=2", "b=latchkey"] {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(line));
        }
        remove_own_cookies(&mut headers);
        let kept: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(kept, ["a=1; Path=/", "notlatchkey=2", "b=latchkey"]);
    }

    fn cleaned(lines: &[(&str, &str)], is_trusted: bool) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let came = Came { peer: Some([192, 0, 2, 1].into()), is_trusted, scheme: "http", host: None };
        clean(&mut headers, &HeaderName::from_static("x-api-key"), &came);
        let mut kept: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        kept.sort();
        kept.join("\n")
    }

    #[test]
    fn nothing_that_is_secret_or_forged_is_forwarded() {
        for (name, value) in [
            ("authorization", "Bearer lks_x"),
            ("x-api-key", "lks_x"),
            ("x_api_key", "lks_x"),
            ("X-Latchkey-Role", "TENANT_ADMIN"),
            ("x_latchkey_role", "TENANT_ADMIN"),
            ("x-latchkey_role", "TENANT_ADMIN"),
            ("x.latchkey.role", "TENANT_ADMIN"),
            ("x~latchkey~role", "TENANT_ADMIN"),
            ("trailer", "x-latchkey-role"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded-prefix", "/x"),
            ("x-real-ip", "1.2.3.4"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
            ("te", "trailers"),
            ("keep-alive", "timeout=1"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("cookie", "latchkey-3000=a; __Host-latchkey=b; LATCHKEY-browser=c"),
        ] {
            let kept = cleaned(&[(name, value)], false);
            assert!(kept.is_empty(), "{kept}");
        }
    }

    #[test]
    fn the_rest_is() {
        let kept = cleaned(&[("cookie", "a=1; latchkey=x"), ("cookie", "b=2"), ("accept", "x")], false);
        assert_eq!(kept, "accept: x\ncookie: a=1; b=2");
        assert_eq!(
            cleaned(&[("connection", "x-a, close, x-latchkey-role"), ("x-a", "1"), ("x-b", "2")], false),
            "x-b: 2"
        );
        assert_eq!(
            cleaned(&[("x-forwarded-for", "1.2.3.4"), ("x_forwarded_for", "5")], true),
            "x-forwarded-for: 1.2.3.4"
        );
    }
}
