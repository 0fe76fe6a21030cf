//! The usage of a key: a chart, and its clients.

use chrono::{DateTime, Utc};
use domain::{KeyClient, Usage, usage::number_text};
use leptos::prelude::*;

use super::{
    key_chart::{ChartRange, KeyChart},
    time::{Distance, Moment},
};

/// The usage section of a key's page. `range`: of the chart. `path`: the path of the page.
#[component]
pub fn UsageSection(usage: Usage, range: ChartRange, path: String, now: DateTime<Utc>) -> impl IntoView {
    let contents = if usage.clients.is_empty() && usage.hours.is_empty() {
        view! { <p class="muted">"No requests in the last 90 days."</p> }.into_any()
    } else {
        let clients = usage.clients.clone();
        view! {
            <KeyChart usage range path now />
            <Clients clients now />
        }
        .into_any()
    };
    view! {
        <section class="usage" aria-labelledby="usage-title">
            <h2 id="usage-title">"Usage"</h2>
            {contents}
        </section>
    }
}

/// The table of clients: one row for each IP address, `User-Agent` and agent.
#[component]
fn Clients(clients: Vec<KeyClient>, now: DateTime<Utc>) -> impl IntoView {
    let rows = clients.into_iter().map(|client| {
        let who = match (client.agent_name, client.agent_id) {
            (Some(name), _) => Some(format!("agent {name}")),
            (None, Some(id)) => Some(format!("agent {id}")),
            (None, None) => None,
        };
        let moment = |at: Option<DateTime<Utc>>| match at {
            Some(at) => view! { <Moment at now /> }.into_any(),
            None => "–".into_any(),
        };
        let refused = match client.last_refused_at {
            Some(at) => view! {
                {number_text(client.refusals)}
                <span class="sub">
                    <Distance at now />
                </span>
            }
            .into_any(),
            None => "–".into_any(),
        };
        view! {
            <tr>
                <th scope="row" data-label="IP address">
                    {client.address.unwrap_or_else(|| "Unknown".to_owned())}
                    {who.map(|who| view! { <span class="sub">{who}</span> })}
                </th>
                <td data-label="Client" class="client">
                    {client.user_agent.unwrap_or_else(|| "–".to_owned())}
                </td>
                <td data-label="First seen" class="col-created">
                    <Moment at=client.first_seen_at now />
                </td>
                <td data-label="Last used">{moment(client.last_used_at)}</td>
                <td data-label="Accepted">{number_text(client.uses)}</td>
                <td data-label="Rejected">{refused}</td>
            </tr>
        }
    });
    view! {
        <table class="table" aria-label="Clients">
            <thead>
                <tr>
                    <th scope="col">"IP address"</th>
                    <th scope="col">"Client"</th>
                    <th scope="col" class="col-created">
                        "First seen"
                    </th>
                    <th scope="col">"Last used"</th>
                    <th scope="col">"Accepted"</th>
                    <th scope="col">"Rejected"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}
