//! Rotation: keys that replace other keys.

use chrono::{DateTime, Utc};
use domain::KeyId;
use uuid::Uuid;

use super::{
    Tx,
    db::{change, run},
    lifecycle::{expiry, not_ended},
    micros,
};
use crate::{access::WritePermit, error::Result};

/// Marks a key as replaced and moves its expiry to `until`, unless it expires before that. Returns false if it has
/// ended, is suspended itself or is already replaced.
pub(crate) async fn replace(
    tx: &mut Tx,
    permit: &WritePermit,
    old: KeyId,
    new: KeyId,
    at: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET replaced_by = $3, rolled_at = $4, expires_before_roll = expires_at, \
             expires_at = CASE WHEN expires_at IS NULL OR expires_at > $5 THEN $5 ELSE expires_at END \
             WHERE id = $1 AND tenant_id = $2 AND replaced_by IS NULL AND revoked_at IS NULL AND suspended_at IS NULL AND ",
            not_ended!("lifecycle"),
            " AND ",
            expiry!("expires_at"),
            " > $4"
        ))
        .bind(old.0)
        .bind(permit.tenant_id().0)
        .bind(new.0)
        .bind(micros(at))
        .bind(micros(until))
    )?;
    Ok(rows == 1)
}

/// Ends the grace period of a rotated key at `until`, but no later than the key's expiry before the rotation. Returns
/// false if the key isn't in its grace period.
pub(crate) async fn extend(
    tx: &mut Tx,
    permit: &WritePermit,
    old: KeyId,
    at: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET expires_at = CASE WHEN expires_before_roll IS NULL OR expires_before_roll > $4 THEN $4 \
             ELSE expires_before_roll END \
             WHERE id = $1 AND tenant_id = $2 AND replaced_by IS NOT NULL AND revoked_at IS NULL AND ",
            not_ended!("lifecycle"),
            " AND expires_at > $3"
        ))
        .bind(old.0)
        .bind(permit.tenant_id().0)
        .bind(micros(at))
        .bind(micros(until))
    )?;
    Ok(rows == 1)
}

/// Undoes the rotation of an old key and restores its expiry. Returns false if the key isn't in its grace period.
pub(crate) async fn undo(tx: &mut Tx, permit: &WritePermit, old: KeyId, at: DateTime<Utc>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET expires_at = expires_before_roll, expires_before_roll = NULL, replaced_by = NULL, rolled_at = NULL \
             WHERE id = $1 AND tenant_id = $2 AND replaced_by IS NOT NULL AND revoked_at IS NULL AND ",
            not_ended!("lifecycle"),
            " AND expires_at > $3"
        ))
        .bind(old.0)
        .bind(permit.tenant_id().0)
        .bind(micros(at))
    )?;
    Ok(rows == 1)
}

/// Locks a key that `new` replaces, directly or through further rotations, until the transaction ends. Returns false if
/// the key is revoked or `new` doesn't replace it.
pub(crate) async fn lock_replaced(tx: &mut Tx, old: KeyId, new: KeyId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET replaced_by = replaced_by WHERE id = $1 AND revoked_at IS NULL AND EXISTS (\
             WITH RECURSIVE successors (next) AS (SELECT l.replaced_by FROM api_keys l WHERE l.id = $1 \
             UNION ALL SELECT l.replaced_by FROM api_keys l JOIN successors ON l.id = successors.next) \
             SELECT 1 FROM successors WHERE successors.next = $2)"
        )
        .bind(old.0)
        .bind(new.0)
    )?;
    Ok(rows == 1)
}

/// Passes on to `new` the key that the first use of `old` would have ended. For a key that is rotated before its first
/// use.
pub(crate) async fn transfer_ends_key(tx: &mut Tx, old: KeyId, new: KeyId) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET ends_key = (SELECT o.ends_key FROM api_keys o WHERE o.id = $1) WHERE id = $2 AND ends_key IS NULL"
        )
        .bind(old.0)
        .bind(new.0)
    )?;
    Ok(())
}

/// Finds the key that the first use of `key` ends.
pub(crate) async fn find_ends_key(tx: &mut Tx, key: KeyId) -> Result<Option<KeyId>> {
    let ends: Option<Option<Uuid>> =
        run!(tx, c => sqlx::query_scalar("SELECT ends_key FROM api_keys WHERE id = $1").bind(key.0).fetch_optional(c))?;
    Ok(ends.flatten().map(KeyId))
}

/// Records that the first use of the new key has been handled.
pub(crate) async fn clear_ends_key(tx: &mut Tx, new: KeyId) -> Result<()> {
    change!(tx, sqlx::query("UPDATE api_keys SET ends_key = NULL WHERE id = $1").bind(new.0))?;
    Ok(())
}
