//! The turns of tenants: how many of a tenant's changes may hold a connection at the same time.
//!
//! Changes of one tenant wait for each other, for instance for the head of its audit chain. Without turns, those that
//! wait would hold all connections, and other tenants could change nothing meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The tenants whose changes hold a connection or wait for one.
#[derive(Debug)]
pub(super) struct Turns {
    most: usize,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// The right of a tenant's change to hold a connection.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    tenant: TenantId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// `most`: how many changes of a tenant may hold a connection.
    pub(super) fn new(most: usize) -> Self {
        Self { most, tenants: Mutex::default() }
    }

    /// Waits for a turn, in order of arrival.
    pub(super) async fn take(self: &Arc<Self>, tenant: TenantId) -> Turn {
        // Made first, so that a caller who goes away while waiting removes the tenant, too.
        let mut turn = Turn { turns: Arc::clone(self), tenant, permit: None };
        let semaphore = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.most))))
        };
        turn.permit = semaphore.acquire_owned().await.ok();
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        let mut tenants = self.turns.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // A permit and a waiting change each have a reference.
        if tenants.get(&self.tenant).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            tenants.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_tenant_waits_for_its_own_turns_only_and_is_then_forgotten() {
        let turns = Arc::new(Turns::new(2));
        let (busy, other) = (TenantId(uuid::Uuid::from_u128(1)), TenantId(uuid::Uuid::from_u128(2)));
        let first = turns.take(busy).await;
        let second = turns.take(busy).await;
        let mut third = Box::pin(turns.take(busy));
        assert!((&mut third).now_or_never().is_none());
        drop(turns.take(other).await);
        drop(first);
        let third = third.await;
        assert!(turns.take(busy).now_or_never().is_none());
        drop((second, third));
        assert!(turns.tenants.lock().unwrap().is_empty());
    }
}
