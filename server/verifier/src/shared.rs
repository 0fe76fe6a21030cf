//! What the tasks and the requests share.

use std::sync::{Arc, atomic::AtomicBool};

use tokio::sync::Notify;

use crate::{api::Api, cache::Cache, known::Usage};

/// What the tasks and the requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) cache: Cache,
    pub(crate) usage: Arc<Usage>,
    pub(crate) name: String,
    /// Notified when a change was applied.
    pub(crate) applied: Notify,
    /// Set when everything that is left should be reported.
    pub(crate) is_closing: AtomicBool,
}
