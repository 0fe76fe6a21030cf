//! Keys of a tenant that expire within a period and aren't being replaced.

use chrono::{DateTime, Utc};
use domain::{ApiKey, OwnerKind, page::Total};

use super::{
    Db,
    db::read_list,
    keys::{COLUMNS, FROM, KeyRow, NOT_REPLACED},
    lifecycle::{ACTIVE, expiry},
    micros,
    query::{Conditions, Value, statement},
    total,
};
use crate::{access::ReadPermit, error::Result};

/// An indexed expression on `api_keys k`.
const EXPIRY: &str = expiry!("k.expires_at");

/// A period in which keys expire. It begins after `now`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) now: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// Returns the statement that selects the ids, soonest expiry first. `kind`: only keys of this kind of owner.
fn ids(permit: &ReadPermit, kind: Option<OwnerKind>, period: Period, conditions: &mut Conditions) -> String {
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let now = conditions.bind(Value::Number(micros(period.now)));
    let until = conditions.bind(Value::Number(micros(period.until)));
    let kind = match kind {
        None => "",
        Some(OwnerKind::User) => " AND k.user_id IS NOT NULL",
        Some(OwnerKind::ServiceAccount) => " AND k.service_account_id IS NOT NULL",
    };
    // Replacements are looked up one by one: with a join, PostgreSQL may read all of them.
    format!(
        "SELECT k.id FROM api_keys k WHERE k.tenant_id = {tenant} AND k.lifecycle = {ACTIVE} AND {EXPIRY} > {now} \
         AND {EXPIRY} <= {until}{kind} AND (k.replaced_by IS NULL OR \
         (SELECT COUNT(*) FROM api_keys n WHERE n.id = k.replaced_by AND {NOT_REPLACED}) > 0) \
         ORDER BY {EXPIRY}, k.id"
    )
}

/// Returns the keys, soonest expiry first, at most `limit`.
pub(crate) async fn list(
    db: &Db,
    permit: &ReadPermit,
    kind: Option<OwnerKind>,
    period: Period,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let mut conditions = Conditions::default();
    let ids = format!("{} LIMIT {limit}", ids(permit, kind, period, &mut conditions));
    let sql =
        format!("SELECT {COLUMNS} FROM ({ids}) hits CROSS JOIN {FROM} WHERE k.id = hits.id ORDER BY {EXPIRY}, k.id");
    let rows: Vec<KeyRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Counts the keys, up to [`Total::MAX`].
pub(crate) async fn count(db: &Db, permit: &ReadPermit, kind: Option<OwnerKind>, period: Period) -> Result<Total> {
    let mut conditions = Conditions::default();
    let ids = ids(permit, kind, period, &mut conditions);
    total::count(db, &ids, &conditions).await
}
