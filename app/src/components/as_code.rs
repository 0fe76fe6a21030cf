//! "The same by program": a dialog's action in three languages, folded away under it.

use leptos::prelude::*;

use crate::as_code::AsCode;

/// The fold. `public_url`: where the API is.
#[component]
pub fn CodeFold(#[prop(into)] code: Signal<AsCode>, public_url: String) -> impl IntoView {
    let texts = move || {
        let texts = code.with(|code| code.texts(&public_url));
        texts.map(|(name, text)| view! { <CopiedText name text /> }).into_iter().collect_view()
    };
    view! { <details class="as-code"><summary>"The same by program"</summary><div class="snippets">{texts}</div></details> }
}

/// A text to take along, with its button: see [`super::time::Clock`], which is where the page's script hears it.
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
