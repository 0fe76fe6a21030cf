//! The entry point of the WASM module in the browser.

// Links the crate with the islands.
use app as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Hydrates the islands. Called by the page's script.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
