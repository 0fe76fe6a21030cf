//! The agents that run with a key, as text.

use domain::{Agent, ApiKey};

/// "Agents: frankfurt, oregon", for those of `agents` that run with `key`; `None` when none of them does.
pub fn agent_names(agents: &[Agent], key: &ApiKey) -> Option<String> {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent.key.id == key.id).map(|agent| agent.name.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("Agent: {one}")),
        some => Some(format!("Agents: {}", some.join(", "))),
    }
}
