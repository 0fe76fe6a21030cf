//! How server functions and the browser write to each other: JSON, read as text.
//!
//! Leptos reads an island's properties as text, and its own JSON codec reads bytes: each type would be read twice over
//! in the WASM. This codec reads as the properties are read.

use std::fmt::{self, Display};

use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, serde};

/// The codec.
pub struct Wire;

/// What was received isn't what was expected. Nobody is told more: it may quote a secret.
#[derive(Debug)]
pub struct Unreadable;

impl Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreadable JSON")
    }
}

impl ContentType for Wire {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for Wire {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: serde::Serialize> Encodes<T> for Wire {
    type Error = Unreadable;

    fn encode(output: &T) -> Result<Bytes, Unreadable> {
        serde_json::to_string(output).map(Bytes::from).map_err(|_| Unreadable)
    }
}

impl<T: serde::de::DeserializeOwned> Decodes<T> for Wire {
    type Error = Unreadable;

    fn decode(bytes: Bytes) -> Result<T, Unreadable> {
        std::str::from_utf8(&bytes).ok().and_then(|text| serde_json::from_str(text).ok()).ok_or(Unreadable)
    }
}
