//! The audit log: rows are added in the transaction of the change that they tell of.

use chrono::{DateTime, Utc};
use domain::{Operation, Owner};
use uuid::Uuid;

use super::{Tx, db::change, micros};
use crate::{Actor, Result, actor::Client};

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: DateTime<Utc>,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) operation: &'static str,
    pub(crate) actor_kind: &'static str,
    pub(crate) actor_id: Option<Uuid>,
    pub(crate) actor_name: String,
    pub(crate) key_id: Option<Uuid>,
    pub(crate) client: Client,
    pub(crate) subject_kind: &'static str,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) subject_name: String,
    pub(crate) detail: String,
}

impl Entry {
    /// What `actor` did to a subject.
    pub(crate) fn by(
        actor: &Actor,
        operation: Operation,
        at: DateTime<Utc>,
        subject: (&'static str, Uuid, &str),
    ) -> Self {
        let (actor_kind, actor_id) = match actor.owner() {
            Owner::User(id) => ("user", id.0),
            Owner::ServiceAccount(id) => ("service_account", id.0),
        };
        Self {
            at,
            tenant_id: Some(actor.tenant_id().0),
            operation: operation.as_str(),
            actor_kind,
            actor_id: Some(actor_id),
            actor_name: actor.name().to_owned(),
            key_id: actor.key_id().map(|id| id.0),
            client: actor.client().clone(),
            subject_kind: subject.0,
            subject_id: Some(subject.1),
            subject_name: subject.2.to_owned(),
            detail: String::new(),
        }
    }

    /// With a fact more.
    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

/// Adds a line. When it can't be written, the change that it tells of fails with it.
pub(crate) async fn insert(tx: &mut Tx, entry: &Entry) -> Result<()> {
    let id = crate::token::new_id(entry.at);
    change!(
        tx,
        sqlx::query(
            "INSERT INTO audit_log (id, at, tenant_id, operation, result, actor_kind, actor_id, actor_name, channel, key_id, \
             address, user_agent, subject_kind, subject_id, subject_name, detail) \
             VALUES ($1, $2, $3, $4, 'done', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        )
        .bind(id)
        .bind(micros(entry.at))
        .bind(entry.tenant_id)
        .bind(entry.operation)
        .bind(entry.actor_kind)
        .bind(entry.actor_id)
        .bind(entry.actor_name.as_str())
        .bind(entry.client.channel.as_str())
        .bind(entry.key_id)
        .bind(entry.client.address.as_deref())
        .bind(entry.client.user_agent.as_deref())
        .bind(entry.subject_kind)
        .bind(entry.subject_id)
        .bind(entry.subject_name.as_str())
        .bind(entry.detail.as_str())
    )?;
    Ok(())
}

/// How many lines there are of an operation on a subject.
#[cfg(test)]
pub(crate) async fn count(db: &super::Db, operation: &str, subject: Uuid) -> Result<i64> {
    Ok(
        super::db::read!(db, c => sqlx::query_scalar("SELECT COUNT(*) FROM audit_log WHERE operation = $1 AND subject_id = $2")
        .bind(operation)
        .bind(subject)
        .fetch_one(c))?,
    )
}
