//! Changes to many keys that are made in steps: after the transaction that made them necessary, which also inserts the
//! row here, and before this row is deleted. Each step can be repeated, so that any server can continue after a crash.

use chrono::{DateTime, Utc};
use domain::{Owner, TenantId, UserId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    instant,
    keys::{active_unless_suspended, ids_of, owner_of, revoked_owner},
    lifecycle::lifecycle,
    micros,
};
use crate::error::{Error, Result};

/// How many keys that somebody created are listed at once.
const LISTED: i64 = 5_000;
/// How many keys a tenant has at most if their changes need no steps.
const FEW: i64 = 1_000;

/// What has to be done to the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Revoke the keys of an owner who has left the tenant or was deleted, and mark the keys that they owned or created
    /// as orphaned.
    Revoke,
    /// Let the lifecycle of an account's keys follow whether the account is suspended.
    FollowAccount,
    /// Clear the mark of the keys that a user created who has come back.
    Adopt,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::FollowAccount => "follow_account",
            Self::Adopt => "adopt",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let all = [Self::Revoke, Self::FollowAccount, Self::Adopt];
        let found = all.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| Error::Fault(format!("unknown pending change {text}")))
    }
}

/// A change to the keys of an owner.
#[derive(Clone, Debug)]
pub(crate) struct PendingChange {
    pub(crate) kind: Kind,
    pub(crate) tenant: TenantId,
    pub(crate) owner: Owner,
    pub(crate) at: DateTime<Utc>,
    /// The name of the actor.
    pub(crate) by: String,
    /// Why keys are revoked, as their owner sees it.
    pub(crate) reason: &'static str,
}

/// A stored change.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    kind: Kind,
    tenant: TenantId,
    owner: Owner,
    at: DateTime<Utc>,
    by: String,
    reason: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    tenant_id: Uuid,
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    at: i64,
    actor_name: String,
    reason: String,
}

/// Whether a tenant has so many keys that a change to an owner's keys is made in steps.
pub(crate) async fn needs_steps(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    let keys: i64 = run!(tx, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT id FROM api_keys WHERE tenant_id = $1 LIMIT $2) AS few")
            .bind(tenant.0)
            .bind(FEW + 1)
            .fetch_one(c))?;
    Ok(keys > FEW)
}

/// Inserts a change.
pub(crate) async fn insert(tx: &mut Tx, change: &PendingChange) -> Result<()> {
    if change.kind == Kind::Revoke {
        tx.note(revoked_owner(change.tenant, change.owner), change.at);
    }
    let (user_id, account_id) = ids_of(change.owner);
    change!(
        tx,
        sqlx::query(
            "INSERT INTO pending_changes (id, kind, tenant_id, user_id, service_account_id, at, actor_name, reason) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(crate::random::new_id(change.at))
        .bind(change.kind.as_str())
        .bind(change.tenant.0)
        .bind(user_id)
        .bind(account_id)
        .bind(micros(change.at))
        .bind(change.by.as_str())
        .bind(change.reason)
    )?;
    Ok(())
}

/// Whether keys of a former member are still to be revoked.
pub(crate) async fn is_leaving(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<bool> {
    let found: i64 = run!(tx, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM pending_changes WHERE tenant_id = $1 AND user_id = $2 AND kind = $3")
            .bind(tenant.0)
            .bind(user.0)
            .bind(Kind::Revoke.as_str())
            .fetch_one(c))?;
    Ok(found > 0)
}

/// Returns all changes that aren't finished, oldest first.
pub(crate) async fn list(db: &Db) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = read!(db, c =>
        sqlx::query_as(
            "SELECT id, kind, tenant_id, user_id, service_account_id, at, actor_name, reason FROM pending_changes ORDER BY id",
        )
        .fetch_all(c))?;
    let stored = |row: Row| {
        Ok(Stored {
            id: row.id,
            kind: Kind::parse(&row.kind)?,
            tenant: TenantId(row.tenant_id),
            owner: owner_of(row.user_id, row.service_account_id),
            at: instant(row.at),
            by: row.actor_name,
            reason: row.reason,
        })
    };
    rows.into_iter().map(stored).collect()
}

/// Deletes a change that is finished.
pub(crate) async fn delete(tx: &mut Tx, id: Uuid) -> Result<()> {
    change!(tx, sqlx::query("DELETE FROM pending_changes WHERE id = $1").bind(id))?;
    Ok(())
}

impl Stored {
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Changes up to `limit` keys in a transaction. Returns false if there was nothing left to do.
    pub(crate) async fn step(&self, tx: &mut Tx, limit: i64) -> Result<bool> {
        let rows = match self.kind {
            Kind::Revoke => self.revoke_some(tx, limit).await?,
            Kind::FollowAccount => self.follow_some(tx, limit).await?,
            Kind::Adopt => 0,
        };
        Ok(rows > 0)
    }

    /// Returns keys whose mark as orphaned must change, for [`Stored::mark`]. Read outside of any transaction, because no
    /// index leads to the keys that somebody created.
    pub(crate) async fn list_created(&self, db: &Db) -> Result<Vec<Uuid>> {
        let (user_id, account_id) = ids_of(self.owner);
        let sql = match self.kind {
            Kind::Revoke => {
                "SELECT id FROM api_keys WHERE tenant_id = $1 AND created_by_id = $2 AND orphaned_at IS NULL LIMIT $3"
            }
            Kind::Adopt => {
                "SELECT id FROM api_keys WHERE tenant_id = $1 AND (user_id = $2 OR created_by_id = $2) AND orphaned_at IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM service_accounts s WHERE s.id = api_keys.service_account_id AND s.deleted_at IS NOT NULL) \
                 LIMIT $3"
            }
            Kind::FollowAccount => return Ok(Vec::new()),
        };
        Ok(read_list!(db, c =>
            sqlx::query_scalar(sql)
                .bind(self.tenant.0)
                .bind(user_id.or(account_id))
                .bind(LISTED)
                .fetch_all(c))?)
    }

    /// NOTE: the condition on the lifecycle is that of `revoked_at IS NULL`, as a range of the owner's index.
    async fn revoke_some(&self, tx: &mut Tx, limit: i64) -> Result<u64> {
        let (user_id, account_id) = ids_of(self.owner);
        Ok(change!(
            tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET revoked_at = $4, revoked_by = $5, revoke_reason = $6, orphaned_at = $4, lifecycle = ",
                lifecycle!(revoked),
                " WHERE revoked_at IS NULL AND id IN (SELECT id FROM api_keys WHERE NOT (tenant_id <> $1) \
                 AND (user_id = $2 OR service_account_id = $3) AND lifecycle IN (",
                lifecycle!(active),
                ", ",
                lifecycle!(suspended),
                ", ",
                lifecycle!(expired),
                ") LIMIT $7)"
            ))
            .bind(self.tenant.0)
            .bind(user_id)
            .bind(account_id)
            .bind(micros(self.at))
            .bind(self.by.as_str())
            .bind(self.reason.as_str())
            .bind(limit)
        )?)
    }

    /// Whether the account is suspended is read in the step, so that it doesn't matter in which order two changes of one
    /// account are made.
    async fn follow_some(&self, tx: &mut Tx, limit: i64) -> Result<u64> {
        let (_, account_id) = ids_of(self.owner);
        Ok(change!(
            tx,
            sqlx::query(concat!(
                "UPDATE api_keys SET lifecycle = ",
                active_unless_suspended!("$1"),
                " WHERE id IN (SELECT id FROM api_keys WHERE service_account_id = $1 AND NOT (tenant_id <> $2) \
                 AND suspended_at IS NULL AND lifecycle = ",
                lifecycle!(suspended),
                " - (",
                active_unless_suspended!("$1"),
                ") LIMIT $3)"
            ))
            .bind(account_id)
            .bind(self.tenant.0)
            .bind(limit)
        )?)
    }

    /// Changes the mark of a key.
    pub(crate) async fn mark(&self, tx: &mut Tx, key: Uuid) -> Result<()> {
        let at = (self.kind == Kind::Revoke).then_some(micros(self.at));
        change!(
            tx,
            sqlx::query("UPDATE api_keys SET orphaned_at = $3 WHERE id = $1 AND tenant_id = $2 AND (orphaned_at IS NULL) <> ($3 IS NULL)")
                .bind(key)
                .bind(self.tenant.0)
                .bind(at)
        )?;
        Ok(())
    }
}
