//! A collapsed text with a button that copies it.

use leptos::prelude::*;

/// The text under its name. The script copies the element after the button.
pub fn copied_text(name: &'static str, text: String) -> AnyView {
    view! {
        <details name="snippet">
            <summary>{name}</summary>
            <div class="copied-text">
                <button
                    type="button"
                    class="button small script-only"
                    data-copy=""
                    aria-label=format!("Copy as {name}")
                >
                    "Copy"
                </button>
                <pre tabindex="0">{text}</pre>
            </div>
        </details>
    }
    .into_any()
}
