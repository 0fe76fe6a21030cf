//! The changes that can make a key that is known in memory wrong. Triggers insert them, see the migrations.

use std::collections::HashMap;

use domain::{KeyId, Owner, ServiceAccountId, TenantId, UserId};
use uuid::Uuid;

use super::{
    Db,
    db::{KeyCache, Outdated, change, read},
    feed::Change,
};
use crate::error::{Error, Result};

/// How many changes one statement reads.
const STEP: i64 = 1_000;
/// How many changes of each tenant are kept.
const KEPT: i64 = 10_000;

/// The numbers of `changes.kind`, which the triggers insert.
mod kind {
    pub(super) const KEY: i64 = 1;
    pub(super) const USER: i64 = 2;
    pub(super) const ACCOUNT: i64 = 3;
    pub(super) const TENANT: i64 = 4;
    pub(super) const CATALOGUE: i64 = 5;
    pub(super) const IMPORTED: i64 = 6;
}

/// What a missing change may have made wrong.
const EVERYTHING: [Outdated; 3] = [Outdated::Tenant, Outdated::Catalogue, Outdated::Imported];

/// How far the changes have been read: the number of each tenant's last change.
#[derive(Debug, Default)]
pub(crate) struct Position {
    tenants: HashMap<Uuid, i64>,
    has_begun: bool,
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    number: i64,
    kind: i64,
    subject_id: Uuid,
    digest: Option<Vec<u8>>,
}

impl TryFrom<&ChangeRow> for Outdated {
    type Error = Error;

    fn try_from(row: &ChangeRow) -> Result<Self> {
        let fault = || Error::Fault(format!("change {} of kind {} is unreadable", row.number, row.kind));
        Ok(match row.kind {
            kind::KEY => {
                let digest = row.digest.as_deref().ok_or_else(fault)?;
                Self::Key(digest.try_into().map_err(|_| fault())?)
            }
            kind::USER => Self::Owner(Owner::User(UserId(row.subject_id))),
            kind::ACCOUNT => Self::Owner(Owner::ServiceAccount(ServiceAccountId(row.subject_id))),
            kind::TENANT => Self::Tenant,
            kind::CATALOGUE => Self::Catalogue,
            kind::IMPORTED => Self::Imported,
            _ => return Err(fault()),
        })
    }
}

impl ChangeRow {
    /// Returns the change for those who know the keys by their ids.
    fn published(&self) -> (i64, Change) {
        let change = match self.kind {
            kind::KEY => Change::Key(KeyId(self.subject_id)),
            kind::USER => Change::Owner(Owner::User(UserId(self.subject_id))),
            kind::ACCOUNT => Change::Owner(Owner::ServiceAccount(ServiceAccountId(self.subject_id))),
            kind::CATALOGUE => Change::Catalogue,
            kind::IMPORTED => Change::Imported,
            _ => Change::Tenant,
        };
        (self.number, change)
    }
}

/// Reads the changes since the position and removes from `keys` what they make wrong. One statement if there are none. A
/// position that hasn't begun begins at the latest changes, and everything that is known is forgotten. After a failed
/// reading, use a new position: a standby may have become the primary, and may use the numbers of lost changes again.
pub(crate) async fn follow(db: &Db, keys: &KeyCache, position: &mut Position) -> Result<()> {
    if !position.has_begun {
        position.tenants = heads(db).await?.into_iter().collect();
        position.has_begun = true;
        // What was read before may be older than the position.
        keys.clear();
        keys.feed().restart(&position.tenants);
        return Ok(());
    }
    let (tenants, sum): (i64, i64) = read!(db, c =>
        sqlx::query_as("SELECT COUNT(*), CAST(COALESCE(SUM(number), 0) AS BIGINT) FROM change_heads").fetch_one(c))?;
    // Numbers grow, so the same sum means that nothing has changed.
    if (tenants, sum) == position.sum() {
        return Ok(());
    }
    let heads: HashMap<_, _> = heads(db).await?.into_iter().collect();
    // After a failover to a standby that lacked the latest changes, numbers are used again.
    let lost: Vec<_> =
        position.tenants.iter().filter(|(id, known)| heads.get(*id).is_none_or(|head| head < *known)).collect();
    let has_lost = !lost.is_empty();
    for id in lost.into_iter().map(|(id, _)| *id).collect::<Vec<_>>() {
        keys.remove(TenantId(id), &EVERYTHING);
        match heads.get(&id) {
            Some(head) => position.tenants.insert(id, *head),
            None => position.tenants.remove(&id),
        };
    }
    for (tenant, head) in heads {
        let known = position.tenants.get(&tenant).copied().unwrap_or(0);
        if known < head {
            let read = read_tenant(db, keys, TenantId(tenant), (known, head)).await?;
            position.tenants.insert(tenant, read.max(head));
        }
    }
    if has_lost {
        keys.feed().restart(&position.tenants);
    }
    Ok(())
}

impl Position {
    fn sum(&self) -> (i64, i64) {
        (i64::try_from(self.tenants.len()).unwrap_or(i64::MAX), self.tenants.values().sum())
    }
}

async fn heads(db: &Db) -> Result<Vec<(Uuid, i64)>> {
    Ok(read!(db, c => sqlx::query_as("SELECT tenant_id, number FROM change_heads").fetch_all(c))?)
}

/// Reads the changes of a tenant after the number that is known, up to its head, and returns the last one.
async fn read_tenant(db: &Db, keys: &KeyCache, tenant: TenantId, (known, head): (i64, i64)) -> Result<i64> {
    let mut last = known;
    loop {
        let rows: Vec<ChangeRow> = read!(db, c =>
            sqlx::query_as(
                "SELECT number, kind, subject_id, digest FROM changes WHERE tenant_id = $1 AND number > $2 ORDER BY number LIMIT $3",
            )
            .bind(tenant.0)
            .bind(last)
            .bind(STEP)
            .fetch_all(c))?;
        let Some(newest) = rows.last() else {
            if last == known {
                // They were deleted before they were read.
                keys.remove(tenant, &EVERYTHING);
                keys.feed().publish(tenant, [(head, Change::Tenant)], head);
            }
            return Ok(last);
        };
        let mut outdated = rows.iter().map(Outdated::try_from).collect::<Result<Vec<_>>>()?;
        let lacks = rows.first().filter(|first| first.number != last + 1).map(|first| (first.number, Change::Tenant));
        if lacks.is_some() {
            outdated.extend(EVERYTHING);
        }
        keys.remove(tenant, &outdated);
        last = newest.number;
        // Only now: who reads the feed's cursor first reads nothing older from memory afterwards.
        let published = lacks.into_iter().chain(rows.iter().map(ChangeRow::published));
        keys.feed().publish(tenant, published, last);
        if rows.len() < usize::try_from(STEP).unwrap_or(usize::MAX) {
            return Ok(last);
        }
    }
}

/// Deletes all but the latest changes of each tenant.
pub(crate) async fn sweep(db: &Db) -> Result<()> {
    for (tenant, number) in heads(db).await?.into_iter().filter(|(_, number)| *number > KEPT) {
        let mut rows = 1;
        while rows > 0 {
            let mut tx = db.begin().await?;
            rows = change!(
                &mut tx,
                sqlx::query(
                    "DELETE FROM changes WHERE tenant_id = $1 AND number IN \
                     (SELECT number FROM changes WHERE tenant_id = $1 AND number <= $2 ORDER BY number LIMIT $3)"
                )
                .bind(tenant)
                .bind(number - KEPT)
                .bind(STEP)
            )?;
            tx.commit().await?;
        }
    }
    Ok(())
}
