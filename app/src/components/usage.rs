//! The usage of a key: a chart, and its clients.

use chrono::{DateTime, Utc};
use domain::{
    KeyClient, Usage,
    usage::{KEPT_FOR, number_text},
};
use leptos::prelude::*;

use super::{
    key_chart::{ChartRange, KeyChart},
    time::{Distance, Moment},
};
use crate::words::{labels, usage as words};

/// The usage section of a key's page. `range`: of the chart. `path`: the path of the page.
#[component]
pub fn UsageSection(usage: Usage, range: ChartRange, path: String, now: DateTime<Utc>) -> impl IntoView {
    let contents = if usage.clients.is_empty() && usage.hours.is_empty() {
        view! { <p class="muted">{words::no_requests(&KEPT_FOR.num_days())}</p> }.into_any()
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
            <h2 id="usage-title">{words::usage()}</h2>
            {contents}
        </section>
    }
}

/// The table of clients: one row for each IP address, `User-Agent` and agent.
#[component]
fn Clients(clients: Vec<KeyClient>, now: DateTime<Utc>) -> impl IntoView {
    let rows = clients.into_iter().map(|client| {
        let who = match (client.agent_name, client.agent_id) {
            (Some(name), _) => Some(words::agent_name(&name)),
            (None, Some(id)) => Some(words::agent(&id)),
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
                <th scope="row" data-label=labels::ip_address()>
                    {client.address.unwrap_or_else(|| words::unknown().to_owned())}
                    {who.map(|who| view! { <span class="sub">{who}</span> })}
                </th>
                <td data-label=labels::client() class="client">
                    {client.user_agent.unwrap_or_else(|| "–".to_owned())}
                </td>
                <td data-label=labels::first_seen() class="col-created">
                    <Moment at=client.first_seen_at now />
                </td>
                <td data-label=labels::last_used()>{moment(client.last_used_at)}</td>
                <td data-label=labels::accepted()>{number_text(client.use_count)}</td>
                <td data-label=labels::rejected()>{refused}</td>
            </tr>
        }
    });
    view! {
        <table class="table" aria-label=words::clients()>
            <thead>
                <tr>
                    <th scope="col">{labels::ip_address()}</th>
                    <th scope="col">{labels::client()}</th>
                    <th scope="col" class="col-created">
                        {labels::first_seen()}
                    </th>
                    <th scope="col">{labels::last_used()}</th>
                    <th scope="col">{labels::accepted()}</th>
                    <th scope="col">{labels::rejected()}</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}
