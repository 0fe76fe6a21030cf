//! How many of the tenant's verifiers refuse a key, on the key's page.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyState};
use leptos::prelude::*;

use crate::{request::RequestContext, words::verifiers as words};

/// The sentence for a key that was stopped. Nothing for any other key, or if no verifier reports to this server.
pub(super) fn refused_by(request: &RequestContext, key: &ApiKey, now: DateTime<Utc>) -> Option<AnyView> {
    if !matches!(key.state(now), KeyState::Revoked { .. } | KeyState::Suspended { .. }) {
        return None;
    }
    let reach = request.services.changes().reach(key)?;
    let silent = (reach.silent > 0).then(|| words::silent(reach.silent));
    let sentence = words::refused_by(reach.reached, reach.verifiers, reach.since);
    Some(view! { <p class="hint">{sentence}" "{silent}" "{words::only_of_this_server()}</p> }.into_any())
}
