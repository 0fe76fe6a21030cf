//! The card with a link that contains a secret, the only time that it is shown.

use domain::{Operation, Secret, outcome::IssuedLink};
use leptos::prelude::*;

use crate::{
    api::wire::SECRET_PLACEHOLDER,
    words::{keys as words, labels},
};

/// The card's title and the purpose of the link, by the operation that created it. `is_mailed`: whether it was also
/// sent by email.
fn title_and_words(operation: Operation, is_mailed: bool) -> (&'static str, String) {
    match operation {
        Operation::CreateCalendarFeed => (words::calendar_link_created(), words::calendar_link_purpose().to_owned()),
        _ => (words::invitation_created(), words::invitation_link_purpose(is_mailed)),
    }
}

/// The card of a link that `operation` created. `back`: the path that the button leads to.
pub fn link_card(operation: Operation, issued: &IssuedLink, back: &str) -> AnyView {
    let (title, words) = title_and_words(operation, issued.is_mailed);
    card(title, view! { <p>{words}</p> }.into_any(), &issued.link, back)
}

/// The same card with a placeholder for the link, which the script replaces. It contains the words for a mailed and an
/// unmailed link; the script removes those that don't apply.
pub fn link_template(operation: Operation, back: &str) -> AnyView {
    let words = [false, true].map(|is_mailed| {
        let (_, words) = title_and_words(operation, is_mailed);
        view! { <p data-mailed=is_mailed.to_string()>{words}</p> }
    });
    let (title, _) = title_and_words(operation, false);
    let card = card(title, words.into_iter().collect_view().into_any(), &Secret::new(SECRET_PLACEHOLDER), back);
    view! { <template data-reveal="">{card}</template> }.into_any()
}

fn card(title: &'static str, words: AnyView, link: &Secret, back: &str) -> AnyView {
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            {words}
            <div class="field">
                <label for="revealed-link">{words::link()}</label>
                <div class="token-row">
                    <input
                        id="revealed-link"
                        class="token"
                        type="text"
                        readonly
                        autocomplete="off"
                        spellcheck="false"
                        translate="no"
                        value=link.expose().to_owned()
                    />
                    <button type="button" class="button primary script-only" data-copy="#revealed-link">
                        {labels::copy()}
                    </button>
                </div>
            </div>
            <div class="buttons">
                <a class="button" href=back.to_owned() data-close="" data-after-copy="">
                    {labels::done()}
                </a>
            </div>
        </div>
    }
    .into_any()
}
