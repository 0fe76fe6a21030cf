//! The trash bin: a link to the page that asks, which the script turns into the dialog that asks.

use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// `label`: what it does, to what.
#[component]
pub fn TrashLink(href: String, label: String, on_ask: Callback<()>) -> impl IntoView {
    let ask = move |ev: leptos::ev::MouseEvent| {
        ev.prevent_default();
        on_ask.run(());
    };
    view! { <a class="icon-button danger" href=href title=label.clone() aria-label=label on:click=ask><Picture icon=Icon::Trash /></a> }
}
