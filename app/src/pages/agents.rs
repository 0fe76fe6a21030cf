//! The table of the agents that authenticate with a key, with their last heartbeat.

use chrono::{DateTime, Utc};
use domain::{Agent, AgentState, Label};
use leptos::prelude::*;

use crate::components::{
    status::AgentStatus,
    time::{Distance, Moment},
};
use crate::words::{labels, usage as words};

/// The section of a key's page or a service account's page; `None` where no agent was ever seen. `key_base`: the path
/// that precedes a key's id; `None` on a key's page, where the column with the key is left out.
pub fn agents(agents: Vec<Agent>, key_base: Option<&str>, now: DateTime<Utc>) -> Option<AnyView> {
    if agents.is_empty() {
        return None;
    }
    let with_key = key_base.is_some();
    let is_cut = agents.len() >= service::MAX_AGENTS as usize;
    let rows = agents.into_iter().map(|agent| row(agent, key_base, now)).collect_view();
    let contents = view! {
        <table class="table" aria-label=labels::agents()>
            <thead>
                <tr>
                    <th scope="col">{labels::name()}</th>
                    <th scope="col">{labels::status()}</th>
                    {with_key.then(|| view! { <th scope="col">{labels::api_key()}</th> })}
                    <th scope="col">{words::labels()}</th>
                    <th scope="col" class="col-extra">
                        {labels::ip_address()}
                    </th>
                    <th scope="col" class="col-created">
                        {labels::first_seen()}
                    </th>
                    <th scope="col">{labels::last_seen()}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {is_cut
            .then(|| {
                view! { <p class="muted">{words::most_recent_agents(&service::MAX_AGENTS)}</p> }
            })}
    };
    Some(
        view! {
            <section class="agents" aria-labelledby="agents-title">
                <h2 id="agents-title">{labels::agents()}</h2>
                {contents}
            </section>
        }
        .into_any(),
    )
}

fn row(agent: Agent, key_base: Option<&str>, now: DateTime<Utc>) -> AnyView {
    let state = agent.state(now);
    let since = match state {
        AgentState::Polling => None,
        AgentState::Silent { since } => Some(words::last_heartbeat(view! { <Distance at=since now /> })),
        AgentState::CutOff { since } => Some(words::stopped_working(view! { <Distance at=since now /> })),
    };
    let since = since.map(|since| view! { <span class="sub">{since}</span> });
    let kind = [Some(agent.kind.to_string()), agent.version].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let key = key_base.map(|base| {
        let href = format!("{base}/{}", agent.key.id);
        view! {
            <td data-label=labels::api_key()>
                <a href=href translate="no">
                    {agent.key.name.to_string()}
                </a>
            </td>
        }
    });
    let labels = agent.labels.iter().map(Label::as_str).collect::<Vec<_>>().join(", ");
    view! {
        <tr>
            <th scope="row" data-label=labels::name()>
                <span class="name" translate="no" dir="auto">
                    {agent.name.to_string()}
                </span>
                <span class="sub">{kind}</span>
            </th>
            <td data-label=labels::status()>
                <AgentStatus state />
                {since}
            </td>
            {key}
            <td data-label=words::labels()>{if labels.is_empty() { "–".to_owned() } else { labels }}</td>
            <td data-label=labels::ip_address() class="col-extra">
                {agent.address.unwrap_or_else(|| "–".to_owned())}
            </td>
            <td data-label=labels::first_seen() class="col-created">
                <Moment at=agent.first_seen_at now />
            </td>
            <td data-label=labels::last_seen()>
                <Moment at=agent.last_seen_at now />
            </td>
        </tr>
    }
    .into_any()
}
