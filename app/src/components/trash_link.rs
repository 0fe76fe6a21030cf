//! The trash bin: a link to the page that asks, which the script shows as a dialog.

use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// `label`: what it does, to what.
#[component]
pub fn TrashLink(href: String, label: String) -> impl IntoView {
    view! {
        <a class="icon-button danger" href=href title=label.clone() aria-label=label data-dialog=""><Picture icon=Icon::Trash /></a>
    }
}
