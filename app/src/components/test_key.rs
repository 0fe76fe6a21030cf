//! The link to the card that tests a key.

use leptos::prelude::*;

use crate::words::keys as words;

/// The path of the card.
pub const PATH: &str = "/user/api-keys/test";

/// The button, for the page of a key. The dashboard doesn't know the token, so the card asks for it.
#[component]
pub fn TestKey() -> impl IntoView {
    view! {
        <a class="button" href=PATH data-dialog="">
            {words::test_this_key()}
        </a>
    }
}
