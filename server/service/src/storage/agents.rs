//! Agents: long-running clients of keys.

use chrono::{DateTime, Utc};
use domain::{Agent, AgentId, AgentScope, ApiKey, KeyId, Label, Name, Owner};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    instant,
    keys::{COLUMNS, FROM, KeyRow},
    micros,
    query::assembled,
    stored_name,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::{Error, Result},
};

/// How many old agents one transaction deletes.
const DELETED_AT_ONCE: usize = 1_000;

/// An agent that has started.
#[derive(Clone, Debug)]
pub(crate) struct NewAgent {
    pub(crate) id: AgentId,
    pub(crate) key: KeyId,
    /// Starts with the same identity and key belong to one agent.
    pub(crate) identity: [u8; 32],
    pub(crate) name: Name,
    pub(crate) kind: Name,
    pub(crate) labels: Vec<Label>,
    pub(crate) version: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct AgentRow {
    agent_id: Uuid,
    agent_name: String,
    agent_kind: String,
    agent_labels: String,
    agent_version: Option<String>,
    agent_address: Option<String>,
    first_seen_at: i64,
    last_seen_at: i64,
    #[sqlx(flatten)]
    key: KeyRow,
}

impl From<AgentRow> for Agent {
    fn from(row: AgentRow) -> Self {
        let labels: Vec<String> = serde_json::from_str(&row.agent_labels).unwrap_or_default();
        Self {
            id: AgentId(row.agent_id),
            key: ApiKey::from(row.key),
            name: stored_name(&row.agent_name),
            kind: stored_name(&row.agent_kind),
            labels: Label::parse_all(&labels).unwrap_or_default(),
            version: row.agent_version,
            address: row.agent_address,
            first_seen_at: instant(row.first_seen_at),
            last_seen_at: instant(row.last_seen_at),
        }
    }
}

/// Inserts an agent of the permit's tenant, or records that it has started again. Returns its id.
pub(crate) async fn upsert(tx: &mut Tx, permit: &WritePermit, agent: &NewAgent) -> Result<AgentId> {
    let labels: Vec<&str> = agent.labels.iter().map(Label::as_str).collect();
    let labels = serde_json::to_string(&labels).map_err(|error| Error::Fault(error.to_string()))?;
    let id: Uuid = run!(tx, c => sqlx::query_scalar(
            "INSERT INTO agents (id, tenant_id, key_id, identity, name, kind, labels, version, address, first_seen_at, last_seen_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) \
             ON CONFLICT (key_id, identity) DO UPDATE SET version = excluded.version, last_seen_at = excluded.last_seen_at RETURNING id"
        )
        .bind(agent.id.0)
        .bind(permit.tenant_id().0)
        .bind(agent.key.0)
        .bind(agent.identity.as_slice())
        .bind(agent.name.as_str())
        .bind(agent.kind.as_str())
        .bind(labels.as_str())
        .bind(agent.version.as_deref())
        .bind(agent.address.as_deref())
        .bind(micros(agent.at))
        .fetch_one(c))?;
    Ok(AgentId(id))
}

/// Deletes all agents of a key except the `most` that were seen last.
pub(crate) async fn delete_beyond(tx: &mut Tx, key: KeyId, most: u32) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "DELETE FROM agents WHERE key_id = $1 AND id NOT IN \
             (SELECT a.id FROM agents a WHERE a.key_id = $1 ORDER BY a.last_seen_at DESC, a.id DESC LIMIT $2)"
        )
        .bind(key.0)
        .bind(i64::from(most))
    )?;
    Ok(())
}

/// Deletes agents that were last seen before an instant. Finds them outside of the transaction, see
/// [`super::usage::sweep`].
pub(crate) async fn delete_before(db: &Db, instant: DateTime<Utc>) -> Result<()> {
    let old: Vec<Uuid> = read_list!(db, c =>
        sqlx::query_scalar("SELECT id FROM agents WHERE last_seen_at < $1").bind(micros(instant)).fetch_all(c))?;
    for ids in old.chunks(DELETED_AT_ONCE) {
        let mut tx = db.begin().await?;
        for id in ids {
            // Unless it was seen since.
            change!(
                &mut tx,
                sqlx::query("DELETE FROM agents WHERE id = $1 AND last_seen_at < $2").bind(*id).bind(micros(instant))
            )?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Records when an agent was last seen, unless a later time is recorded. Changes nothing if the agent belongs to
/// another key.
pub(crate) async fn update_last_seen(tx: &mut Tx, id: AgentId, key: KeyId, at: DateTime<Utc>) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE agents SET last_seen_at = $3 WHERE id = $1 AND key_id = $2 AND last_seen_at < $3")
            .bind(id.0)
            .bind(key.0)
            .bind(micros(at))
    )?;
    Ok(())
}

/// Returns agents of the permit's tenant, last seen first, at most `limit`.
pub(crate) async fn list(db: &Db, permit: &ReadPermit, scope: AgentScope, limit: u32) -> Result<Vec<Agent>> {
    let (condition, id) = match scope {
        // Each condition uses $2, so that the parameters keep their numbers.
        AgentScope::Tenant => ("$2 = $2", Uuid::nil()),
        AgentScope::Owner(Owner::User(id)) => ("k.user_id = $2", id.0),
        AgentScope::Owner(Owner::ServiceAccount(id)) => ("k.service_account_id = $2", id.0),
        AgentScope::Key(id) => ("k.id = $2", id.0),
    };
    let sql = format!(
        "SELECT a.id AS agent_id, a.name AS agent_name, a.kind AS agent_kind, a.labels AS agent_labels, a.version AS agent_version, \
         a.address AS agent_address, a.first_seen_at, a.last_seen_at, {COLUMNS} FROM {FROM} JOIN agents a ON a.key_id = k.id \
         WHERE a.tenant_id = $1 AND {condition} ORDER BY a.last_seen_at DESC, a.id DESC LIMIT $3"
    );
    let rows: Vec<AgentRow> = read!(db, c => sqlx::query_as(assembled(sql))
        .bind(permit.tenant_id().0)
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(c))?;
    Ok(rows.into_iter().map(Agent::from).collect())
}
