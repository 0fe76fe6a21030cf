//! What deleting a service account stops.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{address::from_address, agent_names::agent_names, revoke_key::RecentWords, time::Moment};

/// What deleting `account` stops. `in_use`: its keys that were used in the past 24 hours. `agents`: the agents that run
/// with its keys. `recent`: the use of all its keys.
#[component]
pub fn DeleteWords(
    account: ServiceAccount,
    in_use: Vec<ApiKey>,
    agents: Vec<Agent>,
    recent: Recent,
    now: DateTime<Utc>,
) -> impl IntoView {
    let name = &account.name;
    let what = match account.active_keys {
        1 => format!("{name}'s key stops working immediately. Anything using it has to be given a new key."),
        count => {
            format!("{name}'s {count} keys stop working immediately. Anything using them has to be given a new key.")
        }
    };
    let rows = in_use.into_iter().map(|key| {
        let names = agent_names(&agents, &key).map(|names| format!(" · {names}"));
        let last = key.last_used.map(|last| {
            let address = from_address(last.address.as_deref());
            view! {
                " · last used "
                <Moment at=last.at now />
                {address}
            }
        });
        view! {
            <li>
                <strong>{key.name.to_string()}</strong>
                " "
                <code>{key.hint}"…"</code>
                {last}
                {names}
            </li>
        }
    });
    let rows = rows.collect_view();
    let used = if rows.is_empty() {
        ().into_any()
    } else {
        view! {
            <p>"Used in the past 24 hours:"</p>
            <ul class="plain-list">{rows}</ul>
        }
        .into_any()
    };
    view! {
        {keys_words(&account, recent, now, what)}
        {used}
        <p>"This can't be undone."</p>
    }
}

/// What stops working when the account is suspended or deleted. `what`: the sentence about its active keys, used when
/// it has any. `recent`: their use in the past 24 hours.
pub fn keys_words(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>, what: String) -> AnyView {
    if account.active_keys == 0 {
        let words = if account.all_keys == 0 { "It has no API keys." } else { "Its keys are already inactive." };
        return view! { <p>{words}</p> }.into_any();
    }
    if recent.last_used_at.is_none() {
        return view! {
            <p>{what}</p>
            <p>"None of its active keys has ever been used."</p>
        }
        .into_any();
    }
    view! {
        <p>{what}</p>
        <RecentWords recent now then="" />
    }
    .into_any()
}
