//! Tells the parts of the server that it is about to stop.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// Whether the server is about to stop. Clones share the state.
#[derive(Clone, Debug)]
pub struct Drain(Arc<watch::Sender<Option<Duration>>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Drain {
    /// Begins to stop. `delay`: how long connections are still accepted, while readiness is denied.
    pub fn begin(&self, delay: Duration) {
        self.0.send_replace(Some(delay));
    }

    /// Returns whether the server is about to stop.
    pub fn is_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Completes when the server begins to stop.
    pub(crate) async fn begun(&self) {
        // The sender exists as long as `self`.
        self.0.subscribe().wait_for(Option::is_some).await.ok();
    }

    /// Completes when the server accepts no more connections.
    pub(crate) async fn ended(&self) {
        self.begun().await;
        tokio::time::sleep(self.delay()).await;
    }

    pub(super) fn delay(&self) -> Duration {
        self.0.borrow().unwrap_or_default()
    }
}
