//! A text to copy, such as code, with its button.

use leptos::prelude::*;

use crate::words::{keys as words, labels};

/// The text in a collapsed section under its name.
pub fn copied_text(name: &'static str, text: String) -> AnyView {
    view! {
        <details name="snippet">
            <summary>{name}</summary>
            {copyable(name, "", text)}
        </details>
    }
    .into_any()
}

/// The text below a line with its hint and the button. The script copies the element after the button.
pub fn copyable(name: &'static str, hint: &'static str, text: String) -> AnyView {
    let hint = (!hint.is_empty()).then(|| view! { <p class="hint">{hint}</p> });
    view! {
        <div class="copied-text">
            {hint} <button type="button" class="button small script-only" data-copy="" aria-label=words::copy_as(&name)>
                {labels::copy()}
            </button> <pre tabindex="0" translate="no">
                {text}
            </pre>
        </div>
    }
    .into_any()
}
