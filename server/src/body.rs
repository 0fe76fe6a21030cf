//! Request bodies. A layer reads each one once, within limits (`middleware::limits`); what is here takes it from memory.

use axum::body::{Body, Bytes, to_bytes};
use serde::de::DeserializeOwned;

/// The largest body of a request, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1_024;

/// The bytes of a body that the layer has read; this neither waits nor fails.
pub(crate) async fn bytes(body: Body) -> Bytes {
    to_bytes(body, MAX_BYTES).await.unwrap_or_default()
}

/// Reads a JSON object; `None` for anything else. Serde alone would also take an array, as the members in their order.
pub(crate) fn json_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
}
