//! Usage of keys: requests, clients, and agents.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Agent, ApiKey, LastUse, Recent};
use leptos::prelude::*;

words! {
    not_used = " · never used";
    labels = "Labels";
    usage = "Usage";
    unknown = "Unknown";
    clients = "Clients";
    from = "From";
    past_24_hours = "Past 24 hours";
    rejected_requests = "Rejected requests";
    rejected_requests_hint = "Shows the 50 most recent. Equal requests share a row. Clients are told only about missing scopes and rate limits.";
    reason = "Reason";
    last_rejected = "Last rejected";
    api = "API";
    requests = "Requests";

    agent_name(name) = "agent {name}";
    agent(id) = "agent {id}";
    no_requests(days) = "No requests in the last {days} days.";
    no_rejected_requests(days) = "No rejected requests in the last {days} days.";
    most_recent_agents(count) = "Showing the {count} most recent agents.";
}

/// How many agents are named.
const MAX_NAMED: usize = 5;

/// Added to a key that was last used at `when`. `address`: from [`from_address`], or empty.
pub fn last_used(when: impl IntoView + 'static, address: String) -> AnyView {
    view! {
        " · last used "
        {when}
        {address}
    }
    .into_any()
}

/// "Agent: frankfurt" or "Agents: frankfurt, oregon", for those of `agents` that run with `key`; `None` when none does.
pub fn agents_text(agents: &[Agent], key: &ApiKey) -> Option<String> {
    let listed = agent_names(agents, key)?;
    let is_one = agents.iter().filter(|agent| agent.key.id == key.id).nth(1).is_none();
    Some(if is_one { format!("Agent: {listed}") } else { format!("Agents: {listed}") })
}

/// "frankfurt, oregon", or "a, b, c, d, e and 7 more"; `None` without names.
fn names_text(names: &[&str]) -> Option<String> {
    let (first, more) = names.split_at(names.len().min(MAX_NAMED));
    let text = first.join(", ");
    match more.len() {
        _ if names.is_empty() => None,
        0 => Some(text),
        more => Some(format!("{text} and {more} more")),
    }
}

/// "frankfurt, oregon", for those of `agents` that run with `key`; `None` when none of them does.
pub fn agent_names(agents: &[Agent], key: &ApiKey) -> Option<String> {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent.key.id == key.id).map(|agent| agent.name.as_str()).collect();
    names_text(&names)
}

/// By whom the keys were used in the past 24 hours: "Used by 3 agents from 2 IP addresses".
pub fn past_day(recent: &Recent, last_used_at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match recent.text() {
        Some(words) => format!("Used {words}"),
        // The address isn't known.
        None if now - last_used_at < TimeDelta::days(1) => "Used".to_owned(),
        None => "Not used".to_owned(),
    }
}

/// " from 192.0.2.1", the end of a clause; empty when the address isn't known.
pub fn from_address(address: Option<&str>) -> String {
    address.map(|address| format!(" from {address}")).unwrap_or_default()
}

/// " from 192.0.2.1 by curl/8.5.0", the end of a clause; without the parts that aren't known.
pub fn from_client(last: &LastUse) -> String {
    let agent = last.user_agent.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
    format!("{}{agent}", from_address(last.address.as_deref()))
}

/// When the first of several equal requests was rejected.
pub fn since(when: impl IntoView + 'static) -> AnyView {
    view! {
        "since "
        {when}
    }
    .into_any()
}

/// When a silent agent was last heard of.
pub fn last_heartbeat(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Last heartbeat "
        {when}
    }
    .into_any()
}

/// When an agent's key stopped working.
pub fn stopped_working(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Stopped working "
        {when}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_agents_are_named() {
        assert_eq!(names_text(&[]), None);
        assert_eq!(names_text(&["frankfurt", "oregon"]).as_deref(), Some("frankfurt, oregon"));
        assert_eq!(names_text(&["a"; 7]).as_deref(), Some("a, a, a, a, a and 2 more"));
    }
}
