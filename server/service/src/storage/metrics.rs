//! Counts for the metrics, over all tenants.

use chrono::{DateTime, Utc};
use domain::KeyId;
use uuid::Uuid;

use super::{
    Db,
    db::read_list,
    instant,
    keys::{FROM, NOT_REPLACED},
    lifecycle::{self, not_ended},
    micros,
    query::assembled,
};
use crate::error::Result;

const NOT_ENDED: &str = not_ended!("k.lifecycle");

/// A key that expires soon, and that no other key replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringKey {
    /// The key.
    pub key_id: KeyId,
    /// The slug of its tenant.
    pub tenant: String,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
}

/// Counts all keys by their state.
pub(crate) async fn count_by_state(db: &Db) -> Result<Vec<(&'static str, u64)>> {
    let rows: Vec<(i64, i64)> = read_list!(db, c =>
        sqlx::query_as("SELECT lifecycle, COUNT(*) FROM api_keys GROUP BY lifecycle").fetch_all(c))?;
    let count = |state: i64| {
        let found = rows.iter().find(|(known, _)| *known == state);
        found.map_or(0, |(_, count)| u64::try_from(*count).unwrap_or(0))
    };
    let states = [
        ("active", lifecycle::ACTIVE),
        ("suspended", lifecycle::SUSPENDED),
        ("revoked", lifecycle::REVOKED),
        ("expired", lifecycle::EXPIRED),
    ];
    Ok(states.map(|(name, state)| (name, count(state))).to_vec())
}

/// Returns the keys that expire after `now` and until `until` and that no unrevoked key replaces, soonest expiry first.
pub(crate) async fn list_expiring(
    db: &Db,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ExpiringKey>> {
    let sql = format!(
        "SELECT k.id, t.slug, k.expires_at FROM {FROM} WHERE k.expires_at > $1 AND k.expires_at <= $2 AND k.expires_at IS NOT NULL \
         AND {NOT_ENDED} AND {NOT_REPLACED} ORDER BY k.expires_at, k.id LIMIT {limit}"
    );
    let rows: Vec<(Uuid, String, i64)> = read_list!(db, c =>
        sqlx::query_as(assembled(sql)).bind(micros(now)).bind(micros(until)).fetch_all(c))?;
    let key = |(id, tenant, at)| ExpiringKey { key_id: KeyId(id), tenant, expires_at: instant(at) };
    Ok(rows.into_iter().map(key).collect())
}
