//! The key policies of tenants.

use chrono::{DateTime, Utc};
use domain::{
    ExposureResponse, KeyId, KeyPolicy, KeyPolicyKind, Owner, ScopeSet, ServiceAccountId, TenantId, UserId,
    api_key::policy::current_and_scheduled,
};
use uuid::Uuid;

use super::{
    DAY, Db, Tx,
    db::{change, read, run},
    instant,
    lifecycle::{ACTIVE, expiry, last_use, lifecycle},
    micros,
    query::assembled,
};
use crate::{access::WritePermit, error::Result};

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    days: Option<i64>,
    key_limit: Option<i64>,
    on_exposure: Option<String>,
    scopes: Option<String>,
    effective_from: i64,
    set_at: i64,
    set_by: String,
}

impl Row {
    fn into_policy(self) -> Option<KeyPolicy> {
        Some(KeyPolicy {
            kind: KeyPolicyKind::from_code(&self.kind)?,
            days: self.days.and_then(|days| u32::try_from(days).ok()),
            limit: self.key_limit.and_then(|limit| u32::try_from(limit).ok()),
            on_exposure: self.on_exposure.as_deref().and_then(ExposureResponse::from_code),
            scopes: self.scopes.and_then(|text| ScopeSet::parse(&text).ok()).unwrap_or_default(),
            effective_from: instant(self.effective_from),
            set_at: instant(self.set_at),
            set_by: self.set_by,
        })
    }
}

const SELECT: &str = "SELECT kind, days, key_limit, on_exposure, scopes, effective_from, set_at, set_by FROM key_policies WHERE tenant_id = $1 ORDER BY kind, effective_from";

/// Returns a tenant's policies that are in effect or will be, see [`domain::api_key::policy::current_and_scheduled`].
pub(crate) async fn list(db: &Db, tenant: TenantId, now: DateTime<Utc>) -> Result<Vec<KeyPolicy>> {
    let rows: Vec<Row> = read!(db, c => sqlx::query_as(SELECT).bind(tenant.0).fetch_all(c))?;
    Ok(current_and_scheduled(rows.into_iter().filter_map(Row::into_policy).collect(), now))
}

/// Like [`list`], inside a transaction.
pub(crate) async fn list_in(tx: &mut Tx, tenant: TenantId, now: DateTime<Utc>) -> Result<Vec<KeyPolicy>> {
    let rows: Vec<Row> = run!(tx, c => sqlx::query_as(SELECT).bind(tenant.0).fetch_all(c))?;
    Ok(current_and_scheduled(rows.into_iter().filter_map(Row::into_policy).collect(), now))
}

/// Turns a policy on or changes it. One that is in effect stays so until the new one is effective.
pub(crate) async fn set(tx: &mut Tx, permit: &WritePermit, policy: &KeyPolicy) -> Result<()> {
    // A policy that applies now replaces all rows of its kind; a later one only those that aren't effective yet.
    let kept = if policy.effective_from > policy.set_at { micros(policy.set_at) } else { -1 };
    change!(
        tx,
        sqlx::query("DELETE FROM key_policies WHERE tenant_id = $1 AND kind = $2 AND effective_from > $3")
            .bind(permit.tenant_id().0)
            .bind(policy.kind.as_str())
            .bind(kept)
    )?;
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_policies (tenant_id, kind, days, effective_from, set_at, set_by, key_limit, on_exposure, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(permit.tenant_id().0)
        .bind(policy.kind.as_str())
        .bind(policy.days.map(i64::from))
        .bind(micros(policy.effective_from))
        .bind(micros(policy.set_at))
        .bind(policy.set_by.as_str())
        .bind(policy.limit.map(i64::from))
        .bind(policy.on_exposure.map(ExposureResponse::as_str))
        .bind(policy.kind.has_scopes().then(|| policy.scopes.to_string()))
    )?;
    Ok(())
}

/// Turns a policy off. Returns false if it was off.
pub(crate) async fn clear(tx: &mut Tx, permit: &WritePermit, kind: KeyPolicyKind) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM key_policies WHERE tenant_id = $1 AND kind = $2")
            .bind(permit.tenant_id().0)
            .bind(kind.as_str())
    )?;
    Ok(rows > 0)
}

/// A key that has been unused for too long.
#[derive(Clone, Debug)]
pub(crate) struct Unused {
    pub(crate) id: KeyId,
    pub(crate) name: String,
    pub(crate) tenant_id: TenantId,
    pub(crate) owner: Owner,
    pub(crate) days: i64,
    /// The instant since which it hasn't been used, in microseconds.
    pub(crate) cut: i64,
}

#[derive(sqlx::FromRow)]
struct UnusedRow {
    id: Uuid,
    name: String,
    tenant_id: Uuid,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    days: i64,
}

/// Returns active keys that are to be suspended now by their tenant's policy, ordered by tenant, at most `limit`.
pub(crate) async fn list_unused(db: &Db, now: DateTime<Utc>, limit: u32) -> Result<Vec<Unused>> {
    // The unary plus makes the databases use the index of the last use, not the one of the expiry.
    const EXPIRY: &str = expiry!("+k.expires_at");
    const LAST_USE: &str = last_use!("k.last_used_at");
    let kind = KeyPolicyKind::SuspendUnused.as_str();
    let sql = format!(
        "SELECT k.id, k.name, k.tenant_id, k.user_id, k.service_account_id, p.days FROM key_policies p \
         JOIN api_keys k ON k.tenant_id = p.tenant_id AND k.lifecycle = {ACTIVE} \
         WHERE p.kind = '{kind}' AND p.effective_from <= $1 AND NOT EXISTS (SELECT 1 FROM key_policies q \
         WHERE q.tenant_id = p.tenant_id AND q.kind = p.kind AND q.effective_from > p.effective_from AND q.effective_from <= $1) \
         AND {EXPIRY} > $1 AND {LAST_USE} < $1 - p.days * {DAY} AND +k.created_at < $1 - p.days * {DAY} \
         AND COALESCE(k.resumed_at, 0) < $1 - p.days * {DAY} ORDER BY k.tenant_id, k.id LIMIT {limit}"
    );
    let rows: Vec<UnusedRow> = read!(db, c => sqlx::query_as(assembled(sql)).bind(micros(now)).fetch_all(c))?;
    let unused = |row: UnusedRow| Unused {
        id: KeyId(row.id),
        name: row.name,
        tenant_id: TenantId(row.tenant_id),
        owner: match (row.user_id, row.service_account_id) {
            (Some(id), _) => Owner::User(UserId(id)),
            (None, id) => Owner::ServiceAccount(ServiceAccountId(id.unwrap_or_default())),
        },
        days: row.days,
        cut: micros(now) - row.days * DAY,
    };
    Ok(rows.into_iter().map(unused).collect())
}

/// Suspends a key if it is still unused and the policy still requires it. Its owner may resume it. Returns false if the
/// key was used or resumed or has ended, or if the policy has changed.
pub(crate) async fn suspend_unused(tx: &mut Tx, key: &Unused, at: DateTime<Utc>) -> Result<bool> {
    let owner = match key.owner {
        Owner::User(id) => id.0,
        Owner::ServiceAccount(id) => id.0,
    };
    let rows = change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET suspended_at = $2, suspended_by = 'Latchkey, because it was unused', suspended_by_id = $3, lifecycle = ",
            lifecycle!(suspended),
            " WHERE id = $1 AND lifecycle = ",
            lifecycle!(active),
            " AND ",
            expiry!("expires_at"),
            " > $2 AND ",
            last_use!("last_used_at"),
            " < $4 AND COALESCE(resumed_at, 0) < $4 AND EXISTS (SELECT 1 FROM key_policies p \
             WHERE p.tenant_id = api_keys.tenant_id AND p.kind = $6 AND p.days = $5 AND p.effective_from <= $2)"
        ))
        .bind(key.id.0)
        .bind(micros(at))
        .bind(owner)
        .bind(key.cut)
        .bind(key.days)
        .bind(KeyPolicyKind::SuspendUnused.as_str())
    )?;
    Ok(rows == 1)
}
