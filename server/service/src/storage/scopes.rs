//! The catalogue of scopes, the scopes in the rows of keys, and the requests that demanded a scope.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    KeyId, Scope, ScopeGrant, ScopeSet, TenantId,
    scope::{Catalogue, CatalogueScope},
    usage::ScopeUse,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    instant, micros,
    query::{containing, in_tenant},
    role_of,
};
use crate::{access::ReadPermit, error::Result};

/// How many rows of usage one transaction deletes.
const SWEPT_AT_ONCE: i64 = 1_000;

/// Returns the grant in a row. An unreadable text, from a change outside of the service, allows nothing.
pub(crate) fn grant_of(stored: Option<&str>) -> ScopeGrant {
    stored.map_or(ScopeGrant::Unscoped, |text| ScopeGrant::Set(ScopeSet::parse(text).unwrap_or_default()))
}

/// Returns the text of a grant in a row.
pub(crate) fn stored(grant: &ScopeGrant) -> Option<String> {
    grant.set().map(ToString::to_string)
}

#[derive(sqlx::FromRow)]
struct Row {
    scope: String,
    description: String,
    least_role: String,
    deprecated_at: Option<i64>,
}

impl Row {
    fn into_entry(self) -> Result<Option<CatalogueScope>> {
        let Ok(scope) = Scope::parse(&self.scope) else { return Ok(None) };
        let (description, least_role) = (self.description, role_of(&self.least_role)?);
        Ok(Some(CatalogueScope { scope, description, least_role, deprecated_at: self.deprecated_at.map(instant) }))
    }
}

const SELECT: &str =
    "SELECT scope, description, least_role, deprecated_at FROM scopes WHERE removed_at IS NULL ORDER BY scope";

fn catalogue_of(rows: Vec<Row>) -> Result<Catalogue> {
    let entries = rows.into_iter().filter_map(|row| row.into_entry().transpose()).collect::<Result<Vec<_>>>()?;
    Ok(Catalogue::new(entries))
}

/// Returns the catalogue.
pub(crate) async fn catalogue(db: &Db) -> Result<Catalogue> {
    catalogue_of(read!(db, c => sqlx::query_as(SELECT).fetch_all(c))?)
}

/// Returns the catalogue from memory or, if it isn't known there, from the database.
pub(crate) async fn known_catalogue(db: &Db) -> Result<Arc<Catalogue>> {
    let memory = db.key_cache();
    if let Some(known) = memory.known_catalogue() {
        return Ok(known);
    }
    let epoch = memory.epoch();
    // Boxed, so that the future of a verification from memory stays small.
    let read = Arc::new(Box::pin(catalogue(db)).await?);
    memory.insert_catalogue(&read, epoch);
    Ok(read)
}

/// Like [`catalogue`], inside a transaction.
pub(crate) async fn catalogue_in(tx: &mut Tx) -> Result<Catalogue> {
    catalogue_of(run!(tx, c => sqlx::query_as(SELECT).fetch_all(c))?)
}

/// Adds a scope to the catalogue, or changes it.
pub(crate) async fn set(tx: &mut Tx, entry: &CatalogueScope, at: DateTime<Utc>) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO scopes (scope, description, least_role, deprecated_at, changed_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (scope) DO UPDATE SET description = excluded.description, least_role = excluded.least_role, \
             deprecated_at = excluded.deprecated_at, changed_at = excluded.changed_at, removed_at = NULL"
        )
        .bind(entry.scope.as_str())
        .bind(entry.description.as_str())
        .bind(entry.least_role.as_str())
        .bind(entry.deprecated_at.map(micros))
        .bind(micros(at))
    )?;
    Ok(())
}

/// Marks a scope as removed, which no key has from now on. Returns false if the catalogue has no such scope.
pub(crate) async fn mark_removed(tx: &mut Tx, scope: &Scope, at: DateTime<Utc>) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE scopes SET removed_at = $2, changed_at = $2 WHERE scope = $1 AND removed_at IS NULL")
            .bind(scope.as_str())
            .bind(micros(at))
    )?;
    Ok(rows == 1)
}

/// Deletes a scope that is marked as removed.
pub(crate) async fn delete_removed(tx: &mut Tx, scope: &Scope) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM scopes WHERE scope = $1 AND removed_at IS NOT NULL").bind(scope.as_str()))?;
    Ok(())
}

/// Returns the scopes that are marked as removed.
pub(crate) async fn list_removed(db: &Db) -> Result<Vec<Scope>> {
    let rows: Vec<String> =
        read!(db, c => sqlx::query_scalar("SELECT scope FROM scopes WHERE removed_at IS NOT NULL").fetch_all(c))?;
    Ok(rows.iter().filter_map(|text| Scope::parse(text).ok()).collect())
}

/// Returns the keys of all tenants that hold a scope and follow a key in the order of their ids, at most `limit`.
pub(crate) async fn list_holders(
    db: &Db,
    scope: &Scope,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<(KeyId, TenantId)>> {
    let rows: Vec<(Uuid, Uuid)> = read_list!(db, c =>
        sqlx::query_as(
            "SELECT k.id, k.tenant_id FROM api_keys k WHERE k.id > $1 AND k.scopes IS NOT NULL \
             AND ' ' || k.scopes || ' ' LIKE $2 ESCAPE '\\' ORDER BY k.id LIMIT $3",
        )
        .bind(after.unwrap_or_default().0)
        .bind(containing(&format!(" {scope} ")))
        .bind(i64::from(limit))
        .fetch_all(c))?;
    Ok(rows.into_iter().map(|(key, tenant)| (KeyId(key), TenantId(tenant))).collect())
}

/// Takes a scope that isn't in the catalogue from a key of any tenant. Returns false if the key doesn't hold it, or the
/// catalogue has it.
pub(crate) async fn take_from(tx: &mut Tx, key: KeyId, scope: &Scope) -> Result<bool> {
    // The scopes are sorted and separated by single spaces, so each is found once.
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET scopes = TRIM(REPLACE(' ' || scopes || ' ', $2, ' ')) WHERE id = $1 \
             AND ' ' || scopes || ' ' LIKE $3 ESCAPE '\\' \
             AND NOT EXISTS (SELECT 1 FROM scopes s WHERE s.scope = $4 AND s.removed_at IS NULL)"
        )
        .bind(key.0)
        .bind(format!(" {scope} "))
        .bind(containing(&format!(" {scope} ")))
        .bind(scope.as_str())
    )?;
    Ok(rows == 1)
}

/// Adds to the requests of a client that demanded a scope of a key.
pub(crate) async fn add_use(tx: &mut Tx, key: KeyId, used: &ScopeUse) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_usage_scopes AS u (key_id, scope, address, user_agent, last_used_at, last_refused_at, use_count, refusal_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key_id, scope, address, user_agent) DO UPDATE SET \
             use_count = u.use_count + excluded.use_count, refusal_count = u.refusal_count + excluded.refusal_count, \
             last_used_at = CASE WHEN COALESCE(u.last_used_at, 0) > COALESCE(excluded.last_used_at, 0) THEN u.last_used_at \
             ELSE excluded.last_used_at END, \
             last_refused_at = CASE WHEN COALESCE(u.last_refused_at, 0) > COALESCE(excluded.last_refused_at, 0) THEN u.last_refused_at \
             ELSE excluded.last_refused_at END"
        )
        .bind(key.0)
        .bind(used.scope.as_str())
        .bind(used.address.as_deref().unwrap_or_default())
        .bind(used.user_agent.as_deref().unwrap_or_default())
        .bind(used.last_used_at.map(micros))
        .bind(used.last_refused_at.map(micros))
        .bind(i64::try_from(used.use_count).unwrap_or(i64::MAX))
        .bind(i64::try_from(used.refusals).unwrap_or(i64::MAX))
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct UseRow {
    scope: String,
    address: String,
    user_agent: String,
    last_used_at: Option<i64>,
    last_refused_at: Option<i64>,
    use_count: i64,
    refusal_count: i64,
}

impl UseRow {
    fn into_use(self) -> Option<ScopeUse> {
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Some(ScopeUse {
            scope: Scope::parse(&self.scope).ok()?,
            address: known(self.address),
            user_agent: known(self.user_agent),
            last_used_at: self.last_used_at.map(instant),
            last_refused_at: self.last_refused_at.map(instant),
            use_count: u64::try_from(self.use_count).unwrap_or(0),
            refusals: u64::try_from(self.refusal_count).unwrap_or(0),
        })
    }
}

/// Returns the requests since an instant that demanded a scope of a key in the permit's tenant, by scope and client, the
/// most recently seen first, at most `limit`.
pub(crate) async fn list_uses(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    since: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ScopeUse>> {
    let sql = format!(
        "SELECT u.scope, u.address, u.user_agent, u.last_used_at, u.last_refused_at, u.use_count, u.refusal_count \
         FROM key_usage_scopes u JOIN api_keys k ON k.id = u.key_id WHERE u.key_id = $1 AND {} \
         AND (u.last_used_at >= $3 OR u.last_refused_at >= $3) ORDER BY \
         CASE WHEN COALESCE(u.last_refused_at, 0) > COALESCE(u.last_used_at, 0) THEN u.last_refused_at ELSE u.last_used_at END DESC \
         LIMIT {limit}",
        in_tenant("$2")
    );
    let rows: Vec<UseRow> = read!(db, c =>
        sqlx::query_as(super::query::assembled(sql)).bind(key.0).bind(permit.tenant_id().0).bind(micros(since)).fetch_all(c))?;
    Ok(rows.into_iter().filter_map(UseRow::into_use).collect())
}

/// Deletes the usage of clients that last demanded a scope before an instant.
pub(crate) async fn sweep(db: &Db, before: DateTime<Utc>) -> Result<()> {
    loop {
        // Found outside of the transaction, like old clients: no index has this time.
        let old: Vec<(Uuid, String, String, String)> = read_list!(db, c => sqlx::query_as(
                "SELECT key_id, scope, address, user_agent FROM key_usage_scopes \
                 WHERE COALESCE(last_used_at, 0) < $1 AND COALESCE(last_refused_at, 0) < $1 LIMIT $2"
            )
            .bind(micros(before))
            .bind(SWEPT_AT_ONCE)
            .fetch_all(c))?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for (key, scope, address, user_agent) in &old {
            change!(
                &mut tx,
                sqlx::query(
                    "DELETE FROM key_usage_scopes WHERE key_id = $1 AND scope = $2 AND address = $3 AND user_agent = $4 \
                     AND COALESCE(last_used_at, 0) < $5 AND COALESCE(last_refused_at, 0) < $5"
                )
                .bind(key)
                .bind(scope.as_str())
                .bind(address.as_str())
                .bind(user_agent.as_str())
                .bind(micros(before))
            )?;
        }
        tx.commit().await?;
        if i64::try_from(old.len()).unwrap_or(0) < SWEPT_AT_ONCE {
            return Ok(());
        }
    }
}
