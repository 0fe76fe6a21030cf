//! "Use the API instead": a dialog's action in three languages, folded away under it.

use leptos::prelude::*;

use super::copied_text::copied_text;
use crate::as_code::AsCode;

/// The fold. `public_url`: where the API is. The script asks for it anew, with what was typed, when it is unfolded.
#[component]
pub fn CodeFold(code: AsCode, public_url: String) -> impl IntoView {
    let texts = code.texts(&public_url).into_iter().map(|(name, text)| copied_text(name, text));
    view! {
        <details class="as-code">
            <summary>"Use the API instead"</summary>
            <div class="snippets">{texts.collect_view()}</div>
        </details>
    }
}
