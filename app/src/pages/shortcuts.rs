//! The list of keyboard shortcuts. With JavaScript, which they need, it is shown in a dialog.

use std::future::{Ready, ready};

use domain::ApiError;
use leptos::prelude::*;

use crate::request::RequestContext;

/// The keys of each shortcut, and what it does.
const SHORTCUTS: [(&[&str], &str); 8] = [
    (&["Ctrl", "K"], "Search everything (⌘K on a Mac)"),
    (&["/"], "Search the list"),
    (&["c"], "On a list with a Create, Add or Invite button: press it"),
    (&["?"], "Show these shortcuts"),
    (&["↑", "↓"], "Move in a menu or in search results"),
    (&["Enter"], "Open the first search result"),
    (&["Shift", "click"], "Select all rows between two checkboxes"),
    (&["Esc"], "Close what is open"),
];

/// `/shortcuts`.
pub fn shortcuts(_: RequestContext) -> Ready<Result<AnyView, ApiError>> {
    let rows = SHORTCUTS.into_iter().map(|(keys, words)| {
        let keys = keys.iter().map(|key| {
            view! {
                <kbd>{*key}</kbd>
                " "
            }
        });
        view! {
            <dt>{keys.collect_view()}</dt>
            <dd>{words}</dd>
        }
    });
    let card = view! {
        <div class="card" data-light="">
            <h1 id="card-title">"Keyboard shortcuts"</h1>
            <dl class="shortcuts">{rows.collect_view()}</dl>
            <div class="buttons">
                <a class="button" href="/user/api-keys" data-close="" autofocus>
                    "Close"
                </a>
            </div>
        </div>
    };
    ready(Ok(card.into_any()))
}
