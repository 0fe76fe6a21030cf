//! The last use of keys and the last poll of agents: noted in memory by the request, written in batches beside it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{Agent, AgentId, ApiKey, KeyId, LastUse};

use crate::{Result, storage, storage::Db};

/// How many agents a batch may hold.
const MOST_AGENTS_NOTED: usize = 10_000;

/// What is not in the database yet: at most one use for each key, one poll for each agent.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Noted>);

#[derive(Clone, Debug, Default)]
struct Noted {
    keys: HashMap<KeyId, LastUse>,
    agents: HashMap<(AgentId, KeyId), DateTime<Utc>>,
}

impl Uses {
    /// Notes a use of a key, and by which agent. Never waits for anything but the map.
    pub(crate) fn note(&self, key: KeyId, last: LastUse, agent: Option<AgentId>) {
        let mut noted = self.lock();
        // An agent's id is what the client says it is; made-up ones shall not fill the memory.
        if let Some(agent) = agent
            && noted.agents.len() < MOST_AGENTS_NOTED
        {
            noted.agents.insert((agent, key), last.at);
        }
        noted.keys.insert(key, last);
    }

    /// Whether the key was used and that is not written yet.
    pub(crate) fn is_pending(&self, key: KeyId) -> bool {
        self.lock().keys.contains_key(&key)
    }

    /// Shows uses that are not written yet.
    pub(crate) fn overlay<'k>(&self, keys: impl IntoIterator<Item = &'k mut ApiKey>) {
        let noted = self.lock();
        for key in keys {
            if let Some(last) = noted.keys.get(&key.id) {
                key.last_used = Some(last.clone());
            }
        }
    }

    /// Shows polls that are not written yet.
    pub(crate) fn overlay_agents(&self, agents: &mut [Agent]) {
        let noted = self.lock();
        for agent in agents {
            if let Some(at) = noted.agents.get(&(agent.id, agent.key.id)) {
                agent.last_seen_at = agent.last_seen_at.max(*at);
            }
        }
    }

    /// Writes what is there, in one transaction. What can't be written is tried again with the next batch.
    pub(crate) async fn flush(&self, db: &Db) -> Result<()> {
        let batch = self.lock().clone();
        if batch.keys.is_empty() {
            return Ok(());
        }
        let written = batch.clone();
        db.write(move |tx| {
            Box::pin(async move {
                for (key, last) in &written.keys {
                    storage::keys::update_last_use(tx, *key, last).await?;
                }
                for ((agent, key), at) in &written.agents {
                    storage::agents::update_last_seen(tx, *agent, *key, *at).await?;
                }
                Ok(())
            })
        })
        .await?;
        let mut noted = self.lock();
        noted.keys.retain(|key, last| batch.keys.get(key) != Some(last));
        noted.agents.retain(|agent, at| batch.agents.get(agent) != Some(at));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
