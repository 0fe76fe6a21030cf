//! The page of one key: its facts, and the agents that use it.

use chrono::{DateTime, Utc};
use domain::{AgentScope, ApiError, ApiKey, KeyId, KeyState, ServiceAccountId};
use leptos::prelude::*;

use super::{agents::agents, page, path_id};
use crate::{
    components::{key_table::key_menu, row_menu::RowMenu, status::KeyStatus, time::Moment, trash_link::TrashLink},
    request::{RequestContext, context},
};

/// `/user/api-keys/{key}`.
#[component]
pub fn OwnKey() -> impl IntoView {
    let (request, key) = (context(), path_id::<KeyId>("key"));
    page("API key", async move {
        details(&request, key?, "/user/api-keys", ("/user/api-keys".to_owned(), "API Keys".to_owned())).await
    })
}

/// `/team/service-accounts/{account}/keys/{key}`.
#[component]
pub fn AccountKey() -> impl IntoView {
    let (request, account, key) = (context(), path_id::<ServiceAccountId>("account"), path_id::<KeyId>("key"));
    page("API key", async move {
        let account = request.services.service_accounts().get(request.actor()?, account?).await?;
        let path = format!("/team/service-accounts/{}", account.id);
        details(&request, key?, &format!("{path}/keys"), (path, account.name.to_string())).await
    })
}

/// `base`: the path below which the key's own pages stand. `up`: address and name of the page above.
async fn details(request: &RequestContext, key: KeyId, base: &str, up: (String, String)) -> Result<AnyView, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    let key = request.services.api_keys().get(actor, key).await?;
    let seen = request.services.agents().list(actor, AgentScope::Key(key.id)).await?;
    let state = key.state(now);
    let menu = key_menu(base, &key, now);
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=format!("More for {}", key.name) items=menu /> });
    let revoke = (!matches!(state, KeyState::Revoked { .. })).then(|| {
        let label = format!("Revoke API key {}", key.name);
        let href = format!("{base}/{}/revoke", key.id);
        view! { <TrashLink href label /> }
    });
    Ok(view! {
        <p class="crumb"><a href=up.0>{up.1}</a></p>
        <div class="title-row"><h1>{key.name.to_string()}</h1>{menu}{revoke}</div>
        <p class="lead"><KeyStatus state />" " <code>{key.hint.clone()}"…"</code></p>
        {facts(key, now)}
        {agents(seen, None, now)}
    }
    .into_any())
}

fn facts(key: ApiKey, now: DateTime<Utc>) -> AnyView {
    let moment = |at: DateTime<Utc>| view! { <Moment at now /> }.into_any();
    let plain = |text: String| view! { {text} }.into_any();
    let by = |at, who: String| view! { <Moment at now />" by "{who} }.into_any();
    let last = key.last_used.map_or_else(
        || plain("Never".to_owned()),
        |last| {
            let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
            let agent = last.user_agent.map(|agent| format!(" by {agent}")).unwrap_or_default();
            view! { <Moment at=last.at now />{address}{agent} }.into_any()
        },
    );
    let rows = [
        Some(("Stands for", plain(key.owner_name))),
        Some(("Tenant", plain(key.tenant_name.to_string()))),
        Some(("Created", by(key.created_at, key.created_by))),
        Some(("Expires", key.expires_at.map_or_else(|| plain("Never".to_owned()), moment))),
        Some(("Last used", last)),
        key.suspended_at.map(|at| ("Suspended", by(at, key.suspended_by.unwrap_or_default()))),
        key.revoked_at.map(|at| ("Revoked", by(at, key.revoked_by.unwrap_or_default()))),
        Some(("Id", view! { <code>{key.id.to_string()}</code> }.into_any())),
    ];
    let rows = rows.into_iter().flatten().map(|(name, value)| view! { <dt>{name}</dt><dd>{value}</dd> });
    view! { <dl class="facts">{rows.collect_view()}</dl> }.into_any()
}
