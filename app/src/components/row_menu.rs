//! The menu of further actions for a row: links to their pages.

use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// The menu. `label`: its accessible name. `items`: path and label of each link.
#[component]
pub fn RowMenu(label: String, items: Vec<(String, &'static str)>) -> impl IntoView {
    let items = items.into_iter().map(|(href, word)| {
        view! {
            <li>
                <a href=href data-dialog="">
                    {word}
                </a>
            </li>
        }
    });
    view! {
        <details class="menu" name="menu">
            <summary class="icon-button" title=label.clone() aria-label=label>
                <Picture icon=Icon::More />
            </summary>
            <ul>{items.collect_view()}</ul>
        </details>
    }
}
