//! A key, or its rejected requests, in a list.

use chrono::{DateTime, Utc};
use domain::{ApiKey, Endpoint, KeyRefusal, OwnerKind};
use serde::Serialize;

use super::list::{self, Row, time};

#[derive(Serialize)]
struct OwnerColumns {
    kind: OwnerKind,
    id: String,
    name: String,
    /// What tells the owner from others whose names look the same. In JSON, the id does.
    #[serde(skip)]
    beside: Option<String>,
}

/// A key as the command line shows it.
#[derive(Serialize)]
pub(super) struct KeyRow {
    id: String,
    state: &'static str,
    hint: String,
    name: String,
    owner: OwnerColumns,
    created_at: String,
    created_by: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    replaced_by: Option<String>,
    exposed_at: Option<String>,
    imported_at: Option<String>,
    scopes: Option<Vec<String>>,
    allowed_addresses: Option<Vec<String>>,
    rate_limit: Option<RateColumns>,
}

#[derive(Serialize)]
struct RateColumns {
    requests: u32,
    seconds: u32,
}

impl KeyRow {
    /// `beside`: what to show beside the owner's name.
    pub(super) fn new(key: ApiKey, beside: Option<String>, now: DateTime<Utc>) -> Self {
        Self {
            scopes: key.scopes.set().map(|set| set.iter().map(ToString::to_string).collect()),
            allowed_addresses: key.limits.addresses.as_ref().map(|list| list.iter().collect()),
            rate_limit: key.limits.rate.map(|rate| RateColumns { requests: rate.requests(), seconds: rate.seconds() }),
            id: key.id.to_string(),
            state: key.state(now).as_str(),
            owner: OwnerColumns { kind: key.owner.kind(), id: key.owner.to_string(), name: key.owner_name, beside },
            hint: key.hint,
            name: key.name.to_string(),
            created_at: time(key.created_at),
            created_by: key.created_by,
            expires_at: key.expires_at.map(time),
            last_used_at: key.last_used.map(|last| time(last.at)),
            replaced_by: key.replaced_by.map(|new| new.id.to_string()),
            exposed_at: key.exposure.map(|exposure| time(exposure.at)),
            imported_at: key.imported_at.map(time),
        }
    }
}

impl Row for KeyRow {
    fn columns(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.state.to_owned(),
            self.hint.clone(),
            self.name.clone(),
            match &self.owner.beside {
                Some(beside) => format!("{} ({beside})", self.owner.name),
                None => self.owner.name.clone(),
            },
            self.created_at.clone(),
            list::or_dash(self.expires_at.as_ref()),
            list::or_dash(self.last_used_at.as_ref()),
        ]
    }
}

/// Equal rejected requests with a key, as the command line shows them.
#[derive(Serialize)]
pub(super) struct RefusalRow {
    last_at: String,
    first_at: String,
    count: u64,
    reason: &'static str,
    endpoint: Option<&'static str>,
    scopes: Vec<String>,
    address: Option<String>,
    user_agent: Option<String>,
    agent_id: Option<String>,
    agent_name: Option<String>,
}

impl From<KeyRefusal> for RefusalRow {
    fn from(refusal: KeyRefusal) -> Self {
        Self {
            last_at: time(refusal.last_at),
            first_at: time(refusal.first_at),
            count: refusal.count,
            reason: refusal.reason.as_str(),
            endpoint: refusal.endpoint.map(Endpoint::as_str),
            scopes: refusal.scopes.into_iter().map(String::from).collect(),
            address: refusal.address,
            user_agent: refusal.user_agent,
            agent_id: refusal.agent_id.map(|id| id.to_string()),
            agent_name: refusal.agent_name.map(|name| name.to_string()),
        }
    }
}

impl Row for RefusalRow {
    fn columns(&self) -> Vec<String> {
        vec![
            self.last_at.clone(),
            self.reason.to_owned(),
            self.count.to_string(),
            list::or_dash(self.address.as_ref()),
            list::or_dash(self.user_agent.as_ref()),
            self.endpoint.unwrap_or("-").to_owned(),
            if self.scopes.is_empty() { "-".to_owned() } else { self.scopes.join(" ") },
        ]
    }
}
