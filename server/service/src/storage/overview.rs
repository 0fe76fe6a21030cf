//! What has been done to set up a tenant.

use chrono::{DateTime, Utc};
use domain::tenant::overview::Steps;

use super::{
    Db,
    db::read,
    lifecycle::{self, last_use},
    micros,
    query::assembled,
};
use crate::{access::ReadPermit, error::Result};

/// Returns the steps that are done in the permit's tenant. Reads a few rows, however many the tenant has.
pub(crate) async fn find_steps(db: &Db, permit: &ReadPermit, now: DateTime<Utc>) -> Result<Steps> {
    let used = lifecycle::ALL.map(|state| {
        let last_use = last_use!("k.last_used_at");
        format!(
            "(SELECT COUNT(*) FROM (SELECT k.id FROM api_keys k WHERE k.tenant_id = $1 AND k.lifecycle = {state} \
             AND {last_use} > 0 LIMIT 1) used{state})"
        )
    });
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM (SELECT k.id FROM api_keys k WHERE k.tenant_id = $1 LIMIT 1) any_key), {}, \
         (SELECT COUNT(*) FROM (SELECT m.user_id FROM memberships m WHERE m.tenant_id = $1 LIMIT 2) members), \
         (SELECT COUNT(*) FROM (SELECT i.id FROM invitations i WHERE i.tenant_id = $1 AND i.closed_at IS NULL \
         AND i.expires_at > $2 LIMIT 1) invited)",
        used.join(" + ")
    );
    let (keys, used, members, invited): (i64, i64, i64, i64) = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(permit.tenant_id().0).bind(micros(now)).fetch_one(c))?;
    Ok(Steps { has_key: keys > 0, has_used_key: used > 0, has_team: members > 1 || invited > 0 })
}
