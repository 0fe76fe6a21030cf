//! Exposed keys: their mark, the section on a key's page, the banner, and the key policy about them.

use chrono::{DateTime, Utc};
use domain::{
    ApiKey, Exposure, ExposureResponse,
    time::distance_text,
    usage::{UsageSince, number_text},
};
use leptos::prelude::*;
use service::MAX_ALERTS;

words! {
    exposed = "Exposed";
    exposed_keys = "Exposed keys";
    token_was_exposed = "The token of this key was exposed";
    what_to_do = "Others may have read it. Create a new key wherever this one is used, then revoke this one.";
    already_ended = "Others may have read it. The key no longer works.";
    reported = "Reported";
    source = "Source";
    unknown_source = "Unknown";
    found_at = "Found at";
    url_hint = "As the reporter gave it. Anyone with the token can report it.";
    used_since = "Used since";
    when_a_key_is_exposed = "When a key is exposed";
    resuming_an_exposed_key = "The token is still known to whoever has read it. Resume the key only until you have replaced it.";
}

/// The sentences of the banner: what happened, and what to do.
pub fn alert(keys: &[ApiKey], now: DateTime<Utc>) -> (String, &'static str) {
    let what = match keys {
        [key] => {
            let when = key.exposure.as_ref().map_or_else(String::new, |exposure| distance_text(exposure.at, now));
            format!("The token of “{}” was found where others can read it, {when}.", key.name)
        }
        many if many.len() > MAX_ALERTS as usize => {
            format!("The tokens of more than {MAX_ALERTS} keys were found where others can read them.")
        }
        many => format!("The tokens of {} keys were found where others can read them.", many.len()),
    };
    (what, if keys.len() == 1 { "Replace and revoke it." } else { "Replace and revoke them." })
}

/// Where the token was found, on the page that resumes a key: "in a commit".
pub fn it_was_reported(exposure: &Exposure, when: impl IntoView + 'static) -> AnyView {
    let place = exposure.source_text().map(|source| format!(" ({source})")).unwrap_or_default();
    view! {
        "The token of this key was found where others can read it"
        {place}
        ". It was reported "
        {when}
        "."
    }
    .into_any()
}

/// What used the key since the report.
pub fn usage_since(since: &UsageSince) -> String {
    if since.use_count + since.refusals == 0 {
        return "No requests".to_owned();
    }
    let count = |number: usize, one: &str, many: &str| {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        format!("{} {}", number_text(number), if number == 1 { one } else { many })
    };
    format!(
        "{} accepted and {} rejected requests, from {} and {}",
        number_text(since.use_count),
        number_text(since.refusals),
        count(since.addresses, "IP address", "IP addresses"),
        count(since.clients.len(), "client", "clients"),
    )
}

/// What a choice of the key policy does.
pub fn response_meaning(response: ExposureResponse) -> &'static str {
    match response {
        ExposureResponse::Suspend => "It stops working until its owner or an administrator resumes it.",
        ExposureResponse::Revoke => "It stops working permanently.",
        ExposureResponse::Notify => "It keeps working. Its owner and the administrators are notified.",
    }
}
