//! Request bodies. The layer `middleware::limits` reads each one once; these functions take it from memory.

use axum::body::{Body, Bytes, to_bytes};
use serde::de::DeserializeOwned;

/// The maximum size of a request body, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1_024;

/// Returns the bytes of a body that the layer has read. Neither waits nor fails.
pub(crate) async fn bytes(body: Body) -> Bytes {
    to_bytes(body, MAX_BYTES).await.unwrap_or_default()
}

/// Parses a JSON object; `None` for anything else. Serde alone would also accept an array of the members in order.
pub(crate) fn json_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
}
