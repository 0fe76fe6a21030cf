//! A short word on what was just done.

use leptos::prelude::*;

/// Speaks to screen readers too. The element is always there, because one that appears with its text isn't read; the
/// script puts new words into it.
#[component]
pub fn Toast(text: Option<String>) -> impl IntoView {
    view! { <div class="toast-place" role="status" id="toast">{text.map(|text| view! { <p class="toast">{text}</p> })}</div> }
}
