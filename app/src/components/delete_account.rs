//! What is said before a service account is deleted.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{address::from_address, revoke_key::RecentWords, time::Moment};

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
            let address = from_address(last.address.as_deref());
            view! { ", last used " <Moment at=last.at now />{address} }
        });
        view! { <li><strong>{key.name.to_string()}</strong>" "<code>{key.hint}"…"</code>{last}{names}</li> }
    });
    let rows = rows.collect_view();
    let used = if rows.is_empty() {
        ().into_any()
    } else {
        view! { <p>"In use in the last day:"</p><ul class="plain-list">{rows}</ul> }.into_any()
    };
    let what = format!(
        "{} and {keys} will stop working at once. Agents and flows that use them fail to authenticate and must be started with a new key.",
        account.name
    );
    view! {
        {keys_words(&account, recent, now, what)}
        {used}
        <p>"This can't be undone."</p>
    }
}

/// What stops with an account; nothing, when none of its keys works. `what`: the sentence about those that do.
pub fn keys_words(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>, what: String) -> AnyView {
    if account.active_keys == 0 {
        let words = if account.all_keys == 0 {
            "It has no API keys: nothing stops."
        } else {
            "Its keys are refused already: nothing stops."
        };
        return view! { <p>{words}</p> }.into_any();
    }
    if recent.last_used_at.is_none() {
        return view! { <p>{what}</p><p>"No key that works was ever used."</p> }.into_any();
    }
    view! { <p>{what}</p><RecentWords recent now /> }.into_any()
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
