//! The rejected requests with a key, with their reasons.

use chrono::{DateTime, Utc};
use domain::{
    KeyRefusal,
    usage::{KEPT_FOR, number_text},
};
use leptos::prelude::*;

use super::time::Moment;
use crate::words::{labels, usage as words};

/// The section of a key's page that says why requests were rejected.
#[component]
pub fn RejectedRequests(refusals: Vec<KeyRefusal>, now: DateTime<Utc>) -> impl IntoView {
    let contents = if refusals.is_empty() {
        view! { <p class="muted">{words::no_rejected_requests(&KEPT_FOR.num_days())}</p> }.into_any()
    } else {
        view! {
            <p class="muted">{words::rejected_requests_hint()}</p>
            {table(refusals, now)}
        }
        .into_any()
    };
    view! {
        <section class="usage" aria-labelledby="rejected-title">
            <h2 id="rejected-title">{words::rejected_requests()}</h2>
            {contents}
        </section>
    }
}

fn table(refusals: Vec<KeyRefusal>, now: DateTime<Utc>) -> AnyView {
    let rows: Vec<_> = refusals.into_iter().map(|refusal| row(refusal, now)).collect();
    view! {
        <table class="table" aria-label=words::rejected_requests()>
            <thead>
                <tr>
                    <th scope="col">{words::reason()}</th>
                    <th scope="col">{words::last_rejected()}</th>
                    <th scope="col">{labels::ip_address()}</th>
                    <th scope="col">{labels::client()}</th>
                    <th scope="col">{words::api()}</th>
                    <th scope="col">{words::requests()}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(refusal: KeyRefusal, now: DateTime<Utc>) -> AnyView {
    let scopes = refusal.scopes.iter().map(|scope| view! { <code class="sub">{scope.to_string()}</code> });
    let agent = match (refusal.agent_name, refusal.agent_id) {
        (Some(name), _) => Some(words::agent_name(&name)),
        (None, id) => id.map(|id| words::agent(&id)),
    };
    let endpoint = refusal.endpoint.map_or("–", domain::Endpoint::label);
    let first = (refusal.count > 1).then(|| {
        view! { <span class="sub">{words::since(view! { <Moment at=refusal.first_at now /> })}</span> }
    });
    view! {
        <tr>
            <th scope="row" data-label=words::reason()>
                {refusal.reason.label()}
                {scopes.collect_view()}
            </th>
            <td data-label=words::last_rejected()>
                <Moment at=refusal.last_at now />
            </td>
            <td data-label=labels::ip_address()>
                {refusal.address.unwrap_or_else(|| words::unknown().to_owned())}
                {agent.map(|agent| view! { <span class="sub">{agent}</span> })}
            </td>
            <td data-label=labels::client() class="client">
                {refusal.user_agent.unwrap_or_else(|| "–".to_owned())}
            </td>
            <td data-label=words::api()>{endpoint}</td>
            <td data-label=words::requests()>{number_text(refusal.count)} {first}</td>
        </tr>
    }
    .into_any()
}
