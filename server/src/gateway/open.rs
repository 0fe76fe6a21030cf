//! The requests and websockets that are open, and their end together with what they were admitted by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use domain::TenantId;
use service::{Client, Services};
use slab::Slab;
use tokio::time::{Instant, sleep, timeout};

use super::{
    caller::{Caller, CallerId},
    entry::{SharedEntry, Wanted},
};
use crate::accept::{Abort, Signal};

/// How often everything that is open is checked, apart from changes: keys expire, and sessions end.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// How long after a check the next one begins at the earliest.
const PAUSE: Duration = Duration::from_millis(25);
/// How long an exchange may take to end in order, with a last message. Its client may not be reading.
const END_WITHIN: Duration = Duration::from_millis(400);
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
    cut: Signal,
    cut_at: OnceLock<Instant>,
    /// Closes the client's connection.
    abort: Option<Abort>,
}

impl Exchange {
    /// Ends the exchange: in order, and after a while by closing its connection.
    fn end(&self) {
        let cut_at = *self.cut_at.get_or_init(Instant::now);
        self.cut.give();
        if let Some(Abort(abort)) = &self.abort
            && cut_at.elapsed() >= END_WITHIN
        {
            abort.give();
        }
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
    pub(crate) fn cut(&self) -> &Signal {
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
        abort: Option<Abort>,
    ) -> Seat {
        let entry = Arc::clone(entry);
        let (cut, cut_at) = (Signal::default(), OnceLock::new());
        let exchange = Arc::new(Exchange { entry, tenant, caller, wanted, client, cut, cut_at, abort });
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
                Some(false) => exchange.end(),
                None => {
                    let since = *unchecked.get(&key.0).unwrap_or(&Instant::now());
                    failed.insert(key.0, since);
                    if since.elapsed() >= UNCHECKED_FOR {
                        exchange.end();
                    }
                }
            }
        }
        unchecked = failed;
    }
}
