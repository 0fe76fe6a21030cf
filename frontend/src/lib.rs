//! The entry point of the browser's WASM.

// Links the islands in.
use app as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script: makes the islands live.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
