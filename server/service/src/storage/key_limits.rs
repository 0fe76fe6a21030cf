//! The limits in the rows of keys.

use domain::{AllowedAddresses, KeyId, KeyLimits, RateLimit};

use super::{Tx, db::change, keys::ids_of};
use crate::{access::WritePermit, error::Result};

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

/// Changes the limits of a key of the permit's owner, if they are still `before`. Returns false if they aren't, or if the
/// key is revoked or doesn't exist.
pub(crate) async fn change(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    before: &KeyLimits,
    after: &KeyLimits,
) -> Result<bool> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let (before, after) = (stored(before), stored(after));
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET allowed_addresses = $8, rate_requests = $9, rate_seconds = $10 WHERE id = $1 AND tenant_id = $2 \
             AND (user_id = $3 OR service_account_id = $4) AND revoked_at IS NULL \
             AND COALESCE(allowed_addresses, '*') = COALESCE($5, '*') AND COALESCE(rate_requests, 0) = COALESCE($6, 0) \
             AND COALESCE(rate_seconds, 0) = COALESCE($7, 0)"
        )
        .bind(id.0)
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(before.0)
        .bind(before.1)
        .bind(before.2)
        .bind(after.0)
        .bind(after.1)
        .bind(after.2)
    )?;
    Ok(rows == 1)
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
