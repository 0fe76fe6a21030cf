//! The buttons below a form.

use leptos::prelude::*;

use crate::words::labels;

/// A link that cancels, and the button that submits the form. `cancel`: the path of the page to go back to.
#[component]
pub fn FormButtons(
    #[prop(into)] cancel: String,
    label: &'static str,
    /// What the button says while the form is being sent.
    #[prop(optional)]
    busy: Option<&'static str>,
) -> impl IntoView {
    view! {
        <div class="buttons">
            <a class="button" href=cancel data-close="">
                {labels::cancel()}
            </a>
            <button type="submit" class="button primary" data-busy=busy>
                {label}
            </button>
        </div>
    }
}
