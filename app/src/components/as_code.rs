//! "The same by program": a dialog's action in three languages, folded away under it.

use leptos::prelude::*;

use crate::as_code::AsCode;

/// The fold. `public_url`: where the API is. The script asks for it anew, with what was typed, when it is unfolded.
#[component]
pub fn CodeFold(code: AsCode, public_url: String) -> impl IntoView {
    let texts = code.texts(&public_url).into_iter().map(|(name, text)| view! { <CopiedText name text /> });
    view! {
        <details class="as-code">
            <summary>"The same by program"</summary>
            <div class="snippets">{texts.collect_view()}</div>
        </details>
    }
}

/// A text to take along, with its button, which copies what follows it.
#[component]
pub fn CopiedText(name: &'static str, text: String) -> impl IntoView {
    view! {
        <details name="snippet">
            <summary>{name}</summary>
            <div class="copied-text">
                <button type="button" class="button small script-only" data-copy="" aria-label=format!("Copy as {name}")>"Copy"</button>
                <pre tabindex="0">{text}</pre>
            </div>
        </details>
    }
}
