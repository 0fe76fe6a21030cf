//! A link that holds a secret, shown this once.

use domain::Secret;
use leptos::prelude::*;

/// The card. `words`: what the link does, and for how long. `back`: where the button leads.
#[component]
pub fn RevealedLink(
    title: &'static str,
    words: String,
    label: &'static str,
    link: Secret,
    back: &'static str,
) -> impl IntoView {
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            <p>{words}</p>
            <div class="field">
                <label for="revealed-link">{label}</label>
                <div class="token-row">
                    <input id="revealed-link" class="token" type="text" readonly autocomplete="off" spellcheck="false" value=link.expose().to_owned() />
                    <button type="button" class="button script-only" data-copy="#revealed-link">"Copy"</button>
                </div>
            </div>
            <div class="buttons"><a class="button primary" href=back data-close="">"I have it"</a></div>
        </div>
    }
}
