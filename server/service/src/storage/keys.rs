//! API keys. Filtered and paginated lists are in `key_list.rs`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    ApiKey, Exposure, KeyId, KeyLimits, LastUse, Name, Owner, Revocation, Role, ScopeGrant, ServiceAccountId, Slug,
    Successor, Suspension, TenantId, UserId, scope::ScopeRequest,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{CachedKey, KeyFacts, OwnerFacts, Revoked, TokenDigest, change, read, read_list, retry, run},
    fold, instant,
    lifecycle::{self, expiry, lifecycle, not_ended},
    limit_columns, micros, name_search,
    query::{Conditions, Value, assembled, in_tenant, statement},
    role_of, scopes, stored_name,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::{Error, Result},
};

/// A position in a list of keys that is sorted by a time and then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPosition {
    /// The time that the list is sorted by, of the last key before the position.
    pub at: DateTime<Utc>,
    /// The id of that key.
    pub id: KeyId,
}

/// The condition that every key that replaced `n`, directly or through other keys, is revoked.
macro_rules! successors_are_inactive {
    () => {
        "NOT EXISTS (WITH RECURSIVE successors (next, revoked_at) AS (\
         SELECT l.replaced_by, l.revoked_at FROM api_keys l WHERE l.id = n.replaced_by UNION ALL \
         SELECT l.replaced_by, l.revoked_at FROM api_keys l JOIN successors ON l.id = successors.next) \
         SELECT 1 FROM successors WHERE successors.revoked_at IS NULL)"
    };
}

/// The columns of a [`KeyRow`], selected from [`FROM`].
pub(crate) const COLUMNS: &str = concat!(
    "k.id, k.tenant_id, t.name AS tenant_name, k.user_id, k.service_account_id, \
    COALESCE(u.name, s.name) AS owner_name, k.name, k.name_folded, k.hint, k.created_at, k.created_by, k.expires_at, k.lifecycle, k.suspended_at, \
    k.suspended_by, k.suspended_by_id, s.suspended_at AS owner_suspended_at, k.revoked_at, k.revoked_by, k.revoke_reason, k.last_used_at, k.last_used_address, k.last_used_agent, \
    k.created_channel, k.created_by_key, k.replaces, k.replaced_by, k.rolled_at, n.hint AS successor_hint, n.ends_key, \
    k.last_refused_at, k.last_refused_address, k.last_refused_agent, k.exposed_at, k.exposed_source, k.exposed_url, k.scopes, k.allowed_addresses, k.rate_requests, k.rate_seconds, k.imported_at, \
    CASE WHEN n.replaced_by IS NULL OR (k.revoked_at IS NULL AND n.revoked_at IS NOT NULL AND ",
    successors_are_inactive!(),
    ") THEN n.revoked_at END AS successor_revoked_at"
);

/// The tables that [`COLUMNS`] are selected from.
pub(crate) const FROM: &str = "api_keys k JOIN tenants t ON t.id = k.tenant_id LEFT JOIN users u ON u.id = k.user_id \
    LEFT JOIN service_accounts s ON s.id = k.service_account_id LEFT JOIN api_keys n ON n.id = k.replaced_by";

/// The condition, on [`FROM`], that no unrevoked key replaces the key, so that its owner has to know when it expires.
pub(crate) const NOT_REPLACED: &str = concat!(
    "(k.replaced_by IS NULL OR (n.revoked_at IS NOT NULL AND (n.replaced_by IS NULL OR ",
    successors_are_inactive!(),
    ")))"
);

#[derive(sqlx::FromRow)]
pub(crate) struct KeyRow {
    pub(crate) id: Uuid,
    tenant_id: Uuid,
    tenant_name: String,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    owner_name: String,
    name: String,
    pub(crate) name_folded: String,
    hint: String,
    pub(crate) created_at: i64,
    created_by: String,
    pub(crate) expires_at: Option<i64>,
    lifecycle: i64,
    suspended_at: Option<i64>,
    suspended_by: Option<String>,
    suspended_by_id: Option<Uuid>,
    owner_suspended_at: Option<i64>,
    revoked_at: Option<i64>,
    revoked_by: Option<String>,
    revoke_reason: Option<String>,
    pub(crate) last_used_at: Option<i64>,
    last_used_address: Option<String>,
    last_used_agent: Option<String>,
    created_channel: String,
    created_by_key: Option<Uuid>,
    replaces: Option<Uuid>,
    replaced_by: Option<Uuid>,
    rolled_at: Option<i64>,
    successor_hint: Option<String>,
    successor_revoked_at: Option<i64>,
    ends_key: Option<Uuid>,
    last_refused_at: Option<i64>,
    last_refused_address: Option<String>,
    last_refused_agent: Option<String>,
    exposed_at: Option<i64>,
    exposed_source: Option<String>,
    exposed_url: Option<String>,
    scopes: Option<String>,
    allowed_addresses: Option<String>,
    rate_requests: Option<i64>,
    rate_seconds: Option<i64>,
    imported_at: Option<i64>,
}

/// Returns the owner in a row, which has one of the two ids.
pub(crate) fn owner_of(user: Option<Uuid>, account: Option<Uuid>) -> Owner {
    match (user, account) {
        (Some(id), _) => Owner::User(UserId(id)),
        (None, id) => Owner::ServiceAccount(ServiceAccountId(id.unwrap_or_default())),
    }
}

pub(crate) fn ids_of(owner: Owner) -> (Option<Uuid>, Option<Uuid>) {
    match owner {
        Owner::User(id) => (Some(id.0), None),
        Owner::ServiceAccount(id) => (None, Some(id.0)),
    }
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        let last_used = row.last_used_at.map(|at| LastUse {
            at: instant(at),
            address: row.last_used_address,
            user_agent: row.last_used_agent,
        });
        let replaced_by = row.replaced_by.map(|id| Successor {
            id: KeyId(id),
            hint: row.successor_hint.unwrap_or_default(),
            at: row.rolled_at.map(instant).unwrap_or_default(),
            ends_on_use: row.ends_key == Some(row.id),
            is_revoked: row.successor_revoked_at.is_some(),
        });
        let last_refused = row.last_refused_at.map(|at| LastUse {
            at: instant(at),
            address: row.last_refused_address,
            user_agent: row.last_refused_agent,
        });
        Self {
            id: KeyId(row.id),
            tenant_id: TenantId(row.tenant_id),
            tenant_name: stored_name(&row.tenant_name),
            owner: owner_of(row.user_id, row.service_account_id),
            owner_name: row.owner_name,
            name: stored_name(&row.name),
            hint: row.hint,
            imported_at: row.imported_at.map(instant),
            created_at: instant(row.created_at),
            created_by: row.created_by,
            expires_at: row.expires_at.map(instant),
            has_expired: row.lifecycle == lifecycle::EXPIRED,
            suspension: row.suspended_at.map(|at| Suspension {
                at: instant(at),
                by: row.suspended_by.unwrap_or_default(),
                owner_may_resume: row.suspended_by_id.is_some()
                    && row.suspended_by_id == row.user_id.or(row.service_account_id),
            }),
            owner_suspended_at: row.owner_suspended_at.map(instant),
            revocation: row.revoked_at.map(|at| Revocation {
                at: instant(at),
                by: row.revoked_by.unwrap_or_default(),
                reason: row.revoke_reason.unwrap_or_default(),
            }),
            exposure: row.exposed_at.map(|at| Exposure {
                at: instant(at),
                source: row.exposed_source.unwrap_or_default(),
                url: row.exposed_url,
            }),
            violations: Vec::new(),
            scopes: scopes::grant_of(row.scopes.as_deref()),
            limits: limit_columns::limits_of(row.allowed_addresses.as_deref(), row.rate_requests, row.rate_seconds),
            created_channel: row.created_channel,
            created_by_key: row.created_by_key.map(KeyId),
            replaces: row.replaces.map(KeyId),
            replaced_by,
            last_used,
            last_refused,
        }
    }
}

/// A key to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) id: KeyId,
    pub(crate) digest: TokenDigest,
    pub(crate) hint: String,
    /// Whether another system has made its token.
    pub(crate) is_imported: bool,
    pub(crate) name: Name,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: String,
    /// `None` if the operator creates it.
    pub(crate) created_by_id: Option<Uuid>,
    pub(crate) created_by_key: Option<Uuid>,
    pub(crate) created_by_session: Option<Uuid>,
    pub(crate) created_channel: &'static str,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) idempotency_key: Option<Uuid>,
    /// The key that this one replaces.
    pub(crate) replaces: Option<KeyId>,
    /// Whether the first use of this key ends the replaced one.
    pub(crate) ends_on_use: bool,
    /// What it is to be given.
    pub(crate) scopes: ScopeRequest,
    pub(crate) limits: KeyLimits,
}

/// The lifecycle state of a key that isn't suspended itself: suspended if its service account is, else active.
macro_rules! active_unless_suspended {
    ($account:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM service_accounts s WHERE s.id = ",
            $account,
            " AND s.suspended_at IS NOT NULL) THEN ",
            lifecycle!(suspended),
            " ELSE ",
            lifecycle!(active),
            " END"
        )
    };
}
pub(crate) use active_unless_suspended;

/// Returns an actor's id for a NOT NULL column. The operator has no id and is stored as the nil id.
fn id_or_nil(id: Option<Uuid>) -> Uuid {
    id.unwrap_or_default()
}

/// Inserts a key for the permit's owner. `scopes`: what it may do at most.
pub(crate) async fn insert(tx: &mut Tx, permit: &WritePermit, key: &NewKey, scopes: &ScopeGrant) -> Result<()> {
    let owner = permit.owner().ok_or_else(|| Error::Fault("a key can't be created without an owner".to_owned()))?;
    let (user_id, account_id) = ids_of(owner);
    let (addresses, requests, seconds) = limit_columns::stored(&key.limits);
    change!(
        tx,
        sqlx::query(concat!(
            "INSERT INTO api_keys (id, digest, hint, tenant_id, user_id, service_account_id, name, name_folded, created_at, created_by, \
             created_by_id, created_by_key, created_channel, expires_at, idempotency_key, replaces, ends_key, created_by_session, scopes, \
             allowed_addresses, rate_requests, rate_seconds, imported_at, lifecycle) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, ",
            active_unless_suspended!("$6"),
            ")"
        ))
        .bind(key.id.0)
        .bind(key.digest.as_slice())
        .bind(key.hint.as_str())
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(key.name.as_str())
        .bind(fold(key.name.as_str()))
        .bind(micros(key.created_at))
        .bind(key.created_by.as_str())
        .bind(id_or_nil(key.created_by_id))
        .bind(key.created_by_key)
        .bind(key.created_channel)
        .bind(key.expires_at.map(micros))
        .bind(key.idempotency_key)
        .bind(key.replaces.map(|id| id.0))
        .bind(key.replaces.filter(|_| key.ends_on_use).map(|id| id.0))
        .bind(key.created_by_session)
        .bind(scopes::stored(scopes))
        .bind(addresses)
        .bind(requests)
        .bind(seconds)
        .bind(key.is_imported.then(|| micros(key.created_at)))
    )?;
    name_search::insert(tx, permit.tenant_id(), name_search::Kind::Key, key.id.0, key.name.as_str()).await
}

/// The key to which a token belongs.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) key_id: KeyId,
    pub(crate) name: Name,
    pub(crate) tenant_id: TenantId,
    pub(crate) owner: Owner,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct HolderRow {
    id: Uuid,
    name: String,
    tenant_id: Uuid,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    revoked_at: Option<i64>,
}

impl From<HolderRow> for Holder {
    fn from(row: HolderRow) -> Self {
        Self {
            key_id: KeyId(row.id),
            name: stored_name(&row.name),
            tenant_id: TenantId(row.tenant_id),
            owner: owner_of(row.user_id, row.service_account_id),
            revoked_at: row.revoked_at.map(instant),
        }
    }
}

const SELECT_HOLDER: &str =
    "SELECT id, name, tenant_id, user_id, service_account_id, revoked_at FROM api_keys WHERE digest = $1";

/// Finds the key to which a token belongs, in any tenant and whatever its state.
pub(crate) async fn find_holder(db: &Db, digest: &TokenDigest) -> Result<Option<Holder>> {
    let row: Option<HolderRow> =
        read!(db, c => sqlx::query_as(SELECT_HOLDER).bind(digest.as_slice()).fetch_optional(c))?;
    Ok(row.map(Holder::from))
}

/// Like [`find_holder`], inside a transaction.
pub(crate) async fn find_holder_in(tx: &mut Tx, digest: &TokenDigest) -> Result<Option<Holder>> {
    let row: Option<HolderRow> =
        run!(tx, c => sqlx::query_as(SELECT_HOLDER).bind(digest.as_slice()).fetch_optional(c))?;
    Ok(row.map(Holder::from))
}

/// Returns whether keys were ever imported, from memory or, if that isn't known there, from the database. Without any, a
/// text in another format than Latchkey's own isn't the token of a key.
pub(crate) async fn has_imported(db: &Db) -> Result<bool> {
    let memory = db.key_cache();
    if let Some(known) = memory.knows_imported() {
        return Ok(known);
    }
    let epoch = memory.epoch();
    let found: bool = read!(db, c =>
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM api_keys WHERE imported_at IS NOT NULL)").fetch_one(c))?;
    memory.insert_imported(found, epoch);
    Ok(found)
}

/// Returns the statements that count the keys of an owner that haven't ended, up to `most`, and the owner's id. The first
/// counts in all tenants, which reads nothing but an index; the second is only needed if there are `most`. An account has
/// only one tenant.
fn counting_live(owner: Owner, most: u32) -> ([String; 2], Uuid) {
    const LIVE: &str = concat!(
        "k.lifecycle IN (",
        lifecycle!(active),
        ", ",
        lifecycle!(suspended),
        ") AND ",
        expiry!("k.expires_at"),
        " > $2"
    );
    let (column, id) = match owner {
        Owner::User(id) => ("user_id", id.0),
        Owner::ServiceAccount(id) => ("service_account_id", id.0),
    };
    let statement = |tenant: String| {
        format!(
            "SELECT COUNT(*) FROM (SELECT k.id FROM api_keys k WHERE k.{column} = $1 AND k.{column} IS NOT NULL \
             AND {LIVE} AND {tenant} LIMIT {most}) some_keys"
        )
    };
    (["$3 = $3".to_owned(), in_tenant("$3")].map(statement), id)
}

/// Counts the keys of the permit's owner that haven't ended, up to `most`. `$read`: the macro that reads from `$source`.
macro_rules! count_live {
    ($read:ident!($source:expr), $permit:expr, $now:expr, $most:expr) => {{
        let Some(owner) = $permit.owner() else { return Ok(0) };
        let (statements, id) = counting_live(owner, $most);
        let mut count = i64::from($most);
        for sql in statements {
            count = $read!($source, c => sqlx::query_scalar(assembled(sql))
                .bind(id)
                .bind(micros($now))
                .bind($permit.tenant_id().0)
                .fetch_one(c))?;
            if count < i64::from($most) {
                break;
            }
        }
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }};
}

/// Counts the keys of the permit's owner that haven't ended, up to `most`.
pub(crate) async fn count_live(tx: &mut Tx, permit: &ReadPermit, now: DateTime<Utc>, most: u32) -> Result<u32> {
    count_live!(run!(tx), permit, now, most)
}

/// Like [`count_live()`], outside of a transaction.
pub(crate) async fn count_live_now(db: &Db, permit: &ReadPermit, now: DateTime<Utc>, most: u32) -> Result<u32> {
    count_live!(read!(db), permit, now, most)
}

/// Finds the key that an earlier request with the same idempotency key created for the permit's owner.
pub(crate) async fn find_repeated(tx: &mut Tx, permit: &ReadPermit, idempotency_key: Uuid) -> Result<Option<ApiKey>> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE k.idempotency_key = $1 AND {} AND (k.user_id = $3 OR k.service_account_id = $4)",
        in_tenant("$2")
    );
    let row: Option<KeyRow> = run!(tx, c => sqlx::query_as(assembled(sql))
        .bind(idempotency_key)
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .fetch_optional(c))?;
    Ok(row.map(ApiKey::from))
}

/// Replaces the token of a key that was never used; the old token stops working. Returns false if the key was used or
/// revoked.
pub(crate) async fn replace_unused_token(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    digest: TokenDigest,
    hint: &str,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET digest = $3, hint = $4 WHERE id = $1 AND tenant_id = $2 AND last_used_at IS NULL AND revoked_at IS NULL"
        )
        .bind(id.0)
        .bind(permit.tenant_id().0)
        .bind(digest.as_slice())
        .bind(hint)
    )?;
    Ok(rows == 1)
}

/// Records the first use of a key whose token [`replace_unused_token`] could replace otherwise. Returns false if the
/// token has been replaced or the key revoked in the meantime. If the key was used before, keeps that use.
pub(crate) async fn record_first_use(db: &Db, id: KeyId, digest: &TokenDigest, first: &LastUse) -> Result<bool> {
    let mut tx = db.begin().await?;
    let rows = change!(
        &mut tx,
        sqlx::query(
            "UPDATE api_keys SET last_used_at = COALESCE(last_used_at, $3), \
             last_used_address = CASE WHEN last_used_at IS NULL THEN $4 ELSE last_used_address END, \
             last_used_agent = CASE WHEN last_used_at IS NULL THEN $5 ELSE last_used_agent END \
             WHERE id = $1 AND digest = $2 AND revoked_at IS NULL"
        )
        .bind(id.0)
        .bind(digest.as_slice())
        .bind(micros(first.at))
        .bind(first.address.as_deref())
        .bind(first.user_agent.as_deref())
    )?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Finds a key's tenant and owner in any tenant, as the input of an authorization check. Must not be shown before that
/// check.
pub(crate) async fn find_tenant_and_owner(db: &Db, id: KeyId) -> Result<Option<(TenantId, Owner)>> {
    let row: Option<(Uuid, Option<Uuid>, Option<Uuid>)> = read!(db, c =>
        sqlx::query_as("SELECT tenant_id, user_id, service_account_id FROM api_keys WHERE id = $1").bind(id.0).fetch_optional(c))?;
    Ok(row.map(|(tenant, user, account)| (TenantId(tenant), owner_of(user, account))))
}

/// Returns the keys that were created with a key, in the permit's tenant, newest first, at most `limit`. Its own
/// replacement isn't one of them.
pub(crate) async fn list_created_by(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    after: Option<KeyPosition>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    // Before the first step, every key precedes the position.
    let (at, last) = after.map_or((i64::MAX, Uuid::max()), |position| (micros(position.at), position.id.0));
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE k.created_by_key = $1 AND {} AND (k.replaces IS NULL OR k.replaces <> $1) \
         AND (k.created_at, k.id) < ($3, $4) ORDER BY k.created_at DESC, k.id DESC LIMIT {limit}",
        in_tenant("$2")
    );
    let rows: Vec<KeyRow> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(key.0).bind(permit.tenant_id().0).bind(at).bind(last).fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Locks a key until the transaction ends, so that it can't be revoked while it creates something. Returns false if it
/// is revoked.
pub(crate) async fn lock(tx: &mut Tx, id: KeyId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE api_keys SET revoked_at = revoked_at WHERE id = $1 AND revoked_at IS NULL").bind(id.0)
    )?;
    Ok(rows == 1)
}

/// Returns a statement that selects the keys of a tenant that haven't ended and were created with a key, directly or
/// through other keys (even ended ones), or replace such a key. The key's own replacement isn't included: a rotation
/// continues a key instead of creating another.
fn active_descendants() -> String {
    let in_tenant = in_tenant("$2");
    format!(
        "WITH RECURSIVE made (id, next) AS (\
         SELECT k.id, k.replaced_by FROM api_keys k WHERE k.created_by_key = $1 AND {in_tenant} AND (k.replaces IS NULL OR k.replaces <> $1) \
         UNION SELECT k.id, k.replaced_by FROM made JOIN api_keys k ON k.created_by_key = made.id OR k.id = made.next \
         WHERE {in_tenant} AND k.id <> $1) \
         SELECT {COLUMNS} FROM {FROM} WHERE k.id IN (SELECT made.id FROM made) AND {} \
         AND {} > $3 ORDER BY k.id",
        not_ended!("k.lifecycle"),
        expiry!("k.expires_at")
    )
}

/// Returns the keys that were created with a key, directly or through other keys, and haven't ended, in the order of
/// their ids.
pub(crate) async fn list_active_descendants(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<Vec<ApiKey>> {
    let rows: Vec<KeyRow> = read_list!(db, c => sqlx::query_as(assembled(active_descendants()))
        .bind(key.0).bind(permit.tenant_id().0).bind(micros(now)).fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Like [`list_active_descendants`], inside a transaction.
pub(crate) async fn list_active_descendants_in(
    tx: &mut Tx,
    permit: &ReadPermit,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<Vec<ApiKey>> {
    let rows: Vec<KeyRow> = run!(tx, c => sqlx::query_as(assembled(active_descendants()))
        .bind(key.0).bind(permit.tenant_id().0).bind(micros(now)).fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

fn one_of_permit() -> String {
    format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE k.id = $1 AND k.tenant_id = $2 AND (k.user_id = $3 OR k.service_account_id = $4)"
    )
}

/// Returns keys of the permit's tenant, whoever owns them, in the order of their ids. Unknown ids are left out.
pub(crate) async fn list_by_ids(db: &Db, permit: &ReadPermit, ids: &[KeyId]) -> Result<Vec<ApiKey>> {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let ids: Vec<String> = ids.iter().map(|id| conditions.bind(Value::Id(id.0))).collect();
    let ids = ids.join(", ");
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE k.tenant_id = {tenant} AND k.id IN ({ids}) ORDER BY k.id");
    let rows: Vec<KeyRow> = read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Finds a key of the permit's owner.
pub(crate) async fn find(db: &Db, permit: &ReadPermit, id: KeyId) -> Result<Option<ApiKey>> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let row: Option<KeyRow> = read!(db, c => sqlx::query_as(assembled(one_of_permit()))
        .bind(id.0).bind(permit.tenant_id().0).bind(user_id).bind(account_id).fetch_optional(c))?;
    Ok(row.map(ApiKey::from))
}

/// Like [`find`], inside a transaction.
pub(crate) async fn find_in(tx: &mut Tx, permit: &ReadPermit, id: KeyId) -> Result<Option<ApiKey>> {
    let (user_id, account_id) = permit.owner().map_or((None, None), ids_of);
    let row: Option<KeyRow> = run!(tx, c => sqlx::query_as(assembled(one_of_permit()))
        .bind(id.0).bind(permit.tenant_id().0).bind(user_id).bind(account_id).fetch_optional(c))?;
    Ok(row.map(ApiKey::from))
}

/// Changes a key of the permit's owner, if the condition holds: both are SQL, with arguments from `$5` on. Returns whether
/// the key was changed.
macro_rules! change_key {
    ($tx:expr, $permit:expr, $id:expr, set $set:expr, if $condition:expr, $($argument:expr),+ $(,)?) => {{
        let (user_id, account_id) = $permit.owner().map_or((None, None), ids_of);
        let rows = change!(
            $tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET ",
                $set,
                " WHERE id = $1 AND tenant_id = $2 AND (user_id = $3 OR service_account_id = $4) AND ",
                $condition
            ))
            .bind($id.0)
            .bind($permit.tenant_id().0)
            .bind(user_id)
            .bind(account_id)
            $(.bind($argument))+
        )?;
        rows == 1
    }};
}

/// Revokes a key of the permit's owner. Returns false if it is already revoked or doesn't exist.
pub(crate) async fn revoke(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    at: DateTime<Utc>,
    by: &str,
    reason: &str,
) -> Result<bool> {
    let revoked = change_key!(
        tx, permit, id,
        set concat!("revoked_at = $5, revoked_by = $6, revoke_reason = $7, lifecycle = ", lifecycle!(revoked)),
        if "revoked_at IS NULL",
        micros(at), by, reason,
    );
    if revoked {
        tx.note(Revoked::Key(id.0), at);
    }
    Ok(revoked)
}

/// Renames a key of the permit's owner. Returns false if it is revoked or doesn't exist.
pub(crate) async fn rename(tx: &mut Tx, permit: &WritePermit, id: KeyId, name: &Name) -> Result<bool> {
    name_search::delete(tx, permit.tenant_id(), name_search::Kind::Key, id.0).await?;
    let (name, folded) = (name.as_str(), fold(name.as_str()));
    let renamed = change_key!(tx, permit, id, set "name = $5, name_folded = $6", if "revoked_at IS NULL", name, folded);
    name_search::insert(tx, permit.tenant_id(), name_search::Kind::Key, id.0, name).await?;
    Ok(renamed)
}

/// Changes the scopes of a key of the permit's owner, if they are still `before`. Returns false if they aren't, or if the
/// key is revoked or doesn't exist.
pub(crate) async fn change_scopes(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    before: &ScopeGrant,
    after: &ScopeGrant,
) -> Result<bool> {
    let (before, after) = (scopes::stored(before), scopes::stored(after));
    Ok(change_key!(
        tx, permit, id,
        set "scopes = $6",
        if "revoked_at IS NULL AND COALESCE(scopes, '*') = COALESCE($5, '*')",
        before, after,
    ))
}

/// Suspends a key of the permit's owner. Returns false if it is already suspended, itself or with its account, has
/// ended or doesn't exist.
pub(crate) async fn suspend(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    at: DateTime<Utc>,
    by: (&str, Option<Uuid>),
) -> Result<bool> {
    Ok(change_key!(
        tx, permit, id,
        set concat!("suspended_at = $5, suspended_by = $6, suspended_by_id = $7, lifecycle = ", lifecycle!(suspended)),
        if concat!("lifecycle = ", lifecycle!(active), " AND ", expiry!("expires_at"), " > $5"),
        micros(at), by.0, id_or_nil(by.1),
    ))
}

/// Resumes a suspended key of the permit's owner; with `only_by`, only if that user or service account suspended it.
/// Returns false if it isn't suspended, has ended, was suspended by another actor or doesn't exist.
pub(crate) async fn resume(
    tx: &mut Tx,
    permit: &WritePermit,
    id: KeyId,
    at: DateTime<Utc>,
    only_by: Option<Uuid>,
) -> Result<bool> {
    Ok(change_key!(
        tx, permit, id,
        set concat!(
            "suspended_at = NULL, suspended_by = NULL, suspended_by_id = NULL, resumed_at = $5, lifecycle = ",
            active_unless_suspended!("service_account_id")
        ),
        if concat!(
            "revoked_at IS NULL AND suspended_at IS NOT NULL AND ",
            not_ended!("lifecycle"),
            " AND ",
            expiry!("expires_at"),
            " > $5 AND COALESCE($6, suspended_by_id) = suspended_by_id"
        ),
        micros(at), only_by,
    ))
}

/// Returns the line of the revocation ledger for an owner whose keys are all revoked.
pub(crate) fn revoked_owner(tenant: TenantId, owner: Owner) -> Revoked {
    match owner {
        Owner::User(user) => Revoked::Member { tenant: tenant.0, user: user.0 },
        Owner::ServiceAccount(account) => Revoked::Account(account.0),
    }
}

/// Counts the keys of an owner in the permit's tenant that aren't revoked.
pub(crate) async fn count_unrevoked(tx: &mut Tx, permit: &WritePermit, owner: Owner) -> Result<u64> {
    let (user_id, account_id) = ids_of(owner);
    let keys: i64 = run!(tx, c =>
        sqlx::query_scalar(concat!(
            "SELECT COUNT(*) FROM api_keys WHERE NOT (tenant_id <> $1) AND (user_id = $2 OR service_account_id = $3) \
             AND lifecycle IN (",
            lifecycle!(active),
            ", ",
            lifecycle!(suspended),
            ", ",
            lifecycle!(expired),
            ")"
        ))
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .fetch_one(c))?;
    Ok(u64::try_from(keys).unwrap_or(0))
}

/// Revokes all keys of an owner who leaves the permit's tenant, and marks them as orphaned. Returns how many were
/// revoked.
pub(crate) async fn revoke_all(
    tx: &mut Tx,
    permit: &WritePermit,
    owner: Owner,
    at: DateTime<Utc>,
    by: &str,
    reason: &str,
) -> Result<u64> {
    let (user_id, account_id) = ids_of(owner);
    tx.note(revoked_owner(permit.tenant_id(), owner), at);
    Ok(change!(
        tx,
        sqlx::query(concat!(
            "UPDATE api_keys SET revoked_at = $4, revoked_by = $5, revoke_reason = $6, orphaned_at = $4, lifecycle = ",
            lifecycle!(revoked),
            " WHERE NOT (tenant_id <> $1) AND (user_id = $2 OR service_account_id = $3) AND revoked_at IS NULL"
        ))
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(micros(at))
        .bind(by)
        .bind(reason)
    )?)
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    id: Uuid,
    name: String,
    tenant_id: Uuid,
    tenant_slug: String,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    owner_name: Option<String>,
    role: Option<String>,
    expires_at: Option<i64>,
    suspended_at: Option<i64>,
    revoked_at: Option<i64>,
    lifecycle: i64,
    ends_key: Option<Uuid>,
    replaceable_since: Option<i64>,
    scopes: Option<String>,
    allowed_addresses: Option<String>,
    rate_requests: Option<i64>,
    rate_seconds: Option<i64>,
}

/// The stored state of a token's key, not yet compared with the time.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) key_id: KeyId,
    pub(crate) name: Name,
    pub(crate) owner: Owner,
    /// The owner as of now; `None` if the owner has left the tenant.
    pub(crate) bearer: Option<Bearer>,
    pub(crate) tenant_id: TenantId,
    pub(crate) tenant_slug: Slug,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) is_suspended: bool,
    pub(crate) is_revoked: bool,
    /// Whether it has been marked as expired. The mark stays even if the clock is set back.
    pub(crate) is_marked_expired: bool,
    /// The key that the first use of this one ends.
    pub(crate) ends_key: Option<KeyId>,
    /// When a form created the key, if the key was never used: the form could then replace its token.
    pub(crate) replaceable_since: Option<DateTime<Utc>>,
    /// What it may do at most.
    pub(crate) scopes: ScopeGrant,
    /// From which addresses and how often it may be used; `None` without a limit.
    pub(crate) limits: Option<Box<KeyLimits>>,
}

/// The current name and role of a key's owner.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) name: String,
    pub(crate) role: Role,
}

impl Candidate {
    /// Returns whether the key is kept in memory: it is valid until it expires or changes, and its next use changes nothing.
    fn may_be_kept(&self) -> bool {
        let is_over = self.is_suspended || self.is_revoked || self.is_marked_expired;
        !is_over && self.ends_key.is_none() && self.replaceable_since.is_none()
    }

    /// Returns what is known about the key and its owner. `None` without an owner.
    fn facts(self) -> Option<(KeyFacts, OwnerFacts)> {
        let Bearer { name, role } = self.bearer?;
        let expires_at = self.expires_at.map(micros);
        let mut key = KeyFacts::new(self.key_id, self.name, expires_at, self.scopes);
        key.limits = self.limits;
        let (tenant_id, tenant_slug) = (self.tenant_id, self.tenant_slug);
        Some((key, OwnerFacts { owner: self.owner, name, role, tenant_id, tenant_slug }))
    }

    /// Returns the key as it would be kept in memory. `None` without an owner.
    pub(crate) fn into_key(self, digest: TokenDigest) -> Option<Arc<CachedKey>> {
        self.facts().map(|(key, owner)| Arc::new(CachedKey::new(digest, key, owner)))
    }
}

/// Returns the key of a token from memory, if it is known there. It is valid unless it has expired.
pub(crate) fn find_in_memory(db: &Db, digest: &TokenDigest) -> Option<Arc<CachedKey>> {
    db.key_cache().get(digest)
}

/// Finds the key of a token in the database, with its owner's current role. It is known in memory afterwards.
pub(crate) async fn find_by_digest(db: &Db, digest: &TokenDigest) -> Result<Option<Candidate>> {
    let keys = db.key_cache();
    let epoch = keys.epoch();
    let candidate = read_by_digest(db, digest).await?;
    let kept = candidate.as_ref().filter(|candidate| candidate.may_be_kept()).cloned();
    if let Some((key, owner)) = kept.and_then(Candidate::facts) {
        keys.insert(*digest, key, owner, epoch);
    }
    Ok(candidate)
}

async fn read_by_digest(db: &Db, digest: &TokenDigest) -> Result<Option<Candidate>> {
    let row: Option<CandidateRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT k.id, k.name, k.tenant_id, t.slug AS tenant_slug, k.user_id, k.service_account_id, \
             COALESCE(u.name, s.name) AS owner_name, COALESCE(m.role, s.role) AS role, k.expires_at, COALESCE(k.suspended_at, s.suspended_at) AS suspended_at, k.revoked_at, k.lifecycle, k.ends_key, \
             CASE WHEN k.idempotency_key IS NOT NULL AND k.last_used_at IS NULL THEN k.created_at END AS replaceable_since, k.scopes, \
             k.allowed_addresses, k.rate_requests, k.rate_seconds \
             FROM api_keys k JOIN tenants t ON t.id = k.tenant_id \
             LEFT JOIN memberships m ON m.user_id = k.user_id AND m.tenant_id = k.tenant_id \
             LEFT JOIN users u ON u.id = m.user_id \
             LEFT JOIN service_accounts s ON s.id = k.service_account_id AND s.deleted_at IS NULL \
             WHERE k.digest = $1",
        )
        .bind(digest.as_slice())
        .fetch_optional(c))?;
    let Some(row) = row else { return Ok(None) };
    let bearer = match (row.owner_name, row.role.as_deref().map(role_of).transpose()?) {
        (Some(name), Some(role)) => Some(Bearer { name, role }),
        _ => None,
    };
    let slug =
        Slug::parse(&row.tenant_slug).map_err(|_| Error::Fault(format!("tenant {}: invalid slug", row.tenant_id)))?;
    let limits = limit_columns::limits_of(row.allowed_addresses.as_deref(), row.rate_requests, row.rate_seconds);
    Ok(Some(Candidate {
        key_id: KeyId(row.id),
        name: stored_name(&row.name),
        owner: owner_of(row.user_id, row.service_account_id),
        bearer,
        tenant_id: TenantId(row.tenant_id),
        tenant_slug: slug,
        expires_at: row.expires_at.map(instant),
        is_suspended: row.suspended_at.is_some(),
        is_revoked: row.revoked_at.is_some(),
        is_marked_expired: row.lifecycle == lifecycle::EXPIRED,
        ends_key: row.ends_key.map(KeyId),
        replaceable_since: row.replaceable_since.map(instant),
        scopes: scopes::grant_of(row.scopes.as_deref()),
        limits: (!limits.is_unlimited()).then(|| Box::new(limits)),
    }))
}

/// Marks keys as expired once their expiry has passed. Cheap if there are none.
pub(crate) async fn mark_expired(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let due: i64 = read!(db, c =>
        sqlx::query_scalar(concat!(
            "SELECT COUNT(*) FROM (SELECT id FROM api_keys WHERE expires_at IS NOT NULL AND ",
            not_ended!("lifecycle"),
            " AND expires_at <= $1 LIMIT 1) one"
        ))
            .bind(micros(now))
            .fetch_one(c))?;
    let mut is_more = due > 0;
    while is_more {
        let mut tx = db.begin().await?;
        super::usage::yield_to_others(&mut tx).await?;
        let rows = change!(
            &mut tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET lifecycle = ",
                lifecycle!(expired),
                " WHERE ",
                not_ended!("lifecycle"),
                " AND id IN (SELECT id FROM api_keys WHERE expires_at IS NOT NULL AND ",
                not_ended!("lifecycle"),
                " AND expires_at <= $1 LIMIT 1000)"
            ))
            .bind(micros(now))
        )?;
        tx.commit().await?;
        is_more = rows > 0;
    }
    Ok(())
}

/// Removes the marks of keys whose expiry is in the future, after a clock that was ahead came right. Returns how many.
pub(crate) async fn unmark_expired(db: &Db, now: DateTime<Utc>) -> Result<u64> {
    let mut all = 0;
    loop {
        let rows = retry!(db, tx => Ok(change!(
            tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET lifecycle = CASE WHEN suspended_at IS NOT NULL THEN ",
                lifecycle!(suspended),
                " ELSE ",
                active_unless_suspended!("service_account_id"),
                " END WHERE lifecycle = ",
                lifecycle!(expired),
                " AND id IN (SELECT id FROM api_keys WHERE lifecycle = ",
                lifecycle!(expired),
                " AND expires_at > $1 LIMIT 500)"
            ))
            .bind(micros(now))
        )?))?;
        if rows == 0 {
            return Ok(all);
        }
        all += rows;
    }
}

/// Suspends or resumes an account's keys together with it. Keys that were suspended individually stay suspended.
pub(crate) async fn follow_account(
    tx: &mut Tx,
    permit: &WritePermit,
    account: ServiceAccountId,
    suspended: bool,
) -> Result<()> {
    let (before, after) =
        if suspended { (lifecycle::ACTIVE, lifecycle::SUSPENDED) } else { (lifecycle::SUSPENDED, lifecycle::ACTIVE) };
    // $3 and $4 are the states before and after. The last condition only matters when resuming: an active key is never
    // suspended itself.
    let sql = "UPDATE api_keys SET lifecycle = $4 WHERE service_account_id = $1 AND NOT (tenant_id <> $2) AND lifecycle = $3 \
         AND suspended_at IS NULL";
    change!(tx, sqlx::query(sql).bind(account.0).bind(permit.tenant_id().0).bind(before).bind(after))?;
    Ok(())
}

/// Marks all keys that a user owns or created as orphaned since the user left the tenant. With `None`, clears the mark,
/// because the user is a member again.
pub(crate) async fn mark_orphans(
    tx: &mut Tx,
    tenant: TenantId,
    person: UserId,
    since: Option<DateTime<Utc>>,
) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "UPDATE api_keys SET orphaned_at = $3 WHERE tenant_id = $1 AND (user_id = $2 OR created_by_id = $2) \
             AND (orphaned_at IS NULL) <> ($3 IS NULL) AND ($3 IS NOT NULL OR NOT EXISTS (SELECT 1 FROM service_accounts s \
             WHERE s.id = api_keys.service_account_id AND s.deleted_at IS NOT NULL))"
        )
        .bind(tenant.0)
        .bind(person.0)
        .bind(since.map(micros))
    )?;
    Ok(())
}

/// Marks all keys that a deleted service account owned or created as orphaned.
pub(crate) async fn mark_orphans_of_account(
    tx: &mut Tx,
    permit: &WritePermit,
    account: ServiceAccountId,
    since: DateTime<Utc>,
) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE api_keys SET orphaned_at = $3 WHERE tenant_id = $1 AND (service_account_id = $2 OR created_by_id = $2) AND orphaned_at IS NULL")
            .bind(permit.tenant_id().0)
            .bind(account.0)
            .bind(micros(since))
    )?;
    Ok(())
}
