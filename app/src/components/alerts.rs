//! Banners above a list of keys: alerts for the keys' owner or an administrator.

use chrono::{DateTime, Utc};
use leptos::prelude::*;
use service::KeyAlerts;

use crate::words::{exposure, keys as words};

/// The banners; nothing without alerts. `review`: the URL of the list with the keys that expire soon.
#[component]
pub fn AlertBanners(alerts: KeyAlerts, review: String, now: DateTime<Utc>) -> impl IntoView {
    let expiring = (!alerts.expiring.is_empty()).then(|| {
        let (what, advice) = words::expiring_words(&alerts.expiring, now);
        banner(words::keys_that_expire_soon(), what, advice, review, words::review())
    });
    let tried = alerts.tried.first().map(|key| {
        let (what, advice) = words::tried_words(&alerts.tried);
        banner(words::rotated_keys_still_used(), what, advice, key.page_path(), words::show_key())
    });
    let exposed = alerts.exposed.first().map(|key| {
        let (what, advice) = exposure::alert(&alerts.exposed, now);
        banner(exposure::exposed_keys(), what, advice, key.page_path(), words::show_key())
    });
    view! {
        {exposed}
        {expiring}
        {tried}
    }
}

/// The banner for administrators whose server doesn't know its clients' addresses; nothing on any other server.
pub fn hidden_clients(hides_clients: bool) -> Option<AnyView> {
    hides_clients.then(|| {
        view! {
            <section class="banner" aria-label=words::client_addresses()>
                <p>
                    <strong>{words::clients_have_one_address()}</strong>
                    " "
                    {words::untrusted_proxy()}
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
