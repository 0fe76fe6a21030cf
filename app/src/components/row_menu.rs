//! The menu of what else can be done with a row: links to the pages that do it.

use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// `label`: of what it is the menu. `items`: address and word of each.
#[component]
pub fn RowMenu(label: String, items: Vec<(String, &'static str)>) -> impl IntoView {
    let items = items.into_iter().map(|(href, word)| view! { <li><a href=href data-dialog="">{word}</a></li> });
    view! {
        <details class="menu" name="menu">
            <summary class="icon-button" title=label.clone() aria-label=label><Picture icon=Icon::More /></summary>
            <ul>{items.collect_view()}</ul>
        </details>
    }
}
