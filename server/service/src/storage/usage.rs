//! Usage of keys: by client, by hour, and the last use. Written in batches, apart from the requests.

use chrono::{DateTime, Utc};
use domain::{AgentId, DayCount, HourCount, KeyClient, KeyId, LastUse, Owner, Recent};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list},
    instant, micros,
    query::{Conditions, Value, assembled, in_tenant, statement},
    stored_name,
    sweeping::delete_in_steps,
};
use crate::{access::ReadPermit, error::Result};

/// Microseconds in an hour.
const HOUR: i64 = 3_600_000_000;
const HOURS_A_DAY: i64 = 24;
/// The most rows that the sums of a tenant read: those of 3,000 keys that are used every day for a month.
const MAX_DAYS: i64 = 100_000;
/// The maximum number of clients stored for a key: the most recent ones.
const MAX_CLIENTS: i64 = 1_000;
/// How many old clients one transaction deletes.
const SWEPT_AT_ONCE: usize = 1_000;

/// Returns the hour of an instant, counted from the Unix epoch.
pub(crate) fn hour_of(at: DateTime<Utc>) -> i64 {
    micros(at).div_euclid(HOUR)
}

/// How one client used a key since the last batch.
#[derive(Clone, Debug)]
pub(crate) struct ClientUsage {
    pub(crate) address: String,
    pub(crate) user_agent: String,
    pub(crate) agent_id: Uuid,
    pub(crate) first_seen_at: DateTime<Utc>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
    pub(crate) last_refused_at: Option<DateTime<Utc>>,
    pub(crate) use_count: i64,
    pub(crate) refusals: i64,
}

impl ClientUsage {
    /// Returns whether another usage is by the same client.
    pub(crate) fn is_same_client(&self, other: &Self) -> bool {
        self.address == other.address && self.user_agent == other.user_agent && self.agent_id == other.agent_id
    }
}

/// Makes a batch give up after waiting 300 ms for another writer on `PostgreSQL`. A batch can be retried, a user's
/// request can't, so in a deadlock between them the batch is the one to fail.
pub(crate) async fn yield_to_others(tx: &mut Tx) -> Result<()> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query("SET LOCAL lock_timeout = '300ms'").execute(&mut **tx).await?;
    }
    Ok(())
}

/// Adds to the usage of a client. Another server may have written it too: counts add up, and the latest times are kept.
pub(crate) async fn add_client(tx: &mut Tx, key: KeyId, client: &ClientUsage) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_usage_clients AS c (key_id, address, user_agent, agent_id, first_seen_at, last_used_at, last_refused_at, use_count, refusal_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key_id, address, user_agent, agent_id) DO UPDATE SET \
             use_count = c.use_count + excluded.use_count, refusal_count = c.refusal_count + excluded.refusal_count, \
             last_used_at = CASE WHEN COALESCE(c.last_used_at, 0) > COALESCE(excluded.last_used_at, 0) THEN c.last_used_at \
             ELSE excluded.last_used_at END, \
             last_refused_at = CASE WHEN COALESCE(c.last_refused_at, 0) > COALESCE(excluded.last_refused_at, 0) THEN c.last_refused_at \
             ELSE excluded.last_refused_at END"
        )
        .bind(key.0)
        .bind(client.address.as_str())
        .bind(client.user_agent.as_str())
        .bind(client.agent_id)
        .bind(micros(client.first_seen_at))
        .bind(client.last_used_at.map(micros))
        .bind(client.last_refused_at.map(micros))
        .bind(client.use_count)
        .bind(client.refusals)
    )?;
    Ok(())
}

/// Adds to a key's counts of an hour, and of its day.
pub(crate) async fn add_hour(tx: &mut Tx, key: KeyId, hour: i64, use_count: i64, refusals: i64) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_usage_hours AS h (key_id, hour, use_count, refusal_count) VALUES ($1, $2, $3, $4) ON CONFLICT (key_id, hour) \
             DO UPDATE SET use_count = h.use_count + excluded.use_count, refusal_count = h.refusal_count + excluded.refusal_count"
        )
        .bind(key.0)
        .bind(hour)
        .bind(use_count)
        .bind(refusals)
    )?;
    change!(
        tx,
        sqlx::query(
            "INSERT INTO key_usage_days AS d (key_id, day, tenant_id, use_count, refusal_count) \
             SELECT k.id, $2, k.tenant_id, $3, $4 FROM api_keys k WHERE k.id = $1 ON CONFLICT (key_id, day) \
             DO UPDATE SET use_count = d.use_count + excluded.use_count, refusal_count = d.refusal_count + excluded.refusal_count"
        )
        .bind(key.0)
        .bind(hour.div_euclid(HOURS_A_DAY))
        .bind(use_count)
        .bind(refusals)
    )?;
    Ok(())
}

/// Returns a statement that counts requests of every key on each day, from `first` to `last`.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn made_up_days(first: i64, last: i64) -> String {
    format!(
        "INSERT INTO key_usage_days (key_id, day, tenant_id, use_count, refusal_count) \
         WITH RECURSIVE days (day) AS (SELECT {first} UNION ALL SELECT day + 1 FROM days WHERE day < {last}) \
         SELECT k.id, d.day, k.tenant_id, 1 + (d.day * 7) % 23, d.day % 3 FROM api_keys k, days d"
    )
}

/// Adds to an hour's count of refused tokens that belong to no key.
pub(crate) async fn add_refusals(tx: &mut Tx, hour: i64, reason: &str, refusals: i64) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "INSERT INTO refusal_hours AS h (hour, reason, refusal_count) VALUES ($1, $2, $3) ON CONFLICT (hour, reason) \
             DO UPDATE SET refusal_count = h.refusal_count + excluded.refusal_count"
        )
        .bind(hour)
        .bind(reason)
        .bind(refusals)
    )?;
    Ok(())
}

/// Sets the three columns of a key's last use or last refusal, unless a later one is already recorded.
macro_rules! update_last {
    ($tx:expr, $id:expr, $last:expr, $what:literal) => {
        change!(
            $tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET last_",
                $what,
                "_at = $2, last_",
                $what,
                "_address = $3, last_",
                $what,
                "_agent = $4 \
                 WHERE id = $1 AND (last_",
                $what,
                "_at IS NULL OR last_",
                $what,
                "_at < $2)"
            ))
            .bind($id.0)
            .bind(micros($last.at))
            .bind($last.address.as_deref())
            .bind($last.user_agent.as_deref())
        )?
    };
}

/// Records a key's last use, unless a later one is already recorded.
pub(crate) async fn update_last_use(tx: &mut Tx, id: KeyId, last: &LastUse) -> Result<()> {
    update_last!(tx, id, last, "used");
    Ok(())
}

/// Records a key's last refusal, unless a later one is already recorded.
pub(crate) async fn update_last_refusal(tx: &mut Tx, id: KeyId, last: &LastUse) -> Result<()> {
    update_last!(tx, id, last, "refused");
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ClientRow {
    address: String,
    user_agent: String,
    agent_id: Uuid,
    agent_name: Option<String>,
    first_seen_at: i64,
    last_used_at: Option<i64>,
    last_refused_at: Option<i64>,
    use_count: i64,
    refusal_count: i64,
}

impl From<ClientRow> for KeyClient {
    fn from(row: ClientRow) -> Self {
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            address: known(row.address),
            user_agent: known(row.user_agent),
            agent_id: Some(row.agent_id).filter(|id| !id.is_nil()).map(AgentId),
            agent_name: row.agent_name.as_deref().map(stored_name),
            first_seen_at: instant(row.first_seen_at),
            last_used_at: row.last_used_at.map(instant),
            last_refused_at: row.last_refused_at.map(instant),
            use_count: count(row.use_count),
            refusals: count(row.refusal_count),
        }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns the clients of a key in the permit's tenant, most recent first, at most `limit`.
pub(crate) async fn list_clients(db: &Db, permit: &ReadPermit, key: KeyId, limit: u32) -> Result<Vec<KeyClient>> {
    let sql = format!(
        "SELECT c.address, c.user_agent, c.agent_id, a.name AS agent_name, c.first_seen_at, c.last_used_at, c.last_refused_at, c.use_count, c.refusal_count \
         FROM key_usage_clients c JOIN api_keys k ON k.id = c.key_id LEFT JOIN agents a ON a.id = c.agent_id AND a.key_id = c.key_id \
         WHERE c.key_id = $1 AND k.tenant_id = $2 \
         ORDER BY CASE WHEN COALESCE(c.last_used_at, 0) > COALESCE(c.last_refused_at, 0) THEN c.last_used_at ELSE c.last_refused_at END DESC \
         LIMIT {limit}"
    );
    let rows: Vec<ClientRow> = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(key.0).bind(permit.tenant_id().0).fetch_all(c))?;
    Ok(rows.into_iter().map(KeyClient::from).collect())
}

/// Returns the hourly counts of a key in the permit's tenant, from the hour of `since` on.
pub(crate) async fn list_hours(
    db: &Db,
    permit: &ReadPermit,
    key: KeyId,
    since: DateTime<Utc>,
) -> Result<Vec<HourCount>> {
    let rows: Vec<(i64, i64, i64)> = read!(db, c =>
        sqlx::query_as(
            "SELECT h.hour, h.use_count, h.refusal_count FROM key_usage_hours h JOIN api_keys k ON k.id = h.key_id \
             WHERE h.key_id = $1 AND k.tenant_id = $2 AND h.hour >= $3 ORDER BY h.hour",
        )
        .bind(key.0)
        .bind(permit.tenant_id().0)
        .bind(hour_of(since))
        .fetch_all(c))?;
    let hour = |(hour, use_count, refusals): (i64, i64, i64)| HourCount {
        hour: instant(hour.saturating_mul(HOUR)),
        use_count: count(use_count),
        refusals: count(refusals),
    };
    Ok(rows.into_iter().map(hour).collect())
}

/// Returns the start of a day that is counted from the Unix epoch.
fn start_of_day(day: i64) -> DateTime<Utc> {
    instant(day.saturating_mul(HOURS_A_DAY * HOUR))
}

/// Returns the day in UTC of an instant, counted from the Unix epoch.
pub(crate) fn day_of(at: DateTime<Utc>) -> i64 {
    hour_of(at).div_euclid(HOURS_A_DAY)
}

/// Returns the daily counts of several keys from the day of `since` on, for those that belong to the tenant and owner
/// of one of the permits. Days without requests are missing.
pub(crate) async fn list_days(
    db: &Db,
    permits: &[ReadPermit],
    keys: &[KeyId],
    since: DateTime<Utc>,
) -> Result<Vec<(KeyId, DayCount)>> {
    if permits.is_empty() || keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let since = conditions.bind(Value::Number(day_of(since)));
    let ids: Vec<String> = keys.iter().map(|key| conditions.bind(Value::Id(key.0))).collect();
    let walls: Vec<String> = permits
        .iter()
        .map(|permit| {
            let tenant = in_tenant(&conditions.bind(Value::Id(permit.tenant_id().0)));
            match permit.owner() {
                Some(Owner::User(id)) => {
                    format!("({tenant} AND NOT (k.user_id <> {}))", conditions.bind(Value::Id(id.0)))
                }
                Some(Owner::ServiceAccount(id)) => {
                    format!("({tenant} AND NOT (k.service_account_id <> {}))", conditions.bind(Value::Id(id.0)))
                }
                None => format!("({tenant})"),
            }
        })
        .collect();
    // CROSS JOIN and the double negations, see `in_tenant`: SQLite finds the given keys by their ids, then their days.
    let sql = format!(
        "SELECT d.key_id, d.day, d.use_count, d.refusal_count FROM api_keys k CROSS JOIN key_usage_days d \
         WHERE k.id IN ({}) AND ({}) AND d.key_id = k.id AND d.day >= {since}",
        ids.join(", "),
        walls.join(" OR ")
    );
    let rows: Vec<(Uuid, i64, i64, i64)> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    let count = |(key, day, use_count, refusals): (Uuid, i64, i64, i64)| {
        (KeyId(key), DayCount { day: start_of_day(day), use_count: count(use_count), refusals: count(refusals) })
    };
    Ok(rows.into_iter().map(count).collect())
}

/// Returns the daily counts of all keys in the permit's tenant from the day of `since` on, earliest first, and whether
/// they are complete. If not, the tenant has so many used keys that the earliest days are missing, and the first of the
/// returned days isn't whole. Days without requests are missing.
pub(crate) async fn list_tenant_days(
    db: &Db,
    permit: &ReadPermit,
    since: DateTime<Utc>,
) -> Result<(Vec<DayCount>, bool)> {
    let sql = format!(
        "SELECT t.day, CAST(SUM(t.use_count) AS BIGINT), CAST(SUM(t.refusal_count) AS BIGINT), COUNT(*) FROM \
         (SELECT d.day, d.use_count, d.refusal_count FROM key_usage_days d WHERE d.tenant_id = $1 AND d.day >= $2 \
         ORDER BY d.day DESC LIMIT {MAX_DAYS}) t GROUP BY t.day ORDER BY t.day"
    );
    let rows: Vec<(i64, i64, i64, i64)> = read_list!(db, c =>
        sqlx::query_as(assembled(sql)).bind(permit.tenant_id().0).bind(day_of(since)).fetch_all(c))?;
    let is_complete = rows.iter().map(|row| row.3).sum::<i64>() < MAX_DAYS;
    let day = |(day, use_count, refusals, _): (i64, i64, i64, i64)| DayCount {
        day: start_of_day(day),
        use_count: count(use_count),
        refusals: count(refusals),
    };
    Ok((rows.into_iter().map(day).collect(), is_complete))
}

/// What [`list_busiest`] orders keys by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Busiest {
    /// The number of accepted requests.
    ByUses,
    /// The number of rejected requests.
    ByRefusals,
}

/// Returns the keys in the permit's tenant with the most requests from the day of `since` on, with their accepted and
/// rejected requests, at most `limit`.
pub(crate) async fn list_busiest(
    db: &Db,
    permit: &ReadPermit,
    by: Busiest,
    since: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<(KeyId, u64, u64)>> {
    let column = match by {
        Busiest::ByUses => "use_count",
        Busiest::ByRefusals => "refusal_count",
    };
    let sql = format!(
        "SELECT t.key_id, CAST(SUM(t.use_count) AS BIGINT), CAST(SUM(t.refusal_count) AS BIGINT) FROM \
         (SELECT d.key_id, d.use_count, d.refusal_count FROM key_usage_days d WHERE d.tenant_id = $1 AND d.day >= $2 \
         ORDER BY d.day DESC LIMIT {MAX_DAYS}) t GROUP BY t.key_id HAVING SUM(t.{column}) > 0 \
         ORDER BY SUM(t.{column}) DESC, t.key_id LIMIT {limit}"
    );
    let rows: Vec<(Uuid, i64, i64)> = read_list!(db, c =>
        sqlx::query_as(assembled(sql)).bind(permit.tenant_id().0).bind(day_of(since)).fetch_all(c))?;
    Ok(rows.into_iter().map(|(key, use_count, refusals)| (KeyId(key), count(use_count), count(refusals))).collect())
}

/// Whose recent usage is requested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Key(KeyId),
    Owner(Owner),
}

/// Returns how unrevoked keys of the permit's tenant were used: when last, and how many keys, addresses and agents
/// since an instant.
pub(crate) async fn recent(db: &Db, permit: &ReadPermit, of: Of, since: DateTime<Utc>) -> Result<Recent> {
    let (column, id) = match of {
        Of::Key(id) => ("k.id", id.0),
        Of::Owner(Owner::User(id)) => ("k.user_id", id.0),
        Of::Owner(Owner::ServiceAccount(id)) => ("k.service_account_id", id.0),
    };
    let sql = format!(
        "SELECT MAX(k.last_used_at), COUNT(DISTINCT CASE WHEN c.last_used_at >= $3 THEN k.id END), \
         COUNT(DISTINCT CASE WHEN c.last_used_at >= $3 THEN NULLIF(c.address, '') END), \
         COUNT(DISTINCT CASE WHEN c.last_used_at >= $3 THEN a.id END) \
         FROM api_keys k LEFT JOIN key_usage_clients c ON c.key_id = k.id LEFT JOIN agents a ON a.id = c.agent_id AND a.key_id = k.id \
         WHERE {column} = $1 AND {} AND k.revoked_at IS NULL",
        in_tenant("$2")
    );
    let row: (Option<i64>, i64, i64, i64) = read!(db, c =>
        sqlx::query_as(assembled(sql)).bind(id).bind(permit.tenant_id().0).bind(micros(since)).fetch_one(c))?;
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Recent { last_used_at: row.0.map(instant), keys: small(row.1), addresses: small(row.2), agents: small(row.3) })
}

/// Deletes hours and clients that are older than `before`, and the least recent clients beyond [`MAX_CLIENTS`] of a
/// key.
pub(crate) async fn sweep(db: &Db, before: DateTime<Utc>) -> Result<()> {
    const HOURS: &str = "DELETE FROM key_usage_hours WHERE (key_id, hour) IN \
         (SELECT key_id, hour FROM key_usage_hours WHERE hour < $1 LIMIT $2)";
    const DAYS: &str = "DELETE FROM key_usage_days WHERE (key_id, day) IN \
         (SELECT key_id, day FROM key_usage_days WHERE day < $1 LIMIT $2)";
    const TENANT_REFUSALS: &str = "DELETE FROM tenant_refusal_days WHERE (tenant_id, day, reason) IN \
         (SELECT tenant_id, day, reason FROM tenant_refusal_days WHERE day < $1 LIMIT $2)";
    const REFUSALS: &str = "DELETE FROM refusal_hours WHERE (hour, reason) IN \
         (SELECT hour, reason FROM refusal_hours WHERE hour < $1 LIMIT $2)";
    let many: Vec<(Uuid,)> = read!(db, c =>
        sqlx::query_as("SELECT key_id FROM key_usage_clients GROUP BY key_id HAVING COUNT(*) > $1").bind(MAX_CLIENTS).fetch_all(c))?;
    delete_in_steps(db, HOURS, hour_of(before)).await?;
    delete_in_steps(db, DAYS, day_of(before)).await?;
    delete_in_steps(db, TENANT_REFUSALS, day_of(before)).await?;
    delete_in_steps(db, REFUSALS, hour_of(before)).await?;
    for (key,) in many {
        let mut tx = db.begin().await?;
        change!(
            &mut tx,
            sqlx::query(
                "DELETE FROM key_usage_clients WHERE key_id = $1 AND (address, user_agent, agent_id) NOT IN \
                 (SELECT address, user_agent, agent_id FROM key_usage_clients WHERE key_id = $1 ORDER BY \
                 CASE WHEN COALESCE(last_refused_at, 0) > COALESCE(last_used_at, 0) THEN last_refused_at ELSE last_used_at END DESC LIMIT $2)"
            )
            .bind(key)
            .bind(MAX_CLIENTS)
        )?;
        tx.commit().await?;
    }
    while delete_old_clients(db, before).await? == SWEPT_AT_ONCE {}
    Ok(())
}

/// Deletes at most [`SWEPT_AT_ONCE`] clients that were last seen before an instant. Returns how many it found.
///
/// No index has this time, because it changes with every request. So the rows are found outside of the transaction:
/// `SQLite` has one writer, which would wait for the scan.
async fn delete_old_clients(db: &Db, before: DateTime<Utc>) -> Result<usize> {
    let old: Vec<(Uuid, String, String, Uuid)> = read_list!(db, c => sqlx::query_as(
            "SELECT key_id, address, user_agent, agent_id FROM key_usage_clients \
             WHERE COALESCE(last_used_at, 0) < $1 AND COALESCE(last_refused_at, 0) < $1 LIMIT $2"
        )
        .bind(micros(before))
        .bind(i64::try_from(SWEPT_AT_ONCE).unwrap_or(i64::MAX))
        .fetch_all(c))?;
    if old.is_empty() {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    for (key, address, user_agent, agent) in &old {
        // Unless it was seen since.
        change!(
            &mut tx,
            sqlx::query(
                "DELETE FROM key_usage_clients WHERE key_id = $1 AND address = $2 AND user_agent = $3 AND agent_id = $4 \
                 AND COALESCE(last_used_at, 0) < $5 AND COALESCE(last_refused_at, 0) < $5"
            )
            .bind(key)
            .bind(address.as_str())
            .bind(user_agent.as_str())
            .bind(agent)
            .bind(micros(before))
        )?;
    }
    tx.commit().await?;
    Ok(old.len())
}

/// Returns the counts of refused tokens that belong to no key, by hour and reason, latest first.
pub(crate) async fn list_refusals(db: &Db, since: DateTime<Utc>) -> Result<Vec<(DateTime<Utc>, String, u64)>> {
    let rows: Vec<(i64, String, i64)> = read!(db, c =>
        sqlx::query_as("SELECT hour, reason, refusal_count FROM refusal_hours WHERE hour >= $1 ORDER BY hour DESC, reason")
            .bind(hour_of(since))
            .fetch_all(c))?;
    Ok(rows
        .into_iter()
        .map(|(hour, reason, refusals)| (instant(hour.saturating_mul(HOUR)), reason, count(refusals)))
        .collect())
}
