//! The requests and websockets that are open, and their end together with what they were admitted by.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::TenantId;
use service::{Client, Services};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    caller::{Caller, CallerId},
    entry::{SharedEntry, Wanted},
};

/// How often everything that is open is checked, apart from changes: keys expire, and sessions end.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// How long after a check the next one begins at the earliest.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a caller may go on whom the server can't look up, because the database doesn't answer.
const UNCHECKED_FOR: Duration = Duration::from_secs(5);

/// What is open in all gateways. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<Inner>);

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    exchanges: Mutex<HashMap<u64, Arc<Exchange>>>,
}

/// A request or a websocket that is open.
pub(crate) struct Exchange {
    entry: SharedEntry,
    tenant: TenantId,
    caller: Caller,
    wanted: Wanted,
    client: Client,
    cut: CancellationToken,
}

/// The place of an exchange among those that are open, until it is dropped.
pub(crate) struct Seat {
    open: Weak<Inner>,
    number: u64,
    /// Is cancelled when the exchange has to end.
    pub(crate) cut: CancellationToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(open) = self.open.upgrade() {
            open.lock().remove(&self.number);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Exchange>>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Opens an exchange of a caller who was admitted.
    pub(crate) fn open(
        &self,
        (entry, tenant): (&SharedEntry, TenantId),
        caller: Caller,
        wanted: Wanted,
        client: Client,
    ) -> Seat {
        let cut = CancellationToken::new();
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::clone(entry);
        let exchange = Exchange { entry, tenant, caller, wanted, client, cut: cut.clone() };
        self.0.lock().insert(number, Arc::new(exchange));
        Seat { open: Arc::downgrade(&self.0), number, cut }
    }

    /// Ends exchanges together with what they were admitted by, until this is dropped.
    pub(crate) fn watch(&self, services: Services) {
        tokio::spawn(watch(Arc::downgrade(&self.0), services));
    }
}

async fn watch(open: Weak<Inner>, services: Services) {
    let mut changed = services.verification().changed();
    let mut unchecked: HashMap<CallerId, Instant> = HashMap::new();
    loop {
        sleep(PAUSE).await;
        // The sender exists as long as the services.
        timeout(CHECK_EVERY, changed.changed()).await.ok();
        let Some(inner) = open.upgrade() else { return };
        let exchanges: Vec<Arc<Exchange>> = inner.lock().values().cloned().collect();
        drop(inner);
        let mut callers: HashMap<(CallerId, TenantId), service::Result<Option<Caller>>> = HashMap::new();
        let mut failed = HashMap::new();
        for exchange in exchanges {
            let key = (exchange.caller.id(), exchange.tenant);
            if !callers.contains_key(&key) {
                let now = exchange.caller.recheck(&services, &exchange.entry.name, exchange.tenant).await;
                callers.insert(key.clone(), now);
            }
            let may = match callers.get(&key) {
                Some(Ok(Some(caller))) => caller.may_go_on(&services, &exchange.wanted, &exchange.client).await.ok(),
                Some(Ok(None)) => Some(false),
                Some(Err(_)) | None => None,
            };
            match may {
                Some(true) => (),
                Some(false) => exchange.cut.cancel(),
                None => {
                    let since = *unchecked.get(&key.0).unwrap_or(&Instant::now());
                    failed.insert(key.0, since);
                    if since.elapsed() >= UNCHECKED_FOR {
                        exchange.cut.cancel();
                    }
                }
            }
        }
        unchecked = failed;
    }
}
