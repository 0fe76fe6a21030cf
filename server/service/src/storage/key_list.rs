//! Lists of API keys: filter, search, order and keyset pages, all in the database.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyFilter, KeyQuery, KeySort, Owner, Page, api_key::EXPIRING_SOON};

use super::{
    Db,
    db::read,
    fold,
    keys::{COLUMNS, FROM, KeyRow},
    listing::{Keyset, Place, SortValue, containing},
    micros,
};
use crate::{Result, policy::Permit};

const NEVER: &str = "9223372036854775807";

/// Whose keys, and behind which wall.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// The permit's owner, in the permit's tenant.
    Here,
    /// The permit's owner, a person, in every tenant that they belong to.
    Everywhere,
}

/// One page of an owner's keys.
pub(crate) async fn list(
    db: &Db,
    permit: &Permit,
    scope: Scope,
    query: &KeyQuery,
    now: DateTime<Utc>,
) -> Result<Page<ApiKey>> {
    let keyset = Keyset::of(&query.page, query.direction, query.sort == KeySort::Name)?;
    let (owner_column, owner_id) = match permit.owner() {
        Some(Owner::User(id)) => ("k.user_id", id.0),
        Some(Owner::ServiceAccount(id)) => ("k.service_account_id", id.0),
        None => return Err(crate::Error::Fault("a list of keys needs an owner".to_owned())),
    };
    let wall = match scope {
        Scope::Here => "k.tenant_id = $2",
        // $2 is bound in both texts, so that the parameters keep their numbers.
        Scope::Everywhere => {
            "($2 = $2 AND k.tenant_id IN (SELECT m.tenant_id FROM memberships m WHERE m.user_id = $1))"
        }
    };
    let value = sort_value(query.sort);
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE {owner_column} = $1 AND {wall} AND {} \
         AND ($4 = '' OR k.name_folded LIKE $5 ESCAPE '\\' OR substr(k.hint, 1, length($4)) = $4){}{}",
        condition(query.filter),
        keyset.clause(value, "k.id", 7),
        keyset.order(value, "k.id"),
    );
    let search = query.search.trim();
    let soon = micros(now + EXPIRING_SOON);
    let rows: Vec<KeyRow> = read!(db, c => {
        let statement = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner_id)
            .bind(permit.tenant_id().0)
            .bind(micros(now))
            .bind(search)
            .bind(containing(&fold(search)))
            .bind(soon);
        let statement = match keyset.place() {
            None => statement,
            Some(Place(SortValue::Number(number), id)) => statement.bind(*number).bind(*id),
            Some(Place(SortValue::Text(text), id)) => statement.bind(text.as_str()).bind(*id),
        };
        statement.fetch_all(c)
    })?;
    Ok(keyset.page(rows, |row| place_of(row, query.sort), ApiKey::from))
}

/// The expression that a column sorts by; each has an index.
fn sort_value(sort: KeySort) -> &'static str {
    match sort {
        KeySort::Name => "k.name_folded",
        KeySort::Created => "k.created_at",
        KeySort::Expires => "COALESCE(k.expires_at, 9223372036854775807)",
        KeySort::LastUsed => "COALESCE(k.last_used_at, 0)",
    }
}

fn place_of(row: &KeyRow, sort: KeySort) -> Place {
    let value = match sort {
        KeySort::Name => SortValue::Text(row.name_folded.clone()),
        KeySort::Created => SortValue::Number(row.created_at),
        KeySort::Expires => SortValue::Number(row.expires_at.unwrap_or(i64::MAX)),
        KeySort::LastUsed => SortValue::Number(row.last_used_at.unwrap_or(0)),
    };
    Place(value, row.id)
}

/// What a filter means: `domain::ApiKey::state`, in SQL. `$3` is now, `$6` the end of "soon".
fn condition(filter: KeyFilter) -> String {
    let over = "(k.expires_at IS NOT NULL AND k.expires_at <= $3)";
    let good = format!(
        "k.revoked_at IS NULL AND k.suspended_at IS NULL AND s.suspended_at IS NULL AND COALESCE(k.expires_at, {NEVER}) > $3"
    );
    let chosen = match filter {
        KeyFilter::Active => good,
        KeyFilter::ExpiringSoon => format!("{good} AND k.expires_at <= $6"),
        KeyFilter::Expired => format!("k.revoked_at IS NULL AND {over}"),
        KeyFilter::Suspended => {
            format!("k.revoked_at IS NULL AND COALESCE(k.suspended_at, s.suspended_at) IS NOT NULL AND NOT {over}")
        }
        KeyFilter::Revoked => "k.revoked_at IS NOT NULL".to_owned(),
        KeyFilter::All => "1 = 1".to_owned(),
    };
    // Every text uses $3 and $6, because a parameter without a use has no type on PostgreSQL.
    format!("({chosen}) AND CAST($3 AS BIGINT) <= CAST($6 AS BIGINT)")
}

/// The good keys that `auth_api_key` shows: the owner's own in the tenant and, if asked, all service accounts' keys.
pub(crate) async fn list_visible(
    db: &Db,
    permit: &Permit,
    and_accounts: bool,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let (user_id, account_id) = match permit.owner() {
        Some(Owner::User(id)) => (Some(id.0), None),
        Some(Owner::ServiceAccount(id)) => (None, Some(id.0)),
        None => (None, None),
    };
    let accounts = if and_accounts { "k.service_account_id IS NOT NULL" } else { "1 = 0" };
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE k.tenant_id = $1 AND (k.user_id = $2 OR k.service_account_id = $3 OR {accounts}) \
         AND k.revoked_at IS NULL AND COALESCE(k.expires_at, {NEVER}) > $4 ORDER BY k.created_at DESC, k.id DESC LIMIT {limit}"
    );
    let rows: Vec<KeyRow> = read!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(permit.tenant_id().0)
        .bind(user_id)
        .bind(account_id)
        .bind(micros(now))
        .fetch_all(c))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}
