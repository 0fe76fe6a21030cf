//! What an owner or an administrator should see to, above a list.

use chrono::{DateTime, Utc};
use domain::{ApiKey, Owner, UserId};
use leptos::prelude::*;
use service::{KeyAlerts, MOST_ALERTS};

use super::{address::from_address, time::Moment};

/// Where a key's own page is.
pub fn key_path(key: &ApiKey) -> String {
    match key.owner {
        Owner::User(_) => format!("/user/api-keys/{}", key.id),
        Owner::ServiceAccount(id) => format!("/team/service-accounts/{id}/keys/{}", key.id),
    }
}

/// The banners; nothing, when all is well. `own`: whose keys need no name beside them.
#[component]
pub fn ConcernBanners(concerns: KeyAlerts, own: Option<UserId>, now: DateTime<Utc>) -> impl IntoView {
    let most = MOST_ALERTS as usize;
    let more = |keys: &[ApiKey]| (keys.len() > most).then(|| view! { <li>"… and more"</li> });
    let name = |key: &ApiKey| {
        let of = match key.owner {
            Owner::User(person) if own == Some(person) => None,
            Owner::User(_) | Owner::ServiceAccount(_) => Some(format!(" of {}", key.owner_name)),
        };
        view! { <a href=key_path(key)>{key.name.to_string()}</a>{of} }
    };
    let expiring = (!concerns.expiring.is_empty()).then(|| {
        let rows = concerns.expiring.iter().take(most).map(|key| {
            let ends = key.expires_at.map(|at| view! { ", " <Moment at now /> });
            let back = key.replaced_by.is_some().then_some(": its roll's new token was revoked, so take the roll back");
            view! { <li>{name(key)}{ends}{back}</li> }
        });
        view! {
            <section class="concern" aria-label="Keys that expire soon">
                <p><strong>"These keys expire soon."</strong>" Roll them before what uses them is refused."</p>
                <ul class="plain-list">{rows.collect_view()}{more(&concerns.expiring)}</ul>
            </section>
        }
    });
    let tried = (!concerns.tried.is_empty()).then(|| {
        let rows = concerns.tried.iter().take(most).map(|key| {
            let last = key.last_refused.as_ref().map(|last| {
                let address = from_address(last.address.as_deref());
                view! { ", tried " <Moment at=last.at now />{address} }
            });
            view! { <li>{name(key)}" ("<code>{key.hint.clone()}"…"</code>")"{last}</li> }
        });
        view! {
            <section class="concern" aria-label="Rolled keys that are still tried">
                <p><strong>"Something still uses a token that was rolled out."</strong>" It is refused until it gets the new one."</p>
                <ul class="plain-list">{rows.collect_view()}{more(&concerns.tried)}</ul>
            </section>
        }
    });
    view! { {expiring}{tried} }
}
