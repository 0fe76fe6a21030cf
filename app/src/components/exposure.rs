//! What is known about the exposure of a key: the section on its page, and the warning before it is resumed.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyState, Usage};
use leptos::prelude::*;

use super::{
    facts::Facts,
    time::{Distance, ExactMoment},
};
use crate::words::exposure as words;

/// The section of an exposed key's page: where the token was found, and what has used it since. Nothing for any other
/// key.
pub fn exposure_section(key: &ApiKey, usage: &Usage, now: DateTime<Utc>) -> Option<AnyView> {
    let exposure = key.exposure.as_ref()?;
    let has_ended = matches!(key.state(now), KeyState::Revoked { .. } | KeyState::Expired { .. });
    let advice = if has_ended { words::already_ended() } else { words::what_to_do() };
    let source = exposure.source_text().unwrap_or_else(|| words::unknown_source().to_owned());
    // Not a link: anybody with the token may have written it.
    let url = exposure.url.clone().map(|url| {
        let url = view! {
            <code class="wrapped" translate="no">
                {url}
            </code>
            <span class="sub">{words::url_hint()}</span>
        };
        (words::found_at(), url.into_any())
    });
    let rows = [
        Some((words::reported(), view! { <ExactMoment at=exposure.at now /> }.into_any())),
        Some((words::source(), source.into_any())),
        url,
        Some((words::used_since(), words::usage_since(&usage.since(exposure.at)).into_any())),
    ];
    let section = view! {
        <section class="roll exposure" aria-labelledby="exposure-title">
            <h2 id="exposure-title">{words::token_was_exposed()}</h2>
            <p>{advice}</p>
            <Facts rows=rows.into_iter().flatten().collect() />
        </section>
    };
    Some(section.into_any())
}

/// What to know before an exposed key is resumed; nothing for any other key.
pub fn exposure_warning(key: &ApiKey, now: DateTime<Utc>) -> Option<AnyView> {
    let exposure = key.exposure.as_ref()?;
    let reported = words::it_was_reported(exposure, view! { <Distance at=exposure.at now /> });
    let warning = view! {
        <p class="error">{reported}</p>
        <p>{words::resuming_an_exposed_key()}</p>
    };
    Some(warning.into_any())
}
