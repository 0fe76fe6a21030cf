//! The columns with the limits of a key.

use domain::{AllowedAddresses, KeyLimits, RateLimit};

/// Returns the limits in a row. Unreadable values, from a change outside of the service, allow as little as possible.
pub(crate) fn limits_of(addresses: Option<&str>, requests: Option<i64>, seconds: Option<i64>) -> KeyLimits {
    let rate = |requests: Option<i64>, seconds: Option<i64>| {
        let (requests, seconds) = (u32::try_from(requests?).ok()?, u32::try_from(seconds?).ok()?);
        RateLimit::new(requests, seconds).ok()
    };
    KeyLimits {
        addresses: addresses.map(|text| AllowedAddresses::parse(text).unwrap_or_default()),
        rate: requests.or(seconds).map(|_| rate(requests, seconds).unwrap_or(RateLimit::LOWEST)),
    }
}

/// Returns the values of limits in a row.
pub(crate) fn stored(limits: &KeyLimits) -> (Option<String>, Option<i64>, Option<i64>) {
    let addresses = limits.addresses.as_ref().map(ToString::to_string);
    let number = |read: fn(RateLimit) -> u32| limits.rate.map(read).map(i64::from);
    (addresses, number(RateLimit::requests), number(RateLimit::seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cant_be_read_allows_as_little_as_possible() {
        let readable = limits_of(Some("10.0.0.0/8"), Some(5), Some(60));
        assert_eq!(stored(&readable), (Some("10.0.0.0/8".to_owned()), Some(5), Some(60)));
        assert_eq!(limits_of(None, None, None), KeyLimits::default());
        let unreadable = limits_of(Some("anywhere"), Some(0), None);
        assert_eq!(unreadable.rate, Some(RateLimit::LOWEST));
        assert!(unreadable.addresses.is_some_and(|list| !list.contains("10.0.0.1".parse().unwrap())));
    }
}
