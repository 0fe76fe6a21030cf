//! What is said before a service account is deleted.

use chrono::{DateTime, Utc};
use domain::ServiceAccount;
use leptos::prelude::*;

use super::time::Moment;

/// What deleting an account will stop.
#[component]
pub fn DeleteWords(account: ServiceAccount, now: DateTime<Utc>) -> impl IntoView {
    let keys = match account.active_keys {
        1 => "its API key".to_owned(),
        count => format!("its {count} API keys"),
    };
    let used = account.last_used.map(|last| {
        let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
        view! { <p>"Last used " <strong><Moment at=last.at now /></strong>{address}"."</p> }
    });
    view! {
        <p>{format!("{} and {keys} will stop working at once. Agents and flows that use them fail to authenticate and must be started with a new key.", account.name)}</p>
        {used}
        <p>"This can't be undone."</p>
    }
}
