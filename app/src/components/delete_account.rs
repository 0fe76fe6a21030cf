//! What suspending or deleting a service account stops.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{time::Distance, use_facts::UseFacts};
use crate::words::{
    accounts as words,
    usage::{self, agents_text, from_address},
};

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
    let rows = in_use.into_iter().map(|key| {
        let names = agents_text(&agents, &key).map(|text| format!(" · {text}"));
        let last = key.last_used.map(|last| {
            let address = from_address(last.address.as_deref());
            usage::last_used(view! { <Distance at=last.at now /> }, address)
        });
        view! {
            <li>
                <strong translate="no">{key.name.to_string()}</strong>
                " "
                <code translate="no">{key.hint}"…"</code>
                {last}
                {names}
            </li>
        }
    });
    let rows = rows.collect_view();
    let used = (!rows.is_empty()).then(|| {
        view! {
            <p>{words::used_in_the_past_24_hours()}</p>
            <ul class="plain-list">{rows}</ul>
        }
    });
    view! {
        {account_facts(&account, recent, now)}
        {used}
        <p>{words::delete_words(&account)}</p>
    }
}

/// The recent use of an account's active keys; nothing when it has none.
pub fn account_facts(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>) -> Option<AnyView> {
    let last = account.last_used.clone();
    (account.active_keys > 0).then(|| view! { <UseFacts last recent now /> }.into_any())
}
