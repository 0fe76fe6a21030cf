//! The token, shown this once.

use leptos::{html, prelude::*, task::spawn_local};

use crate::browser;

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
    let field = NodeRef::<html::Input>::new();
    let (hidden, copied) = (RwSignal::new(false), RwSignal::new(false));
    let text = StoredValue::new(token.clone());
    let copy = move |_| {
        spawn_local(async move {
            if browser::copy(&text.get_value()).await {
                copied.set(true);
            } else if let Some(field) = field.get_untracked() {
                field.select();
            }
        });
    };
    let snippets = snippets(&token, &public_url).map(|(name, text)| {
        view! { <details name="snippet"><summary>{name}</summary><pre tabindex="0">{text}</pre></details> }
    });
    view! {
        <p>"Copy it now: it can't be shown again."</p>
        <div class="field">
            <label for="revealed-token">"API key"</label>
            <div class="token-row">
                <input
                    id="revealed-token" class="token" node_ref=field readonly autocomplete="off" spellcheck="false" value=token
                    type=move || if hidden.get() { "password" } else { "text" }
                />
                <button type="button" class="button script-only" on:click=copy>{move || if copied.get() { "Copied" } else { "Copy" }}</button>
                <button type="button" class="button script-only" on:click=move |_| hidden.update(|hidden| *hidden = !*hidden)>
                    {move || if hidden.get() { "Show" } else { "Hide" }}
                </button>
            </div>
        </div>
        <div class="snippets">{snippets.into_iter().collect_view()}</div>
    }
}
