//! Banners above a list of keys: alerts for the keys' owner or an administrator.

use chrono::{DateTime, Utc};
use domain::{ApiKey, Owner, UserId, api_key::key::EXPIRING_SOON};
use leptos::prelude::*;
use service::{KeyAlerts, MAX_ALERTS};

use super::{address::from_address, time::Moment};

/// The path of a key's page.
pub fn key_path(key: &ApiKey) -> String {
    match key.owner {
        Owner::User(_) => format!("/user/api-keys/{}", key.id),
        Owner::ServiceAccount(id) => format!("/team/service-accounts/{id}/keys/{}", key.id),
    }
}

/// The banners; nothing without alerts. `own`: the signed-in person, whose name isn't shown with their keys.
#[component]
pub fn AlertBanners(alerts: KeyAlerts, own: Option<UserId>, now: DateTime<Utc>) -> impl IntoView {
    let most = MAX_ALERTS as usize;
    let more = |keys: &[ApiKey]| (keys.len() > most).then(|| view! { <li>"… and more"</li> });
    let name = |key: &ApiKey| {
        let of = match key.owner {
            Owner::User(person) if own == Some(person) => None,
            Owner::User(_) | Owner::ServiceAccount(_) => Some(format!(" · {}", key.owner_name)),
        };
        view! {
            <a href=key_path(key)>{key.name.to_string()}</a>
            {of}
        }
    };
    let expiring = (!alerts.expiring.is_empty()).then(|| {
        let rows = alerts.expiring.iter().take(most).map(|key| {
            let expires = key.expires_at.map(|at| {
                view! {
                    " · expires "
                    <Moment at now />
                }
            });
            let undo = key.replaced_by.is_some().then_some(" · the replacement key was revoked; undo the rotation");
            view! { <li>{name(key)}{expires}{undo}</li> }
        });
        let (what, advice) = expiring_words(alerts.expiring.len());
        view! {
            <section class="alert" aria-label="Keys that expire soon">
                <p>
                    <strong>{what}</strong>
                    " "
                    {advice}
                </p>
                <ul class="plain-list">{rows.collect_view()}{more(&alerts.expiring)}</ul>
            </section>
        }
    });
    let tried = (!alerts.tried.is_empty()).then(|| {
        let rows = alerts.tried.iter().take(most).map(|key| {
            let last = key.last_refused.as_ref().map(|last| {
                let address = from_address(last.address.as_deref());
                view! {
                    " · rejected "
                    <Moment at=last.at now />
                    {address}
                }
            });
            view! { <li>{name(key)}" · "<code>{key.hint.clone()}"…"</code>{last}</li> }
        });
        let (what, advice) = tried_words(alerts.tried.len());
        view! {
            <section class="alert" aria-label="Rotated keys that are still used">
                <p>
                    <strong>{what}</strong>
                    " "
                    {advice}
                </p>
                <ul class="plain-list">{rows.collect_view()}{more(&alerts.tried)}</ul>
            </section>
        }
    });
    view! {
        {expiring}
        {tried}
    }
}

/// How many keys expire soon, and what to do. `count`: at most one more than [`MAX_ALERTS`].
fn expiring_words(count: usize) -> (String, &'static str) {
    let days = EXPIRING_SOON.num_days();
    if count > MAX_ALERTS as usize {
        let what = format!("More than {MAX_ALERTS} keys expire within {days} days.");
        return (what, "Rotate them to avoid failed requests.");
    }
    match count {
        1 => (format!("1 key expires within {days} days."), "Rotate it to avoid failed requests."),
        many => (format!("{many} keys expire within {days} days."), "Rotate them to avoid failed requests."),
    }
}

/// That rotated keys are still being used, and what to do.
fn tried_words(count: usize) -> (&'static str, &'static str) {
    match count {
        1 => ("A rotated key is still being used.", "Its requests are rejected until they use the new key."),
        _ => ("Rotated keys are still being used.", "Their requests are rejected until they use the new keys."),
    }
}
