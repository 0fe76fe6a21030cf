//! What is said before a key is stopped.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent};
use leptos::prelude::*;

use super::{delete_account::agent_names, time::Moment};

/// Which key it is, and what stops with it. `agents`: those that run with it. `recent`: who used it in the last day. `then`:
/// as in [`RecentWords`].
#[component]
pub fn UseWords(
    key: ApiKey,
    agents: Vec<Agent>,
    recent: Recent,
    now: DateTime<Utc>,
    #[prop(default = STOPS)] then: &'static str,
) -> impl IntoView {
    let names = agent_names(&agents, &key);
    view! {
        <p class="subject"><code>{key.hint.clone()}"…"</code>" in "{key.tenant_name.to_string()}</p>
        <RecentWords recent now then />
        {key.last_used.map(|last| {
            let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
            let agent = last.user_agent.map(|agent| format!(" by {agent}")).unwrap_or_default();
            // As one text: an empty one of its own would be sent as a blank.
            view! { <p class="muted">{format!("The last time{address}{agent}{names}.")}</p> }
        })}
    }
}

/// What happens to those who use a key that is stopped.
const STOPS: &str = "What uses it will stop working at once.";

/// "Used 12 seconds ago by 3 agents from 2 addresses. What uses it will stop working at once." `then`: the last sentence,
/// where that isn't what happens.
#[component]
pub fn RecentWords(recent: Recent, now: DateTime<Utc>, #[prop(default = STOPS)] then: &'static str) -> impl IntoView {
    let Some(at) = recent.last_used_at else {
        return view! { <p>"It has never been used: nothing stops."</p> }.into_any();
    };
    match recent.words() {
        None => view! { <p>"Last used "<strong><Moment at now /></strong>", and not in the last day."</p> }.into_any(),
        Some(words) => {
            view! { <p>"Used "<strong><Moment at now /></strong>", in the last day "<strong>{words}</strong>". "{then}</p> }
                .into_any()
        }
    }
}

/// "Its keys were used 12 seconds ago, in the last day by 3 agents from 2 addresses: …": whom a change of the role
/// touches. Nothing, when nobody used them lately. `keys`: "Its keys", "Their keys".
#[component]
pub fn RoleWords(keys: &'static str, recent: Recent, now: DateTime<Utc>) -> impl IntoView {
    recent.last_used_at.zip(recent.words()).map(|(at, words)| {
        view! { <p>{keys}" were used "<strong><Moment at now /></strong>", in the last day "<strong>{words}</strong>": from the next request on they may do only what the new role allows."</p> }
    })
}

/// What revoking will stop.
#[component]
pub fn RevokeWords(key: ApiKey, agents: Vec<Agent>, recent: Recent, now: DateTime<Utc>) -> impl IntoView {
    view! {
        <UseWords key agents recent now />
        <p>"This can't be undone. To go on, a new key has to be made and put where this one is used."</p>
    }
}
