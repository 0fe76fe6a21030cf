//! The limits of keys: allowed addresses, and requests per window.

use domain::RateLimit;

words! {
    limits = "Limits";
    allowed_addresses = "Allowed addresses";
    allowed_addresses_hint = "IP addresses and networks, for example 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32. Requests from elsewhere are rejected. Leave empty to allow all.";
    rate_limit = "Rate limit";
    rate_limit_hint = "This many requests are accepted immediately, and as many again spread over each window. Leave empty for no limit. Each server counts separately.";
    window = "Window";
    per_second = "per second";
    per_minute = "per minute";
    per_hour = "per hour";
    per_day = "per day";
    lock_myself_out = "Allow a list without my own address";
    none = "None";
    looser_limits_ask_for_a_password = "Only needed to loosen a limit: enter your password again.";

    per_seconds(seconds) = "per {seconds} seconds";
    lock_myself_out_from(address) = "Allow a list without my own address, {address}";
    only_from(addresses) = "Only from {addresses}";
}

/// How often a key may be used: "600 requests a minute, per server".
pub fn rate(limit: RateLimit) -> String {
    format!("{limit}, per server")
}
