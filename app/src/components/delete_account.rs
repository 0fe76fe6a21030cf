//! What is said before a service account is deleted.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{address::from_address, agent_names::agent_names, revoke_key::RecentWords, time::Moment};

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
        view! { <p>"Used in the past 24 hours:"</p><ul class="plain-list">{rows}</ul> }.into_any()
    };
    let what =
        format!("{} and {keys} stop working immediately. Anything using them has to be given a new key.", account.name);
    view! {
        {keys_words(&account, recent, now, what)}
        {used}
        <p>"This can't be undone."</p>
    }
}

/// What stops with an account; nothing, when none of its keys works. `what`: the sentence about those that do.
pub fn keys_words(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>, what: String) -> AnyView {
    if account.active_keys == 0 {
        let words = if account.all_keys == 0 { "It has no API keys." } else { "Its keys are already inactive." };
        return view! { <p>{words}</p> }.into_any();
    }
    if recent.last_used_at.is_none() {
        return view! { <p>{what}</p><p>"None of its active keys was ever used."</p> }.into_any();
    }
    view! { <p>{what}</p><RecentWords recent now /> }.into_any()
}
