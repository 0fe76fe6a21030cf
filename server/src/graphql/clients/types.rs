//! The shapes that clients read and send.

use async_graphql::{InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::AgentState;

use crate::graphql::types::time;

/// Who the presented key or session is.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "auth_info", rename_fields = "snake_case")]
pub struct AuthInfo {
    /// The tenant that the request stands in.
    pub tenant_id: String,
    /// The user's or the service account's id.
    pub user_id: String,
    /// What older clients want to know of a token: `RUNNER` (may run agents) for a service account's key, else `USER`.
    pub api_token_scope: String,
}

/// A tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "tenant", rename_fields = "snake_case")]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub slug: String,
}

impl From<domain::Tenant> for Tenant {
    fn from(tenant: domain::Tenant) -> Self {
        Self { id: tenant.id.to_string(), name: tenant.name.to_string(), slug: tenant.slug.as_str().to_owned() }
    }
}

/// A long-running client of a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "agent", rename_fields = "snake_case")]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// What kind of agent it is.
    pub r#type: String,
    /// The labels of the runs that it takes.
    pub labels: Vec<String>,
    /// The client's version.
    pub version: Option<String>,
    /// Its network address.
    pub address: Option<String>,
    /// The id of the key that it uses.
    pub api_key_id: String,
    /// That key's name.
    pub api_key_name: String,
    /// The id of the service account or user that the key stands for.
    pub user_id: String,
    /// `polling`, `silent` (three polls missed) or `cut_off` (its key is refused).
    pub state: String,
    /// Since when it is silent or cut off.
    pub since: Option<String>,
    /// When it first started.
    pub first_seen: String,
    /// When it last started or polled.
    pub last_queried: String,
}

impl Agent {
    /// The agent at `now`.
    pub(super) fn at(agent: domain::Agent, now: DateTime<Utc>) -> Self {
        let state = agent.state(now);
        let since = match state {
            AgentState::Polling => None,
            AgentState::Silent { since } | AgentState::CutOff { since } => Some(since),
        };
        Self {
            id: agent.id.to_string(),
            name: agent.name.to_string(),
            r#type: agent.kind.to_string(),
            labels: agent.labels.iter().map(|label| label.as_str().to_owned()).collect(),
            version: agent.version,
            address: agent.address,
            api_key_id: agent.key.id.to_string(),
            api_key_name: agent.key.name.to_string(),
            user_id: agent.key.owner.to_string(),
            state: state.as_str().to_owned(),
            since: since.map(time),
            first_seen: time(agent.first_seen_at),
            last_queried: time(agent.last_seen_at),
        }
    }
}

/// Settings that agents once could read from the server. There are none.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "agent_config", rename_fields = "snake_case")]
pub struct AgentConfig {
    /// Its id.
    pub id: String,
}

/// What an agent tells of itself when it starts.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "register_agent_input", rename_fields = "snake_case")]
pub struct RegisterAgentInput {
    /// What kind of agent it is.
    pub r#type: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// The labels of the runs that it takes; at most 100.
    pub labels: Option<Vec<String>>,
    /// The key's tenant; any other is refused.
    pub tenant_id: Option<String>,
    /// Not used.
    pub agent_config_id: Option<String>,
}

/// The id of what was made.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "id_payload", rename_fields = "snake_case")]
pub struct IdPayload {
    /// The id.
    pub id: String,
}

/// Which runs an agent would take.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "get_runs_in_queue_input", rename_fields = "snake_case")]
pub struct QueueInput {
    /// Not used.
    pub before: Option<String>,
    /// Not used.
    pub labels: Option<Vec<String>>,
    /// The key's tenant; any other is refused.
    pub tenant_id: Option<String>,
}

/// The runs to start.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "runs_in_queue_payload", rename_fields = "snake_case")]
pub struct QueuePayload {
    /// Always empty: Latchkey doesn't schedule flows.
    pub flow_run_ids: Vec<String>,
}

/// Where someone works by default.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "membership", rename_fields = "snake_case")]
pub struct Membership {
    /// The tenant's id.
    pub tenant_id: String,
    /// The tenant.
    pub tenant: Tenant,
}

/// Who is asking, as older clients want it.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "user", rename_fields = "snake_case")]
pub struct User {
    /// The user's or the service account's id.
    pub id: String,
    /// The key's tenant.
    pub default_membership: Membership,
}

/// A key, as older clients want tokens listed.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "api_token", rename_fields = "snake_case")]
pub struct ApiToken {
    /// The key's id.
    pub id: String,
    /// The key's name.
    pub name: String,
}

/// What made a token.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_api_token_input", rename_fields = "snake_case")]
pub struct CreateApiTokenInput {
    /// The name of the key and, for `RUNNER` and `TENANT`, of its new service account.
    pub name: String,
    /// `USER`: a key for oneself. `RUNNER`, `TENANT`: a new service account (with the role User, Administrator) and a key
    /// of it.
    pub scope: String,
}

/// A token that was made.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "create_api_token_payload", rename_fields = "snake_case")]
pub struct CreateApiTokenPayload {
    /// The key's id.
    pub id: String,
    /// The token, this once.
    pub token: String,
}

/// Which token to revoke.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "delete_api_token_input", rename_fields = "snake_case")]
pub struct DeleteApiTokenInput {
    /// The key's id.
    pub token_id: String,
}

/// Where to go.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "switch_tenant_input", rename_fields = "snake_case")]
pub struct SwitchTenantInput {
    /// The key's tenant; any other is refused.
    pub tenant_id: String,
}

/// What to renew.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "refresh_token_input", rename_fields = "snake_case")]
pub struct RefreshTokenInput {
    /// Not used.
    pub access_token: String,
}

/// No token: a client that gets none goes on with the key that it has.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "token_payload", rename_fields = "snake_case")]
pub struct TokenPayload {
    /// Null.
    pub access_token: Option<String>,
    /// When to ask again.
    pub expires_at: String,
    /// Null.
    pub refresh_token: Option<String>,
}
