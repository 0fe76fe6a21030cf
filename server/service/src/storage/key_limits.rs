//! Changing the limits in the rows of keys.

use domain::{KeyId, KeyLimits};

use super::{Tx, db::change, keys::ids_of, limit_columns::stored};
use crate::{access::WritePermit, error::Result};

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
