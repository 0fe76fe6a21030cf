//! The usage of a key: a chart by day, its clients, and counts by hour.

use chrono::{DateTime, Utc};
use domain::{KeyClient, Usage, time::utc_text};
use leptos::prelude::*;

use super::time::Moment;

/// How many days the chart shows.
const DAYS: u32 = 90;
/// The height of the chart, in SVG units.
const HEIGHT: u64 = 56;
/// The distance between the left edges of two bars, in SVG units.
const STEP: usize = 8;
/// The width of a bar, in SVG units.
const WIDTH: usize = 6;
/// The most hours that the table lists: a week.
const MAX_HOURS: usize = 168;

/// The usage section of a key's page.
#[component]
pub fn UsageSection(usage: Usage, now: DateTime<Utc>) -> impl IntoView {
    let contents = if usage.clients.is_empty() && usage.hours.is_empty() {
        view! { <p class="muted">"No requests in the last 90 days."</p> }.into_any()
    } else {
        view! {
            {chart(&usage, now)}
            <Clients clients=usage.clients.clone() now />
            {hours(&usage)}
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

/// The bar chart of accepted and rejected requests per day.
fn chart(usage: &Usage, now: DateTime<Utc>) -> AnyView {
    let days = usage.daily(DAYS, now);
    let most = days.iter().map(|(uses, refusals)| uses + refusals).max().unwrap_or(0).max(1);
    let (uses, refusals) = days.iter().fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
    let bars = days.iter().enumerate().filter(|(_, day)| day.0 + day.1 > 0).map(|(index, (used, refused))| {
        // At least two units, so that a single request next to a day with thousands is visible.
        let height = |count: u64| if count == 0 { 0 } else { (count * HEIGHT / most).max(2) };
        let (used_height, refused_height) = (height(*used), height(*refused));
        let back = DAYS as usize - 1 - index;
        let words = match back {
            0 => format!("Past 24 hours: {used} accepted, {refused} rejected"),
            1 => format!("1 day ago: {used} accepted, {refused} rejected"),
            days => format!("{days} days ago: {used} accepted, {refused} rejected"),
        };
        let x = index * STEP;
        view! {
            <g>
                <title>{words}</title>
                <rect class="bar" x=x y=HEIGHT.saturating_sub(used_height) width=WIDTH height=used_height />
                <rect
                    class="bar-refused"
                    x=x
                    y=HEIGHT.saturating_sub(used_height + refused_height)
                    width=WIDTH
                    height=refused_height
                />
            </g>
        }
    });
    let label = format!("Requests per day in the last {DAYS} days, in total {uses} accepted and {refusals} rejected");
    let bounds = format!("0 0 {} {HEIGHT}", DAYS as usize * STEP);
    view! {
        <figure class="chart">
            <svg viewBox=bounds preserveAspectRatio="none" role="img" aria-label=label.clone()>
                {bars.collect_view()}
            </svg>
            <figcaption>
                <span>"90 days ago"</span>
                <span>{format!("{uses} accepted · {refusals} rejected")}</span>
                <span>"Today"</span>
            </figcaption>
        </figure>
    }
    .into_any()
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
                {client.refusals.to_string()}
                <span class="sub">
                    <Moment at now />
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
                <td data-label="First seen">
                    <Moment at=client.first_seen_at now />
                </td>
                <td data-label="Last used">{moment(client.last_used_at)}</td>
                <td data-label="Accepted">{client.uses.to_string()}</td>
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
                    <th scope="col">"First seen"</th>
                    <th scope="col">"Last used"</th>
                    <th scope="col">"Accepted"</th>
                    <th scope="col">"Rejected"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}

/// The collapsed table of hourly counts, newest first.
fn hours(usage: &Usage) -> AnyView {
    let rows = usage.hours.iter().rev().take(MAX_HOURS).map(|hour| {
        view! {
            <tr>
                <th scope="row">{utc_text(hour.hour)}</th>
                <td>{hour.uses.to_string()}</td>
                <td>{hour.refusals.to_string()}</td>
            </tr>
        }
    });
    view! {
        <details class="hours">
            <summary>"Hourly"</summary>
            <table class="plain-table" aria-label="Hours">
                <thead>
                    <tr>
                        <th scope="col">"Hour"</th>
                        <th scope="col">"Accepted"</th>
                        <th scope="col">"Rejected"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </details>
    }
    .into_any()
}
