//! The card with a new key's token, the only time that it is shown.

use domain::{Secret, api_key::view::CreatedKey};
use leptos::prelude::*;

use super::copied_text::copied_text;
use crate::api::wire::SECRET_PLACEHOLDER;

/// Name and text of examples that contain the token. `url`: the base URL of the API.
fn snippets(token: &str, url: &str) -> [(&'static str, String); 5] {
    [
        (
            "curl",
            format!(
                "curl {url}/graphql \\\n  -H 'Authorization: Bearer {token}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"query\": \"{{ auth_api_key {{ id name expires_at }} }}\"}}'"
            ),
        ),
        (
            "GraphQL",
            format!(
                "# {url}/graphql\n# Authorization: Bearer {token}\nquery {{\n  auth_api_key {{ id name expires_at user_id }}\n}}"
            ),
        ),
        (".env", format!("LATCHKEY_API={url}\nLATCHKEY_API_KEY={token}")),
        (
            "Kubernetes",
            format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: api-key\nstringData:\n  API_KEY: {token}"),
        ),
        ("Agent", format!("export PREFECT__CLOUD__API={url}\nprefect agent local start --key {token}")),
    ]
}

/// The card with a new key's token. `back`: the path that the button leads to.
pub fn reveal_card(created: &CreatedKey, public_url: &str, back: &str) -> AnyView {
    card(created.is_rotation, created.is_suspended, &created.token, public_url, back)
}

fn card(is_rotation: bool, is_suspended: bool, secret: &Secret, public_url: &str, back: &str) -> AnyView {
    let title = if is_rotation { "Your API key has been rotated" } else { "Your API key has been created" };
    let suspended = is_suspended.then(suspended_account);
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            {suspended}
            {token(secret.expose().to_owned(), public_url)}
            <div class="buttons">
                <a class="button primary" href=back.to_owned() data-close="">
                    "I've saved it"
                </a>
            </div>
        </div>
    }
    .into_any()
}

/// The same card with a placeholder for the token, which the script replaces after it has created the key.
pub fn reveal_template(is_rotation: bool, is_suspended: bool, public_url: &str, back: &str) -> AnyView {
    let card = card(is_rotation, is_suspended, &Secret::new(SECRET_PLACEHOLDER), public_url, back);
    view! { <template data-reveal="">{card}</template> }.into_any()
}

/// States that the keys of a suspended service account are rejected.
pub fn suspended_account() -> AnyView {
    view! { <p class="alert">"This service account is suspended: its keys are rejected until it is resumed."</p> }
        .into_any()
}

/// The field with the token and its buttons, and the examples.
fn token(token: String, public_url: &str) -> AnyView {
    let snippets = snippets(&token, public_url).map(|(name, text)| copied_text(name, text));
    view! {
        <p>"Copy it now. You won't be able to see it again."</p>
        <div class="field">
            <label for="revealed-token">"API key"</label>
            <div class="token-row">
                <input
                    id="revealed-token"
                    class="token"
                    type="text"
                    readonly
                    autocomplete="off"
                    spellcheck="false"
                    value=token
                />
                <button type="button" class="button script-only" data-copy="#revealed-token">
                    "Copy"
                </button>
                <button type="button" class="button script-only" data-hide="#revealed-token">
                    "Hide"
                </button>
            </div>
        </div>
        <div class="snippets">{snippets.into_iter().collect_view()}</div>
    }
    .into_any()
}
