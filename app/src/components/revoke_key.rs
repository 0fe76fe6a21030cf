//! What is said before a key is stopped.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Agent, ApiKey, Recent};
use leptos::prelude::*;

use super::{address::from_client, agent_names::agent_names, time::Moment};

/// Which key it is, where others have the same name.
pub fn subject(key: &ApiKey) -> AnyView {
    view! { <p class="subject"><code>{key.hint.clone()}"…"</code>" in "{key.tenant_name.to_string()}</p> }.into_any()
}

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
    let (names, is_good) = (agent_names(&agents, &key), key.state(now).is_good());
    let (subject, stops) = (subject(&key), stop_words(&key, recent, now, then));
    let last = key.last_used.and_then(|last| {
        // As one text: an empty one of its own would be sent as a blank.
        let who = format!("{}{names}", from_client(&last));
        if is_good {
            (!who.is_empty()).then(|| view! { <p class="muted">{format!("The last time{who}.")}</p> }.into_any())
        } else {
            Some(view! { <p class="muted">"Last used "<Moment at=last.at now />{format!("{who}.")}</p> }.into_any())
        }
    });
    view! { {subject}{stops}{last} }
}

/// What happens to those who use a key that is stopped.
pub const STOPS: &str = "Anything using it stops working immediately.";

/// What stops with a key; nothing, when it is refused already. `then`: as in [`RecentWords`].
pub fn stop_words(key: &ApiKey, recent: Recent, now: DateTime<Utc>, then: &'static str) -> AnyView {
    if !key.state(now).is_good() {
        return view! { <p>"Already inactive."</p> }.into_any();
    }
    // The record may know of a use that came after the other was read.
    let last_used_at = recent.last_used_at.or(key.last_used.as_ref().map(|last| last.at));
    let recent = Recent { last_used_at, ..recent };
    view! { <RecentWords recent now then /> }.into_any()
}

/// "Used 12 seconds ago by 3 agents from 2 addresses. What uses it will stop working at once." `then`: the last sentence,
/// where that isn't what happens.
#[component]
pub fn RecentWords(recent: Recent, now: DateTime<Utc>, #[prop(default = STOPS)] then: &'static str) -> impl IntoView {
    let Some(at) = recent.last_used_at else {
        return view! { <p>"Never used."</p> }.into_any();
    };
    match recent.words() {
        // From an address that isn't known.
        None if now - at < TimeDelta::days(1) => {
            view! { <p>"Used "<strong><Moment at now /></strong>". "{then}</p> }.into_any()
        }
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
        <p>"This can't be undone. You'll need to create and deploy a new key."</p>
    }
}
