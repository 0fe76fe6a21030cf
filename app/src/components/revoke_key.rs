//! What is shown before a key is stopped: the key, its recent use, and what stops working with it.

use chrono::{DateTime, Utc};
use domain::{Agent, ApiKey, Recent};
use leptos::prelude::*;

use super::use_facts::{UseFacts, last_used_at};
use crate::words::{key_acts as words, usage::agent_names};

/// The key's hint and tenant, which tell it apart from others of the same name.
pub fn subject(key: &ApiKey) -> AnyView {
    view! {
        <p class="subject">
            {words::key(view! { <code translate="no">{key.hint.clone()}"…"</code> })}" · "
            <bdi translate="no">{key.tenant_name.to_string()}</bdi>
        </p>
    }
    .into_any()
}

/// The key and its recent use. `agents`: those that run with the key. `recent`: its use in the past 24 hours.
pub fn key_facts(key: &ApiKey, agents: &[Agent], recent: Recent, now: DateTime<Utc>) -> AnyView {
    let (last, agents) = (key.last_used.clone(), agent_names(agents, key));
    view! {
        {subject(key)}
        <UseFacts last recent agents now />
    }
    .into_any()
}

/// Whether the key works and was ever used, so that stopping it may stop something else.
fn is_in_use(key: &ApiKey, recent: &Recent, now: DateTime<Utc>) -> bool {
    key.state(now).is_valid() && last_used_at(key.last_used.as_ref(), recent).is_some()
}

/// What revoking a key does.
pub fn revoke_words(key: &ApiKey, recent: &Recent, now: DateTime<Utc>) -> &'static str {
    if is_in_use(key, recent, now) {
        words::revoking_stops_its_users()
    } else if key.state(now).is_valid() {
        words::revoking_cant_be_undone()
    } else {
        words::already_inactive()
    }
}

/// What suspending a key does.
pub fn suspend_words(key: &ApiKey, recent: &Recent, now: DateTime<Utc>) -> &'static str {
    if is_in_use(key, recent, now) {
        words::suspending_stops_its_users()
    } else {
        words::you_can_resume_it_at_any_time()
    }
}

/// What rotating a key does, and what has to be done meanwhile.
pub fn rotate_words(key: &ApiKey, recent: &Recent, now: DateTime<Utc>) -> &'static str {
    if is_in_use(key, recent, now) { words::rotating_a_key_in_use() } else { words::rotating() }
}

/// When the keys of a member or a service account were last used and by whom, before their role is changed. Nothing
/// when they weren't used in the past 24 hours.
#[component]
pub fn RoleWords(recent: Recent, now: DateTime<Utc>) -> impl IntoView {
    recent.text().is_some().then(|| {
        view! {
            <UseFacts last=None recent now />
            <p>{words::new_role_applies()}</p>
        }
    })
}
