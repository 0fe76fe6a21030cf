//! The link to the card that tests a key.

use leptos::prelude::*;

/// The path of the card.
pub const PATH: &str = "/user/api-keys/test";

/// The button, for the page of a key. The dashboard doesn't know the token, so the card asks for it.
#[component]
pub fn TestKey() -> impl IntoView {
    view! {
        <a class="button" href=PATH data-dialog="">
            "Test this key"
        </a>
    }
}
