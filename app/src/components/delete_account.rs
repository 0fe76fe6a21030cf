//! What is said before a service account is deleted.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{revoke_key::RecentWords, time::Moment};

/// What deleting an account will stop. `in_use`: its keys that were used in the last day. `agents`: those of its keys.
#[component]
pub fn DeleteWords(
    account: ServiceAccount,
    in_use: Vec<ApiKey>,
    agents: Vec<Agent>,
    recent: Recent,
    now: DateTime<Utc>,
) -> impl IntoView {
    let keys = match account.active_keys {
        1 => "its API key".to_owned(),
        count => format!("its {count} API keys"),
    };
    let rows = in_use.into_iter().map(|key| {
        let names = agent_names(&agents, &key);
        let last = key.last_used.map(|last| {
            let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
            view! { ", last used " <Moment at=last.at now />{address} }
        });
        view! { <li><strong>{key.name.to_string()}</strong>{last}{names}</li> }
    });
    let rows = rows.collect_view();
    let used = if rows.is_empty() {
        ().into_any()
    } else {
        view! { <p>"In use in the last day:"</p><ul class="plain-list">{rows}</ul> }.into_any()
    };
    view! {
        <p>{format!("{} and {keys} will stop working at once. Agents and flows that use them fail to authenticate and must be started with a new key.", account.name)}</p>
        <RecentWords recent now />
        {used}
        <p>"This can't be undone."</p>
    }
}

/// ", by the agents frankfurt, oregon": who runs with a key; nothing, when no agent does.
pub fn agent_names(agents: &[Agent], key: &ApiKey) -> String {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent.key.id == key.id).map(|agent| agent.name.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(", by the agent {one}"),
        some => format!(", by the agents {}", some.join(", ")),
    }
}
