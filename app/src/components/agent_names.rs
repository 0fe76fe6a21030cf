//! The agents that run with a key, as text.

use domain::{Agent, ApiKey};

/// How many agents are named.
const MAX_NAMED: usize = 5;

/// "frankfurt, oregon", for those of `agents` that run with `key`; `None` when none of them does.
pub fn agent_names(agents: &[Agent], key: &ApiKey) -> Option<String> {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent.key.id == key.id).map(|agent| agent.name.as_str()).collect();
    names_text(&names)
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
