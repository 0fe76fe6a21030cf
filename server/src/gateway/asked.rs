//! A request to a gateway whose head was read, and the answer to it.

use std::net::IpAddr;

use axum::response::Response;
use http::uri::PathAndQuery;
use service::Client;

use super::entry::Wanted;
use crate::{accept::Abort, metrics::Outcome};

/// A response, and how it is counted.
pub(super) type Answer = (Outcome, Response);

/// A request that was read and may be forwarded once its sender is admitted.
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    pub(super) client: Client,
    /// What the upstream gets as the target.
    pub(super) target: PathAndQuery,
    pub(super) is_trusted: bool,
    pub(super) peer: Option<IpAddr>,
    pub(super) is_websocket: bool,
    /// Closes the client's connection.
    pub(super) abort: Option<Abort>,
}
