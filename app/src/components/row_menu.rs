//! The menu of further actions for a row: links to their pages.

use leptos::prelude::*;

use super::icon::{Icon, Picture};
use crate::words::labels;

/// The menu, which works without script because it is a popover. `label`: its accessible name. `items`: path and label
/// of each link; no other menu of the page may begin with the same path.
#[component]
pub fn RowMenu(label: String, items: Vec<(String, &'static str)>) -> impl IntoView {
    let id = format!("menu{}", items.first().map_or("", |(path, _)| path).replace(|c: char| !c.is_alphanumeric(), "-"));
    let items = items.into_iter().map(|(href, word)| {
        // The page of a thing is a page of its own, not a card.
        let dialog = (word != DETAILS).then_some("");
        view! {
            <li>
                <a href=href data-dialog=dialog>
                    {word}
                </a>
            </li>
        }
    });
    view! {
        <div class="menu">
            <button type="button" class="icon-button" popovertarget=id.clone() title=label.clone() aria-label=label>
                <Picture icon=Icon::More />
            </button>
            <ul class="menu-list" id=id popover="auto">
                {items.collect_view()}
            </ul>
        </div>
    }
}

/// The label of the item that leads to the page of the row's thing.
pub const DETAILS: &str = labels::details();
