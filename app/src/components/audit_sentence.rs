//! An audit entry as a sentence, and where it came from.

use domain::{
    AuditEntry,
    audit::{Channel, Outcome, Part, Resource},
};
use leptos::prelude::*;
use service::Namesakes;

use super::status::OutcomeStatus;
use crate::{
    list_url::encode,
    words::{audit as words, labels},
};

/// The sentence of an entry, marked if it was denied, and its details below. `resource`: what it is about, if that
/// still exists and is to be linked. `namesakes`: what to show beside names that are easily mistaken for others.
pub fn audit_sentence(entry: &AuditEntry, resource: Option<&Resource>, namesakes: &Namesakes) -> AnyView {
    let address = namesakes.beside(entry.actor_id, &entry.actor_name);
    let parts = entry.parts().into_iter().map(|part| match (part, resource) {
        (Part::Text(text), _) => text.to_owned().into_any(),
        (Part::Subject(name), Some(resource)) => view! {
            <a href=resource_path(resource, name) dir="auto" translate="no">
                {name.to_owned()}
            </a>
        }
        .into_any(),
        (Part::Actor(name), _) => {
            let beside = address.map(|address| {
                view! {
                    <span class="muted" translate="no">
                        {format!(" ({address})")}
                    </span>
                }
            });
            view! {
                <bdi translate="no">{name.to_owned()}</bdi>
                {beside}
            }
            .into_any()
        }
        (Part::Subject(name), _) => view! { <bdi translate="no">{name.to_owned()}</bdi> }.into_any(),
    });
    let denied = (entry.outcome == Outcome::Refused).then(|| {
        view! {
            " "
            <OutcomeStatus outcome=Outcome::Refused />
        }
    });
    let detail = (!entry.detail.is_empty()).then(|| view! { <span class="sub">{entry.detail.clone()}</span> });
    view! {
        {parts.collect_view()}
        {denied}
        {detail}
    }
    .into_any()
}

/// The sentence of an entry as text, with what to show beside the actor's name.
pub fn audit_text(entry: &AuditEntry, namesakes: &Namesakes) -> String {
    let address = namesakes.beside(entry.actor_id, &entry.actor_name);
    let text = |part: Part<'_>| match (part, address) {
        (Part::Actor(name), Some(address)) => labels::with_address(name, Some(address)),
        (part, _) => part.text().to_owned(),
    };
    entry.parts().into_iter().map(text).collect()
}

/// The interface and the IP address that an entry came from, like "GraphQL, with a key" above "203.0.113.7".
pub fn audit_source(entry: &AuditEntry) -> AnyView {
    let channel = Channel::label_of(&entry.channel);
    let via = if entry.key_id.is_some() { words::with_a_key(&channel) } else { channel.to_owned() };
    let address = entry.address.clone().map(|address| view! { <span class="sub">{address}</span> });
    view! {
        {via}
        {address}
    }
    .into_any()
}

/// The page of a resource. A member has none; they are found by `name` in the list.
pub fn resource_path(resource: &Resource, name: &str) -> String {
    match resource {
        Resource::UserKey(key) => format!("/user/api-keys/{key}"),
        Resource::AccountKey(account, key) => format!("/team/service-accounts/{account}/keys/{key}"),
        Resource::Account(account) => format!("/team/service-accounts/{account}"),
        Resource::Member(_) => format!("/team/members?q={}", encode(name)),
    }
}
