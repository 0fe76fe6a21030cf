//! What is shown before a key is stopped: its recent use, and what stops working with it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Agent, ApiKey, LastUse, Recent};
use leptos::prelude::*;

use super::{address::from_client, agent_names::agent_names, time::Moment};

/// The key's hint and tenant, which tell it apart from others of the same name.
pub fn subject(key: &ApiKey) -> AnyView {
    view! { <p class="subject">"Key "<code>{key.hint.clone()}"…"</code>" · "{key.tenant_name.to_string()}</p> }
        .into_any()
}

/// The key, its recent use and what stops working with it. `agents`: the agents that run with the key. `recent`: the
/// use of the key in the past 24 hours. `then`: as in [`RecentWords`].
#[component]
pub fn UseWords(
    key: ApiKey,
    agents: Vec<Agent>,
    recent: Recent,
    now: DateTime<Utc>,
    #[prop(default = STOPS)] then: &'static str,
) -> impl IntoView {
    let is_valid = key.state(now).is_valid();
    let agents = agent_names(&agents, &key).map(|names| view! { <p class="muted">{names}</p> });
    let (subject, stops) = (subject(&key), stop_words(&key, recent, now, then));
    let last = key.last_used.and_then(|last| {
        if is_valid {
            last_request(&last).map(|words| view! { <p class="muted">{words}</p> }.into_any())
        } else {
            // One text node: an empty one would be sent as a space.
            let client = format!("{}.", from_client(&last));
            Some(view! { <p class="muted">"Last used "<Moment at=last.at now />{client}</p> }.into_any())
        }
    });
    view! {
        {subject}
        {stops}
        {last}
        {agents}
    }
}

/// "Last request: 203.0.113.7, curl/8.5.0"; `None` when neither the address nor the client is known.
fn last_request(last: &LastUse) -> Option<String> {
    let known: Vec<&str> = [last.address.as_deref(), last.user_agent.as_deref()].into_iter().flatten().collect();
    (!known.is_empty()).then(|| format!("Last request: {}", known.join(", ")))
}

/// What happens to the clients of one key that is stopped.
pub const STOPS: &str = "Anything using it stops working immediately.";

/// What happens to the clients of several keys that are stopped.
pub const THEY_STOP: &str = "Anything using them stops working immediately.";

/// What stops working with a key, unless it is already inactive. `then`: as in [`RecentWords`].
pub fn stop_words(key: &ApiKey, recent: Recent, now: DateTime<Utc>, then: &'static str) -> AnyView {
    if !key.state(now).is_valid() {
        return view! { <p>"Already inactive."</p> }.into_any();
    }
    // The key's record may have a use that `recent` doesn't have, because the two are read one after the other.
    let last_used_at = recent.last_used_at.or(key.last_used.as_ref().map(|last| last.at));
    let recent = Recent { last_used_at, ..recent };
    view! { <RecentWords recent now then /> }.into_any()
}

/// When one or more keys were last used, and by whom in the past 24 hours: "Last used 12 seconds ago, by 3 agents from
/// 2 IP addresses in the past 24 hours. Anything using it stops working immediately." `then`: the last sentence; empty
/// for none. It is left out when there was no use in the past 24 hours.
#[component]
pub fn RecentWords(recent: Recent, now: DateTime<Utc>, #[prop(default = STOPS)] then: &'static str) -> impl IntoView {
    let Some(at) = recent.last_used_at else {
        return view! { <p>"Never used."</p> }.into_any();
    };
    match recent.text() {
        // The address isn't known.
        None if now - at < TimeDelta::days(1) => {
            let end = format!(". {then}").trim_end().to_owned();
            view! {
                <p>
                    "Last used "<strong>
                        <Moment at now />
                    </strong>{end}
                </p>
            }
            .into_any()
        }
        None => view! {
            <p>
                "Last used "<strong>
                    <Moment at now />
                </strong>"."
            </p>
        }
        .into_any(),
        Some(words) => {
            let end = format!(" in the past 24 hours. {then}").trim_end().to_owned();
            view! {
                <p>
                    "Last used "<strong>
                        <Moment at now />
                    </strong>", "<strong>{words}</strong>{end}
                </p>
            }
            .into_any()
        }
    }
}

/// When the keys of a member or a service account were last used, and by whom in the past 24 hours, before their role
/// is changed. Nothing when they weren't used in the past 24 hours.
#[component]
pub fn RoleWords(recent: Recent, now: DateTime<Utc>) -> impl IntoView {
    recent.last_used_at.zip(recent.text()).map(|(at, words)| {
        view! {
            <p>
                "Keys last used "<strong>
                    <Moment at now />
                </strong>", "<strong>{words}</strong>
                " in the past 24 hours. The new role applies from the next request."
            </p>
        }
    })
}

/// What revoking a key stops.
#[component]
pub fn RevokeWords(key: ApiKey, agents: Vec<Agent>, recent: Recent, now: DateTime<Utc>) -> impl IntoView {
    view! {
        <UseWords key agents recent now />
        <p>"This can't be undone. You'll need to create and deploy a new key."</p>
    }
}
