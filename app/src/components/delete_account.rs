//! What suspending or deleting a service account stops.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent, ServiceAccount};
use leptos::prelude::*;

use super::{address::from_address, agent_names::agents_text, time::Distance, use_facts::UseFacts};

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
            view! {
                " · last used "
                <Distance at=last.at now />
                {address}
            }
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
            <p>"Used in the past 24 hours:"</p>
            <ul class="plain-list">{rows}</ul>
        }
    });
    view! {
        {account_facts(&account, recent, now)}
        {used}
        <p>{delete_words(&account)}</p>
    }
}

/// The recent use of an account's active keys; nothing when it has none.
pub fn account_facts(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>) -> Option<AnyView> {
    let last = account.last_used.clone();
    (account.active_keys > 0).then(|| view! { <UseFacts last recent now /> }.into_any())
}

/// What deleting an account does.
fn delete_words(account: &ServiceAccount) -> String {
    let name = &account.name;
    match (account.active_keys, account.all_keys) {
        (0, 0) => "It has no API keys. Deleting it can't be undone.".to_owned(),
        (0, _) => "Its keys are already inactive. Deleting it can't be undone.".to_owned(),
        (1, _) => format!(
            "{name}'s key stops working immediately. Anything using it has to be given a new key. This can't be undone."
        ),
        (count, _) => format!(
            "{name}'s {count} keys stop working immediately. Anything using them has to be given a new key. \
             This can't be undone."
        ),
    }
}

/// What suspending an account does.
pub fn suspend_words(account: &ServiceAccount) -> String {
    match (account.active_keys, account.all_keys) {
        (0, 0) => "It has no API keys. You can resume it at any time.".to_owned(),
        (0, _) => "Its keys are already inactive. You can resume it at any time.".to_owned(),
        (1, _) => "Its active key stops working immediately. You can resume it at any time; the key stays the same."
            .to_owned(),
        (count, _) => format!(
            "Its {count} active keys stop working immediately. You can resume it at any time; its keys stay the same."
        ),
    }
}
