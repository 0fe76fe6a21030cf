//! What is said before a key is stopped.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey};
use leptos::{either::Either, prelude::*};

use super::{delete_account::agent_names, time::Moment};

/// Which key it is, and what stops with it. `agents`: those that run with it.
#[component]
pub fn UseWords(key: ApiKey, agents: Vec<Agent>, now: DateTime<Utc>) -> impl IntoView {
    let names = agent_names(&agents, &key);
    let used = match key.last_used.clone() {
        None => Either::Left(view! { <p>"The key has never been used."</p> }),
        Some(last) => {
            let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
            let agent = last.user_agent.map(|agent| format!(" by {agent}")).unwrap_or_default();
            Either::Right(
                view! { <p>"Last used " <strong><Moment at=last.at now /></strong>{address}{agent}{names}". What uses it will stop working at once."</p> },
            )
        }
    };
    view! {
        <p class="subject"><code>{key.hint.clone()}"…"</code>" in "{key.tenant_name.to_string()}</p>
        {used}
    }
}

/// What revoking will stop.
#[component]
pub fn RevokeWords(key: ApiKey, agents: Vec<Agent>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        <UseWords key agents now />
        <p>"This can't be undone. To go on, a new key has to be made and put where this one is used."</p>
    }
}
