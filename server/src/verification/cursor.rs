//! How new an answer about a key is, for callers that keep it (`server/verifier`).

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use service::Cursor;

/// The header of an answer: how far this server had read the changes before it looked for the answer.
const CURSOR: HeaderName = HeaderName::from_static("latchkey-cursor");

/// Adds the cursor to an answer.
pub(super) fn add(response: &mut Response, cursor: Option<Cursor>) {
    if let Some(value) = cursor.and_then(|cursor| HeaderValue::try_from(cursor.to_string()).ok()) {
        response.headers_mut().insert(CURSOR, value);
    }
}
