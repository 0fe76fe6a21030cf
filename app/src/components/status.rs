//! The state of a thing, as a chip with a word.

use chrono::{DateTime, Utc};
use domain::{AccountState, AgentState, KeyState, api_key::policy, audit::Outcome};
use leptos::prelude::*;

/// A key's state.
pub fn key_status(state: KeyState<'_>) -> AnyView {
    view! { <span class=format!("chip chip-{}", state.as_str())>{state.label()}</span> }.into_any()
}

/// The policies that a key is against, or will be; nothing, when there are none.
#[component]
pub fn Against(policies: Vec<policy::Against>, now: DateTime<Utc>) -> impl IntoView {
    (!policies.is_empty()).then(|| {
        let labels: Vec<_> = policies.iter().map(|against| against.words(now)).collect();
        let (title, labels) = (labels.join("; "), labels.join("; "));
        let is_to_come = policies.iter().all(|against| against.is_to_come(now));
        let words = if is_to_come { "Against a policy to come" } else { "Against policy" };
        view! { <span class="sub against" title=title>{words}<span class="visually-hidden">": "{labels}</span></span> }
    })
}

/// An account's state.
#[component]
pub fn AccountStatus(state: AccountState) -> impl IntoView {
    let (class, label) = match state {
        AccountState::Active => ("chip chip-active", "Active"),
        AccountState::Suspended { .. } => ("chip chip-suspended", "Suspended"),
        AccountState::Deleted { .. } => ("chip chip-revoked", "Deleted"),
    };
    view! { <span class=class>{label}</span> }
}

/// An agent's state.
#[component]
pub fn AgentStatus(state: AgentState) -> impl IntoView {
    let class = match state {
        AgentState::Polling => "chip chip-active",
        AgentState::Silent { .. } => "chip chip-suspended",
        AgentState::CutOff { .. } => "chip chip-revoked",
    };
    view! { <span class=class>{state.label()}</span> }
}

/// What came of an operation.
#[component]
pub fn OutcomeStatus(outcome: Outcome) -> impl IntoView {
    let class = match outcome {
        Outcome::Done => "chip chip-active",
        Outcome::Refused => "chip chip-revoked",
    };
    view! { <span class=class>{outcome.label()}</span> }
}
