//! The limits of a key: the addresses from which it may be used, and how often. Only the server reads and checks them:
//! the code for networks would add 8 kB to what the browser loads, a tenth of it.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::{ApiError, FieldError, scope::shortened, usage::number_text};

/// The most networks that a key can be limited to.
pub const MAX_NETWORKS: usize = 32;
/// The most requests of a rate limit.
pub const MAX_REQUESTS: u32 = 1_000_000;
/// The longest window of a rate limit, in seconds.
pub const MAX_WINDOW: u32 = 86_400;

/// Why a text isn't a list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A part is neither an address nor a network.
    #[error(
        "“{}” is neither an IP address nor a network. Use a form like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32.",
        shortened(.0)
    )]
    Malformed(String),
    /// A network has bits set after its prefix.
    #[error("{typed} isn't the start of a network. Use {network} for the whole network, or {address} for one address.")]
    HostBits {
        /// The network as it was understood.
        typed: IpNet,
        /// The network that contains it.
        network: IpNet,
        /// Its address alone.
        address: IpAddr,
    },
    /// There are more than [`MAX_NETWORKS`].
    #[error("A key can be limited to at most {MAX_NETWORKS} addresses and networks.")]
    TooMany,
    /// There is none.
    #[error("List at least one address or network, or leave out the list to allow all.")]
    Empty,
}

/// The networks from which a key may be used: sorted, without duplicates, at most [`MAX_NETWORKS`]. The default is none,
/// which allows no address. IPv4 addresses in IPv6 form (`::ffff:203.0.113.7`) are IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AllowedAddresses(Vec<IpNet>);

impl AllowedAddresses {
    /// Parses addresses and networks (CIDR) that are separated by spaces or commas.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        let mut networks = parts.map(network).collect::<Result<Vec<_>, _>>()?;
        networks.sort_unstable();
        networks.dedup();
        match networks.len() {
            0 => Err(AddressError::Empty),
            1..=MAX_NETWORKS => Ok(Self(networks)),
            _ => Err(AddressError::TooMany),
        }
    }

    /// Joins the items of a list, as [`AllowedAddresses::parse`] reads them.
    ///
    /// # Errors
    /// A field error at `allowed_addresses` for an empty list: a script that lists nothing by mistake must not allow all.
    pub fn text_of(list: &[String]) -> Result<String, ApiError> {
        let text = list.join(" ");
        if text.split([' ', ',']).all(|part| part.trim().is_empty()) {
            return Err(ApiError::field("allowed_addresses", AddressError::Empty.to_string()));
        }
        Ok(text)
    }

    /// Returns whether an address is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns whether every address of another list is in one of these networks.
    pub fn includes(&self, other: &Self) -> bool {
        let own = IpNet::aggregate(&self.0);
        other.0.iter().all(|network| own.iter().any(|one| one.contains(network)))
    }

    /// Returns the networks in CIDR notation, in their order.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|network| !other.0.contains(network)).copied().collect())
    }
}

/// Parses an address or a network.
fn network(text: &str) -> Result<IpNet, AddressError> {
    let malformed = || AddressError::Malformed(text.to_owned());
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| malformed())?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(bits), decimal).ok_or_else(malformed)?;
    let (address, prefix) = match address.to_canonical() {
        mapped if mapped != address && prefix >= 96 => (mapped, prefix - 96),
        _ => (address, prefix),
    };
    let typed = IpNet::new(address, prefix).map_err(|_| malformed())?;
    let network = typed.trunc();
    if network == typed { Ok(network) } else { Err(AddressError::HostBits { typed, network, address }) }
}

/// Parses a number below 1,000 without a sign and without leading zeros, which other programs read as octal.
fn decimal(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// The networks in CIDR notation, separated by spaces.
impl fmt::Display for AllowedAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Why a text isn't a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    /// The number of requests is out of range.
    #[error("Enter a whole number of requests between 1 and 1,000,000.")]
    Requests,
    /// The window is out of range.
    #[error("Choose second, minute, hour or day, or a number of seconds between 1 and 86,400.")]
    Window,
}

/// How often a key may be used: so many requests at once, and as many again spread over each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    requests: u32,
    seconds: u32,
}

impl RateLimit {
    /// The windows with a name: the name, and the length in seconds.
    pub const WINDOWS: [(&str, u32); 4] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", MAX_WINDOW)];
    /// The lowest limit.
    pub const LOWEST: Self = Self { requests: 1, seconds: MAX_WINDOW };

    /// Creates a limit of a number of requests per window of some seconds.
    ///
    /// # Errors
    /// [`RateLimitError`].
    pub fn new(requests: u32, seconds: u32) -> Result<Self, RateLimitError> {
        match (requests, seconds) {
            (1..=MAX_REQUESTS, 1..=MAX_WINDOW) => Ok(Self { requests, seconds }),
            (1..=MAX_REQUESTS, _) => Err(RateLimitError::Window),
            _ => Err(RateLimitError::Requests),
        }
    }

    /// Parses a number of requests and a window: one of the names, or a number of seconds.
    ///
    /// # Errors
    /// [`RateLimitError`].
    pub fn parse(requests: &str, window: &str) -> Result<Self, RateLimitError> {
        let requests = whole(requests).ok_or(RateLimitError::Requests)?;
        let named = Self::WINDOWS.into_iter().find(|(name, _)| *name == window.trim());
        let seconds = named.map(|(_, seconds)| seconds).or_else(|| whole(window)).ok_or(RateLimitError::Window)?;
        Self::new(requests, seconds)
    }

    /// Returns the number of requests per window.
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// Returns the length of the window, in seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Returns the code of the window: its name or, without one, the number of seconds.
    pub fn window(self) -> String {
        self.window_name().map_or_else(|| self.seconds.to_string(), str::to_owned)
    }

    fn window_name(self) -> Option<&'static str> {
        Self::WINDOWS.into_iter().find(|(_, seconds)| *seconds == self.seconds).map(|(name, _)| name)
    }

    /// Returns whether another limit never allows a request that this one doesn't.
    pub fn includes(self, other: Self) -> bool {
        let product = |requests: u32, seconds: u32| u64::from(requests) * u64::from(seconds);
        self.requests >= other.requests
            && product(self.requests, other.seconds) >= product(other.requests, self.seconds)
    }
}

/// "600 requests a minute", "1 request an hour", "5 requests in 90 seconds".
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.requests == 1 { "" } else { "s" };
        write!(f, "{} request{plural} ", number_text(self.requests.into()))?;
        match self.window_name() {
            Some("hour") => f.write_str("an hour"),
            Some(name) => write!(f, "a {name}"),
            None => write!(f, "in {} seconds", number_text(self.seconds.into())),
        }
    }
}

/// Parses a number without a sign.
fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The limits of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyLimits {
    /// The addresses from which it may be used; all, if `None`.
    pub addresses: Option<AllowedAddresses>,
    /// How often it may be used; any number of times, if `None`.
    pub rate: Option<RateLimit>,
}

impl KeyLimits {
    /// Reads the fields of a form. A missing or empty field is no limit.
    ///
    /// # Errors
    /// Field errors at `allowed_addresses` and `rate_limit`.
    pub fn parse(addresses: Option<&str>, requests: Option<&str>, window: Option<&str>) -> Result<Self, ApiError> {
        let filled = |text: &&str| !text.trim().is_empty();
        let addresses = addresses.filter(filled).map(AllowedAddresses::parse).transpose();
        let rate = requests.filter(filled).map(|text| RateLimit::parse(text, window.unwrap_or_default())).transpose();
        match (addresses, rate) {
            (Ok(addresses), Ok(rate)) => Ok(Self { addresses, rate }),
            (addresses, rate) => {
                let wrong = |field: &str, message| FieldError { field: field.to_owned(), message };
                let addresses = addresses.err().map(|error| wrong("allowed_addresses", error.to_string()));
                let rate = rate.err().map(|error| wrong("rate_limit", error.to_string()));
                Err(ApiError::fields(addresses.into_iter().chain(rate).collect()))
            }
        }
    }

    /// Returns whether there is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.addresses.is_none() && self.rate.is_none()
    }

    /// Returns whether other limits allow no request that these don't.
    pub fn includes(&self, other: &Self) -> bool {
        let addresses = match (&self.addresses, &other.addresses) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own.includes(other),
        };
        let rate = match (self.rate, other.rate) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own.includes(other),
        };
        addresses && rate
    }

    /// Returns what changes with other limits, for the audit log: "addresses: added 192.0.2.0/24; rate: 5 requests a
    /// second instead of none".
    pub fn difference(&self, after: &Self) -> String {
        let rate = |limit: Option<RateLimit>| limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        let addresses = (self.addresses != after.addresses)
            .then(|| format!("addresses: {}", addresses_changed(self.addresses.as_ref(), after.addresses.as_ref())));
        let rate =
            (self.rate != after.rate).then(|| format!("rate: {} instead of {}", rate(after.rate), rate(self.rate)));
        let parts: Vec<String> = addresses.into_iter().chain(rate).collect();
        if parts.is_empty() { "unchanged".to_owned() } else { parts.join("; ") }
    }

    /// Returns the limits as a form repeats what it showed; "none" if there are none.
    pub fn text(&self) -> String {
        if self.is_unlimited() { "none".to_owned() } else { self.audit_text() }
    }

    /// Returns the limits for the audit log; empty if there are none.
    pub fn audit_text(&self) -> String {
        let addresses = self.addresses.iter().map(|addresses| format!("only from {addresses}"));
        addresses.chain(self.rate.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
    }
}

fn addresses_changed(before: Option<&AllowedAddresses>, after: Option<&AllowedAddresses>) -> String {
    match (before, after) {
        (_, None) => "all allowed".to_owned(),
        (None, Some(after)) => format!("limited to {after}"),
        (Some(before), Some(after)) => {
            let of = |word: &str, list: AllowedAddresses| (!list.0.is_empty()).then(|| format!("{word} {list}"));
            let parts = [of("added", after.without(before)), of("removed", before.without(after))];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AllowedAddresses {
        AllowedAddresses::parse(text).unwrap()
    }

    fn wrong(text: &str) -> String {
        AllowedAddresses::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn addresses_and_networks_have_one_normal_form() {
        for (typed, normal) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0:0::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:cb00:7107/128", "203.0.113.7/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("10.0.0.1,10.0.0.0/8\n 10.0.0.1/32 ::ffff:10.0.0.1", "10.0.0.0/8 10.0.0.1/32"),
            ("::1 192.0.2.1", "192.0.2.1/32 ::1/128"),
        ] {
            let parsed = list(typed);
            assert_eq!(parsed.to_string(), normal, "{typed}");
            assert_eq!(list(&parsed.to_string()), parsed, "{typed}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "localhost",
            "203.0.113",
            "203.0.113.07",
            "0x7f.0.0.1",
            "2130706433",
            "203.0.113.7:80",
            "[2001:db8::1]",
            "fe80::1%eth0",
            "10.0.0.0/",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/33",
            "10.0.0.0/256",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/8/8",
            "2001:db8::/129",
            "*",
            "10.0.0.*",
            "10.0.0.1-10.0.0.9",
            "１０.0.0.1",
            "10.0.0.1;10.0.0.2",
        ] {
            assert!(wrong(text).contains("neither an IP address nor a network"), "{text}");
        }
        let too_many: Vec<String> = (0..=MAX_NETWORKS).map(|n| format!("10.0.0.{n}")).collect();
        assert_eq!(wrong(&too_many.join(" ")), "A key can be limited to at most 32 addresses and networks.");
        assert_eq!(list(&too_many[1..].join(" ")).iter().count(), MAX_NETWORKS);
        assert_eq!(AllowedAddresses::parse(" , "), Err(AddressError::Empty));
        let token = format!("lku_{}", "a".repeat(38));
        assert!(!wrong(&token).contains(&token));
    }

    #[test]
    fn a_message_names_the_right_network() {
        let message = "10.0.0.5/8 isn't the start of a network. Use 10.0.0.0/8 for the whole network, or 10.0.0.5 for \
                       one address.";
        assert_eq!(wrong("10.0.0.5/8"), message);
        assert!(wrong("::ffff:10.0.0.5/104").contains("Use 10.0.0.0/8"));
        assert!(wrong("2001:db8::1/32").contains("Use 2001:db8::/32"));
        assert!(wrong("192.0.2.1/0").contains("Use 0.0.0.0/0"));
    }

    #[test]
    fn a_list_contains_the_addresses_of_its_networks() {
        let allowed = list("203.0.113.0/24 2001:db8::/32");
        for (address, expected) in [
            ("203.0.113.0", true),
            ("203.0.113.255", true),
            ("203.0.114.0", false),
            ("::ffff:203.0.113.9", true),
            ("::203.0.113.9", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(allowed.contains(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!list("::/0").contains("::ffff:203.0.113.9".parse().unwrap()), "an IPv4 address");
        assert!(!AllowedAddresses::default().contains("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn wider_limits_are_told_from_narrower_ones() {
        let limits = |addresses: &str, rate: &str| {
            let (requests, window) = rate.split_once('/').unwrap_or_default();
            KeyLimits::parse(Some(addresses), Some(requests), Some(window)).unwrap()
        };
        for (wide, narrow) in [
            ("", "10.0.0.0/8"),
            ("10.0.0.0/8", "10.1.0.0/16 10.2.3.4"),
            ("10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8"),
            ("10.0.0.0/8 ::1", "10.0.0.0/8"),
        ] {
            assert!(limits(wide, "").includes(&limits(narrow, "")), "{wide} and {narrow}");
        }
        for (narrow, wide) in [("10.0.0.0/8", ""), ("10.0.0.0/8", "10.0.0.0/7"), ("10.0.0.1", "::1")] {
            assert!(!limits(narrow, "").includes(&limits(wide, "")), "{narrow} and {wide}");
        }
        for (high, low) in [("", "5/second"), ("60/minute", "1/second"), ("60/minute", "60/hour"), ("2/1", "2/second")]
        {
            assert!(limits("", high).includes(&limits("", low)), "{high} and {low}");
        }
        for (low, high) in [("5/second", ""), ("1/second", "60/minute"), ("60/hour", "60/minute"), ("5/90", "6/90")] {
            assert!(!limits("", low).includes(&limits("", high)), "{low} and {high}");
        }
        assert!(!limits("10.0.0.1", "5/second").includes(&limits("10.0.0.1", "6/second")), "both have to fit");
    }

    #[test]
    fn rate_limits_are_read_and_written() {
        for (requests, window, text) in [
            ("600", "minute", "600 requests a minute"),
            ("1", "hour", "1 request an hour"),
            (" 1000000 ", "day", "1,000,000 requests a day"),
            ("5", "90", "5 requests in 90 seconds"),
            ("5", "60", "5 requests a minute"),
            ("5", "86400", "5 requests a day"),
        ] {
            let limit = RateLimit::parse(requests, window).unwrap();
            assert_eq!(limit.to_string(), text);
            assert_eq!(RateLimit::parse(&limit.requests().to_string(), &limit.window()), Ok(limit));
        }
        for requests in ["0", "1000001", "+5", "-5", "5.0", "1e3", "4294967297", "five"] {
            assert_eq!(RateLimit::parse(requests, "minute"), Err(RateLimitError::Requests), "{requests}");
        }
        for window in ["", "0", "86401", "week", "Minute", "-1"] {
            assert_eq!(RateLimit::parse("5", window), Err(RateLimitError::Window), "{window}");
        }
        let both = KeyLimits::parse(Some("x"), Some("x"), None).unwrap_err();
        assert!(both.at("allowed_addresses").is_some() && both.at("rate_limit").is_some());
        assert_eq!(KeyLimits::parse(Some(" "), Some(""), Some("minute")), Ok(KeyLimits::default()));
    }

    #[test]
    fn the_difference_names_what_changes() {
        let limits = |addresses, requests| KeyLimits::parse(Some(addresses), Some(requests), Some("minute")).unwrap();
        let (none, some) = (KeyLimits::default(), limits("10.0.0.0/8", "5"));
        assert_eq!(
            none.difference(&some),
            "addresses: limited to 10.0.0.0/8; rate: 5 requests a minute instead of no limit"
        );
        assert_eq!(some.difference(&limits("192.0.2.1", "5")), "addresses: added 192.0.2.1/32, removed 10.0.0.0/8");
        assert_eq!(some.difference(&none), "addresses: all allowed; rate: no limit instead of 5 requests a minute");
        assert_eq!(some.difference(&some), "unchanged");
        assert_eq!(some.audit_text(), "only from 10.0.0.0/8; 5 requests a minute");
    }
}
