//! Requests with a key that were rejected. Written in batches, apart from the requests.

use chrono::{DateTime, Utc};
use domain::{
    AgentId, Endpoint, KeyId, KeyRefusal, RefusalReason, Scope, refusal::MAX_REFUSALS, tenant::overview::ReasonCount,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list},
    instant, micros,
    query::{assembled, in_tenant},
    stored_name,
    usage::day_of,
};
use crate::{access::ReadPermit, error::Result};

/// How many keys lose old rows in one transaction.
const KEYS_AT_ONCE: usize = 1_000;

/// Adds to the rejected requests with a key. Another server may have written equal ones too: the counts add up.
pub(crate) async fn add(tx: &mut Tx, key: KeyId, refusal: &KeyRefusal) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_refusals AS r (key_id, reason, endpoint, scopes, address, user_agent, agent_id, first_at, last_at, refusal_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (key_id, reason, endpoint, scopes, address, user_agent, agent_id) DO UPDATE SET \
             first_at = CASE WHEN r.first_at < excluded.first_at THEN r.first_at ELSE excluded.first_at END, \
             last_at = CASE WHEN r.last_at > excluded.last_at THEN r.last_at ELSE excluded.last_at END, \
             refusal_count = r.refusal_count + excluded.refusal_count"
        )
        .bind(key.0)
        .bind(refusal.reason.as_str())
        .bind(refusal.endpoint.map_or("", Endpoint::as_str))
        .bind(refusal.scopes_text())
        .bind(refusal.address.as_deref().unwrap_or_default())
        .bind(refusal.user_agent.as_deref().unwrap_or_default())
        .bind(refusal.agent_id.unwrap_or_default().0)
        .bind(micros(refusal.first_at))
        .bind(micros(refusal.last_at))
        .bind(i64::try_from(refusal.count).unwrap_or(i64::MAX))
    )?;
    Ok(())
}

/// How often requests with a key were rejected for a reason on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OnDay {
    pub(crate) key: KeyId,
    /// In days since 1970-01-01 UTC.
    pub(crate) day: i64,
    pub(crate) reason: RefusalReason,
}

/// Adds to the rejected requests of the tenant of a key.
pub(crate) async fn add_to_tenant(tx: &mut Tx, on: OnDay, refusals: u64) -> Result<()> {
    let sql = format!(
        "INSERT INTO tenant_refusal_days AS d (tenant_id, day, reason, refusal_count) \
         SELECT k.tenant_id, $2, {}, $4 FROM api_keys k WHERE k.id = $1 \
         ON CONFLICT (tenant_id, day, reason) DO UPDATE SET refusal_count = d.refusal_count + excluded.refusal_count",
        reason_sql("$3")
    );
    change!(
        tx,
        sqlx::query(assembled(sql))
            .bind(on.key.0)
            .bind(on.day)
            .bind(on.reason.as_str())
            .bind(i64::try_from(refusals).unwrap_or(i64::MAX))
    )?;
    Ok(())
}

/// Returns the expression of a rejected request's reason. A key that ended because another one replaced it is told
/// apart in the database: its rotation may end after it was read into memory.
fn reason_sql(recorded: &str) -> String {
    format!(
        "CASE WHEN k.replaced_by IS NOT NULL AND ({recorded} = 'expired' OR {recorded} = 'revoked' AND k.revoke_reason = 'rotated') \
         THEN 'replaced' ELSE {recorded} END"
    )
}

/// Returns why requests with keys of the permit's tenant were rejected from the day of `since` on, most frequent reason
/// first.
pub(crate) async fn list_reasons(db: &Db, permit: &ReadPermit, since: DateTime<Utc>) -> Result<Vec<ReasonCount>> {
    let rows: Vec<(String, i64)> = read_list!(db, c =>
        sqlx::query_as(
            "SELECT d.reason, CAST(SUM(d.refusal_count) AS BIGINT) FROM tenant_refusal_days d WHERE d.tenant_id = $1 AND d.day >= $2 \
             GROUP BY d.reason ORDER BY SUM(d.refusal_count) DESC, d.reason",
        )
        .bind(permit.tenant_id().0)
        .bind(day_of(since))
        .fetch_all(c))?;
    let count = |(reason, count): (String, i64)| {
        let reason = RefusalReason::from_code(&reason)?;
        Some(ReasonCount { reason, refusals: u64::try_from(count).unwrap_or(0) })
    };
    Ok(rows.into_iter().filter_map(count).collect())
}

/// Deletes the rows of a key that are older than its [`MAX_REFUSALS`] most recent ones.
pub(crate) async fn delete_beyond_most_recent(tx: &mut Tx, key: KeyId) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "DELETE FROM key_refusals WHERE key_id = $1 AND last_at < \
             (SELECT n.last_at FROM key_refusals n WHERE n.key_id = $1 ORDER BY n.last_at DESC LIMIT 1 OFFSET $2)"
        )
        .bind(key.0)
        .bind(i64::try_from(MAX_REFUSALS - 1).unwrap_or(i64::MAX))
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    reason: String,
    endpoint: String,
    scopes: String,
    address: String,
    user_agent: String,
    agent_id: Uuid,
    agent_name: Option<String>,
    first_at: i64,
    last_at: i64,
    refusal_count: i64,
}

impl Row {
    /// `None` for a row that was changed outside of the service.
    fn into_refusal(self) -> Option<KeyRefusal> {
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Some(KeyRefusal {
            reason: RefusalReason::from_code(&self.reason)?,
            endpoint: Endpoint::from_code(&self.endpoint),
            scopes: self.scopes.split_whitespace().filter_map(|text| Scope::parse(text).ok()).collect(),
            address: known(self.address),
            user_agent: known(self.user_agent),
            agent_id: Some(self.agent_id).filter(|id| !id.is_nil()).map(AgentId),
            agent_name: self.agent_name.as_deref().map(stored_name),
            first_at: instant(self.first_at),
            last_at: instant(self.last_at),
            count: u64::try_from(self.refusal_count).unwrap_or(0),
        })
    }
}

/// Returns the requests since an instant that were rejected with a key in the permit's tenant, most recent first, at
/// most [`MAX_REFUSALS`].
pub(crate) async fn list(db: &Db, permit: &ReadPermit, key: KeyId, since: DateTime<Utc>) -> Result<Vec<KeyRefusal>> {
    let sql = format!(
        "SELECT {} AS reason, r.endpoint, r.scopes, r.address, r.user_agent, r.agent_id, a.name AS agent_name, \
         r.first_at, r.last_at, r.refusal_count \
         FROM key_refusals r JOIN api_keys k ON k.id = r.key_id LEFT JOIN agents a ON a.id = r.agent_id AND a.key_id = r.key_id \
         WHERE r.key_id = $1 AND {} AND r.last_at >= $3 \
         ORDER BY r.last_at DESC, r.reason, r.endpoint, r.scopes, r.address, r.user_agent, r.agent_id LIMIT {MAX_REFUSALS}",
        reason_sql("r.reason"),
        in_tenant("$2")
    );
    let rows: Vec<Row> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(key.0).bind(permit.tenant_id().0).bind(micros(since)).fetch_all(c))?;
    Ok(rows.into_iter().filter_map(Row::into_refusal).collect())
}

/// Deletes the requests that were last rejected before an instant.
pub(crate) async fn sweep(db: &Db, before: DateTime<Utc>) -> Result<()> {
    loop {
        // Found outside of the transaction, like old clients: no index has this time.
        let old: Vec<(Uuid,)> = read_list!(db, c =>
            sqlx::query_as("SELECT DISTINCT key_id FROM key_refusals WHERE last_at < $1 ORDER BY key_id LIMIT $2")
                .bind(micros(before))
                .bind(i64::try_from(KEYS_AT_ONCE).unwrap_or(i64::MAX))
                .fetch_all(c))?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for (key,) in &old {
            change!(
                &mut tx,
                sqlx::query("DELETE FROM key_refusals WHERE key_id = $1 AND last_at < $2")
                    .bind(key)
                    .bind(micros(before))
            )?;
        }
        tx.commit().await?;
        if old.len() < KEYS_AT_ONCE {
            return Ok(());
        }
    }
}
