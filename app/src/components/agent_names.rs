//! Who runs with a key, in words.

use domain::{Agent, ApiKey};

/// ", by the agents frankfurt, oregon": who runs with a key; nothing, when no agent does.
pub fn agent_names(agents: &[Agent], key: &ApiKey) -> String {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent.key.id == key.id).map(|agent| agent.name.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(", by the agent {one}"),
        some => format!(", by the agents {}", some.join(", ")),
    }
}
