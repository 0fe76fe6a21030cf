//! The trash bin: a link to the page that asks before something is ended. The script shows that page as a dialog.

use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// The link. `label`: the action and its object, such as "Revoke API key Laptop".
#[component]
pub fn TrashLink(href: String, label: String) -> impl IntoView {
    view! {
        <a class="icon-button danger" href=href title=label.clone() aria-label=label data-dialog="">
            <Picture icon=Icon::Trash />
        </a>
    }
}
