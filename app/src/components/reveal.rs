//! The token, shown this once.

use leptos::prelude::*;

use super::as_code::CopiedText;

/// A ready piece of text with the token in it.
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

/// The token's field with Copy and Hide, and the snippets.
#[component]
pub fn RevealBody(token: String, public_url: String) -> impl IntoView {
    let snippets = snippets(&token, &public_url).map(|(name, text)| view! { <CopiedText name text /> });
    view! {
        <p>"Copy it now: it can't be shown again."</p>
        <div class="field">
            <label for="revealed-token">"API key"</label>
            <div class="token-row">
                <input id="revealed-token" class="token" type="text" readonly autocomplete="off" spellcheck="false" value=token />
                <button type="button" class="button script-only" data-copy="#revealed-token">"Copy"</button>
                <button type="button" class="button script-only" data-hide="#revealed-token">"Hide"</button>
            </div>
        </div>
        <div class="snippets">{snippets.into_iter().collect_view()}</div>
    }
}
