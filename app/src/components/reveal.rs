//! The card with a new key's token, the only time that it is shown.

use domain::{Secret, api_key::view::CreatedKey};
use leptos::prelude::*;

use super::{
    first_request::{first_request, first_request_path},
    key_snippets::key_snippets,
    tabs::tabs,
};
use crate::api::wire::{KEY_PLACEHOLDER, SECRET_PLACEHOLDER};
use crate::words::{keys as words, labels};

/// Where a new key belongs.
#[derive(Clone, Copy, Debug)]
pub struct KeyHome<'a> {
    /// The path that precedes the key's id in the paths of its pages.
    pub base: &'a str,
    /// The path of the list that shows the key.
    pub list: &'a str,
    /// The base URL of the API.
    pub public_url: &'a str,
}

impl KeyHome<'_> {
    /// Whether the key's owner is a service account: its keys have a path below the account's.
    fn is_account(&self) -> bool {
        self.base != self.list
    }
}

/// The card with a new key's token.
pub fn reveal_card(created: &CreatedKey, home: KeyHome) -> AnyView {
    let repeat = created.is_repeat.then(|| view! { <p class="alert">{words::form_was_sent_again()}</p> });
    card(
        created.is_rotation,
        created.is_suspended,
        &created.token,
        &created.key.id.to_string(),
        home,
        repeat.into_any(),
    )
}

/// The same card with placeholders for the token and the key's id, which the script replaces after it has created the
/// key.
pub fn reveal_template(is_rotation: bool, is_suspended: bool, home: KeyHome) -> AnyView {
    let card = card(is_rotation, is_suspended, &Secret::new(SECRET_PLACEHOLDER), KEY_PLACEHOLDER, home, ().into_any());
    view! { <template data-reveal="">{card}</template> }.into_any()
}

/// `note`: what the person must know before they copy the token.
fn card(is_rotation: bool, is_suspended: bool, secret: &Secret, key: &str, home: KeyHome, note: AnyView) -> AnyView {
    let title = if is_rotation { words::key_has_been_rotated() } else { words::key_has_been_created() };
    // The key of a suspended service account can't be verified until the account is resumed.
    let state = if is_suspended { suspended_account() } else { live_sign(key, home) };
    let snippets = key_snippets(secret.expose(), home.public_url, home.is_account());
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            <p>{words::copy_it_now()}</p>
            {note}
            {token_field(secret.expose().to_owned())}
            {tabs("snippet", words::how_to_use_this_key(), snippets)}
            {state}
            <div class="buttons">
                <a class="button" href=home.list.to_owned() data-close="" data-after-copy=labels::done()>
                    {words::ive_saved_it()}
                </a>
            </div>
        </div>
    }
    .into_any()
}

/// States that the keys of a suspended service account are rejected.
pub fn suspended_account() -> AnyView {
    view! { <p class="alert">{words::account_is_suspended()}</p> }.into_any()
}

/// Whether the key has been verified yet, and where to read how to do it.
fn live_sign(key: &str, home: KeyHome) -> AnyView {
    view! {
        <div class="live-sign">
            {first_request(&first_request_path(home.base, key), None)} <p class="hint">
                <a href="/docs/verify" target="_blank">
                    {words::how_to_verify_keys()}
                </a>
            </p>
        </div>
    }
    .into_any()
}

fn token_field(token: String) -> AnyView {
    view! {
        <div class="field">
            <label for="revealed-token">{labels::api_key()}</label>
            <div class="token-row">
                <input
                    id="revealed-token"
                    class="token"
                    type="text"
                    readonly
                    autocomplete="off"
                    spellcheck="false"
                    translate="no"
                    value=token
                />
                <button type="button" class="button primary script-only" data-copy="#revealed-token">
                    {labels::copy()}
                </button>
                <button type="button" class="button script-only" data-hide="#revealed-token">
                    {words::hide()}
                </button>
            </div>
        </div>
    }
    .into_any()
}
