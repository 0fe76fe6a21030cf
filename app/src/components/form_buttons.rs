//! The buttons below a form.

use leptos::prelude::*;

/// A link that cancels, and the button that submits the form. `cancel`: the path of the page to go back to.
#[component]
pub fn FormButtons(cancel: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <div class="buttons">
            <a class="button" href=cancel data-close="">
                "Cancel"
            </a>
            <button type="submit" class="button primary">
                {label}
            </button>
        </div>
    }
}
