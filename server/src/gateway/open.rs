//! The requests and websockets that are open, and their end together with what they were admitted by.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use domain::TenantId;
use futures::task::AtomicWaker;
use service::{Client, Services};
use slab::Slab;
use tokio::time::{Instant, sleep, timeout};

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
    exchanges: Mutex<Slab<Arc<Exchange>>>,
}

/// A request or a websocket that is open.
pub(crate) struct Exchange {
    entry: SharedEntry,
    tenant: TenantId,
    caller: Caller,
    wanted: Wanted,
    client: Client,
    cut: Cut,
}

/// The order to end an exchange. At most one task waits for it at a time.
#[derive(Default)]
pub(crate) struct Cut {
    is_ordered: AtomicBool,
    waiting: AtomicWaker,
}

impl Cut {
    fn order(&self) {
        self.is_ordered.store(true, Ordering::Release);
        self.waiting.wake();
    }

    /// Whether the exchange has to end.
    pub(crate) fn is_ordered(&self) -> bool {
        self.is_ordered.load(Ordering::Acquire)
    }

    /// Whether the exchange has to end. If not, the task is woken when it has to.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.waiting.register(context.waker());
        if self.is_ordered() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the exchange has to end.
    pub(crate) async fn ordered(&self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

/// The place of an exchange among those that are open, until it is dropped.
pub(crate) struct Seat {
    open: Weak<Inner>,
    number: usize,
    exchange: Arc<Exchange>,
}

impl Seat {
    /// When the exchange has to end.
    pub(crate) fn cut(&self) -> &Cut {
        &self.exchange.cut
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(open) = self.open.upgrade() {
            open.lock().try_remove(self.number);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Exchange>>> {
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
        let entry = Arc::clone(entry);
        let exchange = Arc::new(Exchange { entry, tenant, caller, wanted, client, cut: Cut::default() });
        let number = self.0.lock().insert(Arc::clone(&exchange));
        Seat { open: Arc::downgrade(&self.0), number, exchange }
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
        let exchanges: Vec<Arc<Exchange>> = inner.lock().iter().map(|(_, exchange)| Arc::clone(exchange)).collect();
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
                Some(false) => exchange.cut.order(),
                None => {
                    let since = *unchecked.get(&key.0).unwrap_or(&Instant::now());
                    failed.insert(key.0, since);
                    if since.elapsed() >= UNCHECKED_FOR {
                        exchange.cut.order();
                    }
                }
            }
        }
        unchecked = failed;
    }
}
