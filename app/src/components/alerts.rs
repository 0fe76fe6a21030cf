//! Banners above a list of keys: alerts for the keys' owner or an administrator.

use chrono::{DateTime, Utc};
use domain::{ApiKey, api_key::key::EXPIRING_SOON, time::distance_text};
use leptos::prelude::*;
use service::{KeyAlerts, MAX_ALERTS};

/// The banners; nothing without alerts. `review`: the URL of the list with the keys that expire soon.
#[component]
pub fn AlertBanners(alerts: KeyAlerts, review: String, now: DateTime<Utc>) -> impl IntoView {
    let expiring = (!alerts.expiring.is_empty()).then(|| {
        let (what, advice) = expiring_words(&alerts.expiring, now);
        banner("Keys that expire soon", what, advice, review, "Review")
    });
    let tried = alerts.tried.first().map(|key| {
        let (what, advice) = tried_words(&alerts.tried);
        banner("Rotated keys that are still used", what, advice, key.page_path(), "Show key")
    });
    view! {
        {expiring}
        {tried}
    }
}

/// The banner for administrators whose server doesn't know its clients' addresses; nothing on any other server.
pub fn hidden_clients(hides_clients: bool) -> Option<AnyView> {
    hides_clients.then(|| {
        view! {
            <section class="banner" aria-label="Client addresses">
                <p>
                    <strong>"All clients appear to have the same address."</strong>
                    " They connect through a proxy that this server doesn't trust. Usage, sessions and the audit log show the proxy’s address. Ask the operator of this server to set --trusted-proxy."
                </p>
            </section>
        }
        .into_any()
    })
}

/// A line with a button. `label`: the accessible name of the section.
fn banner(label: &'static str, what: String, advice: &'static str, href: String, button: &'static str) -> AnyView {
    view! {
        <section class="banner" aria-label=label>
            <p>
                <strong>{what}</strong>
                " "
                {advice}
            </p>
            <a class="button small" href=href>
                {button}
            </a>
        </section>
    }
    .into_any()
}

/// Which keys expire soon, and what to do. `keys`: at most one more than [`MAX_ALERTS`].
fn expiring_words(keys: &[ApiKey], now: DateTime<Utc>) -> (String, &'static str) {
    let days = EXPIRING_SOON.num_days();
    match keys {
        [ApiKey { name, expires_at: Some(at), .. }] => {
            (format!("“{name}” expires {}.", distance_text(*at, now)), "Rotate it to avoid failed requests.")
        }
        keys if keys.len() > MAX_ALERTS as usize => {
            (format!("More than {MAX_ALERTS} keys expire within {days} days."), "Rotate them to avoid failed requests.")
        }
        keys => (format!("{} keys expire within {days} days.", keys.len()), "Rotate them to avoid failed requests."),
    }
}

/// Which rotated keys are still being used, and what that means.
fn tried_words(keys: &[ApiKey]) -> (String, &'static str) {
    match keys {
        [key] => (
            format!("The rotated key “{}” ({}…) is still being used.", key.name, key.hint),
            "Its requests are rejected until they use the new key.",
        ),
        keys => {
            let names: Vec<_> = keys.iter().take(MAX_ALERTS as usize).map(|key| format!("“{}”", key.name)).collect();
            let names = names.join(", ");
            (
                format!("Rotated keys are still being used: {names}."),
                "Their requests are rejected until they use the new keys.",
            )
        }
    }
}
