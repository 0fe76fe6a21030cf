//! Service accounts.

use chrono::{DateTime, Utc};
use domain::{
    AccountFilter, AccountQuery, AccountSort, ApiError, LastUse, Name, Page, ServiceAccount, ServiceAccountId,
    TenantId, Total,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    fold, instant,
    lifecycle::{expiry, last_use, lifecycle},
    micros, name_search,
    query::{Conditions, Keyset, Place, SortValue, Value, assembled, containing, statement},
    role_of, stored_name, total,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::{Error, Result},
};

/// The last use of an account is that of one of its keys, found by [`FROM`], whose subqueries read one index entry
/// each.
const COLUMNS: &str = concat!(
    "s.id, s.tenant_id, s.name, s.name_folded, s.role, s.created_at, s.created_by, s.suspended_at, s.suspended_by, s.deleted_at, \
    (SELECT COUNT(*) FROM api_keys k WHERE k.service_account_id = s.id) AS all_keys, \
    (SELECT COUNT(*) FROM api_keys k WHERE k.service_account_id = s.id AND k.lifecycle = ",
    lifecycle!(active),
    " AND ",
    expiry!("k.expires_at"),
    " > $1) AS active_keys, l.last_used_at, l.last_used_address, l.last_used_agent"
);

/// Selects the key of an account that was used last, among those in one lifecycle state.
macro_rules! last_used_in {
    ($state:ident) => {
        concat!(
            "SELECT x.id, x.used FROM (SELECT k.id, ",
            last_use!("k.last_used_at"),
            " AS used FROM api_keys k WHERE k.service_account_id = s.id AND k.lifecycle = ",
            lifecycle!($state),
            " ORDER BY ",
            last_use!("k.last_used_at"),
            " DESC, k.id DESC LIMIT 1) x"
        )
    };
}

const FROM: &str = concat!(
    "service_accounts s LEFT JOIN api_keys l ON l.id = (SELECT used.id FROM (",
    last_used_in!(active),
    " UNION ALL ",
    last_used_in!(suspended),
    " UNION ALL ",
    last_used_in!(revoked),
    " UNION ALL ",
    last_used_in!(expired),
    ") used ORDER BY used.used DESC, used.id DESC LIMIT 1)"
);

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
    name_folded: String,
    role: String,
    created_at: i64,
    created_by: String,
    suspended_at: Option<i64>,
    suspended_by: Option<String>,
    deleted_at: Option<i64>,
    all_keys: i64,
    active_keys: i64,
    last_used_at: Option<i64>,
    last_used_address: Option<String>,
    last_used_agent: Option<String>,
}

impl From<AccountRow> for ServiceAccount {
    fn from(row: AccountRow) -> Self {
        let last_used = row.last_used_at.map(|at| LastUse {
            at: instant(at),
            address: row.last_used_address,
            user_agent: row.last_used_agent,
        });
        Self {
            id: ServiceAccountId(row.id),
            tenant_id: TenantId(row.tenant_id),
            name: stored_name(&row.name),
            role: role_of(&row.role).unwrap_or(domain::Role::ReadOnlyUser),
            created_at: instant(row.created_at),
            created_by: row.created_by,
            suspended_at: row.suspended_at.map(instant),
            suspended_by: row.suspended_by,
            deleted_at: row.deleted_at.map(instant),
            active_keys: u32::try_from(row.active_keys).unwrap_or(u32::MAX),
            all_keys: u32::try_from(row.all_keys).unwrap_or(u32::MAX),
            last_used,
        }
    }
}

/// Finds an account that isn't deleted by its exact name, for the operator.
pub(crate) async fn find_by_name(db: &Db, tenant: TenantId, name: &Name) -> Result<Option<ServiceAccountId>> {
    let id: Option<Uuid> = read!(db, c =>
        sqlx::query_scalar("SELECT id FROM service_accounts WHERE tenant_id = $1 AND name = $2 AND deleted_at IS NULL")
            .bind(tenant.0)
            .bind(name.as_str())
            .fetch_optional(c))?;
    Ok(id.map(ServiceAccountId))
}

/// Inserts an account into the permit's tenant. A taken name is a field error.
pub(crate) async fn insert(
    tx: &mut Tx,
    permit: &WritePermit,
    account: &ServiceAccount,
    idempotency_key: Option<Uuid>,
) -> Result<()> {
    let done = change!(
        tx,
        sqlx::query(
            "INSERT INTO service_accounts (id, tenant_id, name, name_folded, role, created_at, created_by, idempotency_key) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(account.id.0)
        .bind(permit.tenant_id().0)
        .bind(account.name.as_str())
        .bind(fold(account.name.as_str()))
        .bind(account.role.as_str())
        .bind(micros(account.created_at))
        .bind(account.created_by.as_str())
        .bind(idempotency_key)
    );
    done.map(drop).map_err(Error::from).map_err(name_taken)?;
    name_search::insert(tx, permit.tenant_id(), name_search::Kind::Account, account.id.0, account.name.as_str()).await
}

/// Finds the account that an earlier request with the same idempotency key created.
pub(crate) async fn find_repeated(
    tx: &mut Tx,
    permit: &ReadPermit,
    key: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<ServiceAccount>> {
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE s.tenant_id = $2 AND s.idempotency_key = $3");
    let row: Option<AccountRow> = run!(tx, c => sqlx::query_as(assembled(sql))
        .bind(micros(now)).bind(permit.tenant_id().0).bind(key).fetch_optional(c))?;
    Ok(row.map(ServiceAccount::from))
}

fn one_of_permit() -> String {
    format!("SELECT {COLUMNS} FROM {FROM} WHERE s.tenant_id = $2 AND s.id = $3")
}

/// Finds an account of the permit's tenant, even a deleted one.
pub(crate) async fn find(
    db: &Db,
    permit: &ReadPermit,
    id: ServiceAccountId,
    now: DateTime<Utc>,
) -> Result<Option<ServiceAccount>> {
    let row: Option<AccountRow> = read!(db, c => sqlx::query_as(assembled(one_of_permit()))
        .bind(micros(now)).bind(permit.tenant_id().0).bind(id.0).fetch_optional(c))?;
    Ok(row.map(ServiceAccount::from))
}

/// Like [`find`], inside a transaction.
pub(crate) async fn find_in(
    tx: &mut Tx,
    permit: &ReadPermit,
    id: ServiceAccountId,
    now: DateTime<Utc>,
) -> Result<Option<ServiceAccount>> {
    let row: Option<AccountRow> = run!(tx, c => sqlx::query_as(assembled(one_of_permit()))
        .bind(micros(now)).bind(permit.tenant_id().0).bind(id.0).fetch_optional(c))?;
    Ok(row.map(ServiceAccount::from))
}

/// Marks an account as deleted. Returns false if it is already deleted or doesn't exist.
pub(crate) async fn delete(
    tx: &mut Tx,
    permit: &WritePermit,
    id: ServiceAccountId,
    at: DateTime<Utc>,
    by: &str,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE service_accounts SET deleted_at = $3, deleted_by = $4, revision = revision + 1 \
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
        .bind(micros(at))
        .bind(by)
    )?;
    Ok(rows == 1)
}

/// Renames an account. Returns false if it is deleted. A taken name is a field error.
pub(crate) async fn rename(
    tx: &mut Tx,
    permit: &WritePermit,
    id: ServiceAccountId,
    name: &domain::Name,
) -> Result<bool> {
    name_search::delete(tx, permit.tenant_id(), name_search::Kind::Account, id.0).await?;
    let done = change!(
        tx,
        sqlx::query(
            "UPDATE service_accounts SET name = $3, name_folded = $4, revision = revision + 1 \
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
        .bind(name.as_str())
        .bind(fold(name.as_str()))
    );
    let renamed = done.map(|rows| rows == 1).map_err(Error::from).map_err(name_taken)?;
    name_search::insert(tx, permit.tenant_id(), name_search::Kind::Account, id.0, name.as_str()).await?;
    Ok(renamed)
}

/// Changes an account's role. Returns false if the account is deleted.
pub(crate) async fn update_role(
    tx: &mut Tx,
    permit: &WritePermit,
    id: ServiceAccountId,
    role: domain::Role,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE service_accounts SET role = $3, revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
        .bind(role.as_str())
    )?;
    Ok(rows == 1)
}

/// Suspends an account. Returns false if it is already suspended or deleted.
pub(crate) async fn suspend(
    tx: &mut Tx,
    permit: &WritePermit,
    id: ServiceAccountId,
    at: DateTime<Utc>,
    by: &str,
) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE service_accounts SET suspended_at = $3, suspended_by = $4, revision = revision + 1 \
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND suspended_at IS NULL"
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
        .bind(micros(at))
        .bind(by)
    )?;
    Ok(rows == 1)
}

/// Resumes a suspended account. Returns false if it isn't suspended or is deleted.
pub(crate) async fn resume(tx: &mut Tx, permit: &WritePermit, id: ServiceAccountId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query(
            "UPDATE service_accounts SET suspended_at = NULL, suspended_by = NULL, revision = revision + 1 \
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND suspended_at IS NOT NULL"
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
    )?;
    Ok(rows == 1)
}

fn name_taken(error: Error) -> Error {
    if error.is_unique_violation() {
        ApiError::field("name", "This name is already taken. Choose another one.").into()
    } else {
        error
    }
}

/// Locks an account until the transaction ends, so that it can't be deleted meanwhile. Returns its role; `None` if it is
/// deleted.
pub(crate) async fn lock(tx: &mut Tx, permit: &WritePermit, id: ServiceAccountId) -> Result<Option<domain::Role>> {
    let role: Option<String> = run!(tx, c =>
        sqlx::query_scalar(
            "UPDATE service_accounts SET revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL \
             RETURNING role",
        )
        .bind(permit.tenant_id().0)
        .bind(id.0)
        .fetch_optional(c))?;
    role.as_deref().map(role_of).transpose()
}

/// Returns one page of the tenant's accounts.
pub(crate) async fn list(
    db: &Db,
    permit: &ReadPermit,
    query: &AccountQuery,
    now: DateTime<Utc>,
) -> Result<Page<ServiceAccount>> {
    let by_name = query.sort == AccountSort::Name;
    let keyset = Keyset::of(&query.page, query.direction, by_name)?;
    let value = if by_name { "s.name_folded" } else { "s.created_at" };
    let search = query.search.trim();
    let hits = match name_search::Span::of(search) {
        Some(span) => span.narrow(db, permit.tenant_id(), name_search::Kind::Account).await?,
        None => None,
    };
    let mut conditions = Conditions::default();
    let at = conditions.bind(Value::Number(micros(now)));
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let from = candidates(query, permit, hits.as_ref(), &tenant, &mut conditions);
    // The page is found first; keys are counted for its rows only. $1 is the current time for the counts.
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT s.id FROM {from}{}{}) hits \
         CROSS JOIN {FROM} WHERE s.id = hits.id AND {at} = {at}{}",
        keyset.clause(value, "s.id", &mut conditions),
        keyset.order(value, "s.id"),
        keyset.order(value, "s.id"),
    );
    let rows: Vec<AccountRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    let position_of = |row: &AccountRow| {
        let value = if by_name { SortValue::Text(row.name_folded.clone()) } else { SortValue::Number(row.created_at) };
        Place(value, row.id)
    };
    // Deleted accounts have no index, and a search that finds many compares names.
    let is_cheap = hits.is_some() || (search.is_empty() && query.filter != AccountFilter::Deleted);
    let total = if is_cheap { Some(count(db, permit, query, hits.as_ref()).await?) } else { None };
    Ok(Page { total, ..keyset.page(rows, position_of, ServiceAccount::from) })
}

/// Counts the accounts of a list, up to [`Total::MAX`].
async fn count(db: &Db, permit: &ReadPermit, query: &AccountQuery, hits: Option<&name_search::Span>) -> Result<Total> {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let from = candidates(query, permit, hits, &tenant, &mut conditions);
    total::count(db, &format!("SELECT s.id FROM {from}"), &conditions).await
}

/// Returns the tables and conditions of a list's accounts `s`. `hits`: the few that a search leaves. `tenant`: the
/// parameter of the tenant.
fn candidates(
    query: &AccountQuery,
    permit: &ReadPermit,
    hits: Option<&name_search::Span>,
    tenant: &str,
    conditions: &mut Conditions,
) -> String {
    let search = query.search.trim();
    let named = if search.is_empty() {
        "1 = 1".to_owned()
    } else {
        format!("s.name_folded LIKE {} ESCAPE '\\'", conditions.bind(Value::Text(containing(&fold(search)))))
    };
    let state = match query.filter {
        AccountFilter::Active => "s.deleted_at IS NULL",
        AccountFilter::Deleted => "s.deleted_at IS NOT NULL",
        AccountFilter::All => "1 = 1",
    };
    let narrow = hits.map(|span| {
        let ids = span.ids(conditions, permit.tenant_id(), name_search::Kind::Account);
        format!("({ids}) few CROSS JOIN service_accounts s WHERE s.id = few.id AND ")
    });
    let from = narrow.unwrap_or_else(|| "service_accounts s WHERE ".to_owned());
    format!("{from}s.tenant_id = {tenant} AND {state} AND {named}")
}
