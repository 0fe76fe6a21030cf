//! A short word on what was just done.

use leptos::prelude::*;

/// Speaks to screen readers too. The element is always there, because one that appears with its text isn't read.
#[component]
pub fn Toast(#[prop(into)] text: Signal<Option<String>>) -> impl IntoView {
    view! {
        <div class="toast-place" role="status">
            {move || text.get().map(|text| view! { <p class="toast">{text}</p> })}
        </div>
    }
}
