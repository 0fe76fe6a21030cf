//! Exposed keys: the keys of reported tokens, and what a report changes.

use chrono::{DateTime, Utc};
use domain::{Exposure, KeyId, Owner, TenantId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::TokenDigest,
    db::{change, read},
    keys::{ids_of, owner_of},
    lifecycle::{expiry, lifecycle, not_ended},
    micros,
};
use crate::{access::WritePermit, error::Result};

/// Where the key of a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) key_id: KeyId,
    pub(crate) tenant_id: TenantId,
    owner: (Option<Uuid>, Option<Uuid>),
}

impl Found {
    pub(crate) fn owner(&self) -> Owner {
        owner_of(self.owner.0, self.owner.1)
    }
}

/// Finds the key of a token, whatever its state.
pub(crate) async fn find(db: &Db, digest: &TokenDigest) -> Result<Option<Found>> {
    let row: Option<(Uuid, Uuid, Option<Uuid>, Option<Uuid>)> = read!(db, c =>
        sqlx::query_as("SELECT id, tenant_id, user_id, service_account_id FROM api_keys WHERE digest = $1")
            .bind(digest.as_slice())
            .fetch_optional(c))?;
    Ok(row.map(|(key, tenant, user, account)| Found {
        key_id: KeyId(key),
        tenant_id: TenantId(tenant),
        owner: (user, account),
    }))
}

/// Records the exposure of a key of the permit's owner, whatever the key's state. Returns false if an earlier report is
/// already recorded, which stays.
pub(crate) async fn record(tx: &mut Tx, permit: &WritePermit, key: KeyId, exposure: &Exposure) -> Result<bool> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET exposed_at = $5, exposed_source = $6, exposed_url = $7 WHERE id = $1 AND tenant_id = $2 \
             AND (user_id = $3 OR service_account_id = $4) AND exposed_at IS NULL"
        )
        .bind(key.0)
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(micros(exposure.at))
        .bind(exposure.source.as_str())
        .bind(exposure.url.as_deref())
    )?;
    Ok(rows == 1)
}

/// Suspends an exposed key of the permit's owner, even if it is already suspended with its service account. Its owner
/// may resume it. Returns false if it is suspended itself or has ended.
pub(crate) async fn suspend(tx: &mut Tx, permit: &WritePermit, key: KeyId, at: DateTime<Utc>) -> Result<bool> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let rows = change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET suspended_at = $5, suspended_by = 'Latchkey, because it was exposed', \
             suspended_by_id = COALESCE(user_id, service_account_id), lifecycle = ",
            lifecycle!(suspended),
            " WHERE id = $1 AND tenant_id = $2 AND (user_id = $3 OR service_account_id = $4) \
             AND suspended_at IS NULL AND ",
            not_ended!("lifecycle"),
            " AND ",
            expiry!("expires_at"),
            " > $5"
        ))
        .bind(key.0)
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(micros(at))
    )?;
    Ok(rows == 1)
}
