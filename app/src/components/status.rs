//! States and outcomes as labelled chips.

use chrono::{DateTime, Utc};
use domain::{AccountState, AgentState, ApiKey, KeyState, RunPhase, StateType, api_key::policy, audit::Outcome};
use leptos::prelude::*;

use super::time::Dated;
use crate::words::{exposure, imported, labels, lists as words};

/// The state of a key.
pub fn key_status(state: KeyState<'_>) -> AnyView {
    view! { <span class=format!("chip chip-{}", state.as_str())>{state.label()}</span> }.into_any()
}

/// The mark of a key whose token was found where others can read it; nothing for any other key.
pub fn exposed_mark(key: &ApiKey) -> Option<AnyView> {
    key.exposure.as_ref().map(|_| {
        view! {
            " "
            <span class="chip chip-denied">{exposure::exposed()}</span>
        }
        .into_any()
    })
}

/// The mark of a key whose token another system has made; nothing for any other key.
pub fn imported_mark(key: &ApiKey) -> Option<AnyView> {
    key.imported_at.map(|_| {
        view! {
            " "
            <span class="chip">{imported::imported()}</span>
        }
        .into_any()
    })
}

/// The key policies that a key violates, or will violate once they take effect; nothing when there are none.
#[component]
pub fn KeyPolicyViolations(policies: Vec<policy::KeyPolicyViolation>, now: DateTime<Utc>) -> impl IntoView {
    (!policies.is_empty()).then(|| {
        let labels: Vec<_> = policies.iter().map(|violation| violation.text(now)).collect();
        let (title, labels) = (labels.join("; "), labels.join("; "));
        let (words, date) = violation_words(&policies, now);
        view! {
            <span class="sub against" title=title data-date=date.clone()>
                <span data-date=date.clone()>{words}</span>
                <span class="visually-hidden">": "{labels}</span>
            </span>
        }
    })
}

/// "Violates policy"; or, if all policies take effect later, the day on which the first of them does, with its
/// `data-date`.
fn violation_words(policies: &[policy::KeyPolicyViolation], now: DateTime<Utc>) -> (String, Option<String>) {
    let is_scheduled = policies.iter().all(|violation| violation.is_scheduled(now));
    match policies.iter().map(|violation| violation.effective_from).min() {
        Some(first) if is_scheduled => {
            let first = Dated::day(first);
            (words::will_violate_a_policy(&first.text), Some(first.attribute))
        }
        _ => (words::violates_policy().to_owned(), None),
    }
}

/// The state of a service account.
#[component]
pub fn AccountStatus(state: AccountState) -> impl IntoView {
    let (class, label) = match state {
        AccountState::Active => ("chip chip-active", labels::active()),
        AccountState::Suspended { .. } => ("chip chip-suspended", labels::suspended()),
        AccountState::Deleted { .. } => ("chip chip-revoked", words::deleted()),
    };
    view! { <span class=class>{label}</span> }
}

/// The state of an agent.
#[component]
pub fn AgentStatus(state: AgentState) -> impl IntoView {
    let class = match state {
        AgentState::Polling => "chip chip-active",
        AgentState::Silent { .. } => "chip chip-suspended",
        AgentState::CutOff { .. } => "chip chip-denied",
    };
    view! { <span class=class>{state.label()}</span> }
}

/// The state of a run of a flow, as it was reported.
#[component]
pub fn FlowRunStatus(state: StateType) -> impl IntoView {
    let class = match state.phase() {
        RunPhase::Waiting => "chip",
        RunPhase::Running => "chip chip-rotating",
        RunPhase::Succeeded => "chip chip-active",
        RunPhase::Failed => "chip chip-denied",
        RunPhase::Cancelled => "chip chip-suspended",
    };
    view! { <span class=class>{state.as_str().to_owned()}</span> }
}

/// The outcome of an operation in the audit log.
#[component]
pub fn OutcomeStatus(outcome: Outcome) -> impl IntoView {
    let class = match outcome {
        Outcome::Done => "chip chip-active",
        Outcome::Refused => "chip chip-denied",
    };
    view! { <span class=class>{outcome.label()}</span> }
}
