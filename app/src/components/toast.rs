//! A short message about what was just done.

use leptos::prelude::*;

/// The message, which screen readers announce. The element is always in the page, because one that is added together
/// with its text isn't announced; the script puts later messages into it.
#[component]
pub fn Toast(text: Option<String>) -> impl IntoView {
    view! {
        <div class="toast-place" role="status" id="toast">
            {text.map(|text| view! { <p class="toast">{text}</p> })}
        </div>
    }
}
