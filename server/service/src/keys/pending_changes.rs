//! Changes to many keys, made in steps, so that no transaction keeps others waiting for long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Owner, ServiceAccountId};
use tokio::time::Instant;

use crate::{
    access::WritePermit,
    context::Context,
    error::Result,
    storage::{
        self, Tx,
        db::retry,
        pending_changes::{Kind, PendingChange, Stored},
    },
};

/// How long one step should take at most, with its commit.
const STEP: Duration = Duration::from_millis(50);
/// The smallest and the largest number of keys that one step changes.
const FEWEST: i64 = 20;
const MOST: i64 = 1_000;
/// How many marks are changed in one transaction.
const MARKED_AT_ONCE: usize = 50;

/// Revokes all keys of an owner who has just left the permit's tenant or was deleted, and marks the keys that they owned
/// or created as orphaned. Returns how many keys are revoked. None of them is accepted from the commit on, because they
/// have no owner; if there are many, [`finish`] stores that in their rows afterwards.
pub(crate) async fn revoke_all(
    tx: &mut Tx,
    permit: &WritePermit,
    owner: Owner,
    now: DateTime<Utc>,
    by: &str,
    reason: &'static str,
) -> Result<u64> {
    if storage::pending_changes::needs_steps(tx, permit.tenant_id()).await? {
        let (kind, tenant) = (Kind::Revoke, permit.tenant_id());
        let change = PendingChange { kind, tenant, owner, at: now, by: by.to_owned(), reason };
        storage::pending_changes::insert(tx, &change).await?;
        return storage::keys::count_unrevoked(tx, permit, owner).await;
    }
    let keys = storage::keys::revoke_all(tx, permit, owner, now, by, reason).await?;
    match owner {
        Owner::User(user) => storage::keys::mark_orphans(tx, permit.tenant_id(), user, Some(now)).await?,
        Owner::ServiceAccount(account) => storage::keys::mark_orphans_of_account(tx, permit, account, now).await?,
    }
    Ok(keys)
}

/// Lets the keys of an account follow whether it is suspended, in lists. Whether they are accepted depends on the
/// account's own row.
pub(crate) async fn follow_account(
    tx: &mut Tx,
    permit: &WritePermit,
    account: ServiceAccountId,
    now: DateTime<Utc>,
    suspended: bool,
) -> Result<()> {
    if !storage::pending_changes::needs_steps(tx, permit.tenant_id()).await? {
        return storage::keys::follow_account(tx, permit, account, suspended).await;
    }
    let change = PendingChange {
        kind: Kind::FollowAccount,
        tenant: permit.tenant_id(),
        owner: Owner::ServiceAccount(account),
        at: now,
        by: String::new(),
        reason: "",
    };
    storage::pending_changes::insert(tx, &change).await
}

/// Makes all pending changes, also those of servers that crashed. To be called after the commit of a transaction that
/// may have added one; what fails is tried again in the background. Returns whether there were any.
pub(crate) async fn finish(context: &Context) -> bool {
    try_to_finish(context).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a change to many keys could not be finished; trying again");
        false
    })
}

async fn try_to_finish(context: &Context) -> Result<bool> {
    let pending = storage::pending_changes::list(context.db()).await?;
    for change in &pending {
        // One that fails doesn't hold up those of other tenants.
        if let Err(error) = finish_one(context, change).await {
            tracing::warn!(%error, "a change to many keys could not be finished; trying again");
        }
    }
    Ok(!pending.is_empty())
}

async fn finish_one(context: &Context, change: &Stored) -> Result<()> {
    change_keys(context, change).await?;
    mark_created(context, change).await?;
    retry!(context.db(), tx => {
        storage::pending_changes::delete(tx, change.id).await
    })
}

/// Changes the owner's keys. How many at once depends on how long that takes on this machine, with this disk and this
/// load.
async fn change_keys(context: &Context, change: &Stored) -> Result<()> {
    let mut limit = FEWEST;
    loop {
        let (is_more, begun) = retry!(context.db(), tx => {
            storage::tenants::lock_tenant(tx, change.tenant()).await?;
            let begun = Instant::now();
            Ok((change.step(tx, limit).await?, begun))
        })?;
        if !is_more {
            return Ok(());
        }
        // With the commit, which on `SQLite` may also move the write-ahead log into the file.
        limit = if begun.elapsed() > STEP { limit / 2 } else { limit + limit / 4 }.clamp(FEWEST, MOST);
    }
}

/// Changes the marks of the keys that the owner created.
async fn mark_created(context: &Context, change: &Stored) -> Result<()> {
    loop {
        let created = change.list_created(context.db()).await?;
        if created.is_empty() {
            return Ok(());
        }
        for some in created.chunks(MARKED_AT_ONCE) {
            retry!(context.db(), tx => {
                storage::tenants::lock_tenant(tx, change.tenant()).await?;
                for key in some {
                    change.mark(tx, *key).await?;
                }
                Ok(())
            })?;
        }
    }
}
