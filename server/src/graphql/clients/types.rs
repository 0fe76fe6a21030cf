//! The types that existing Prefect clients send and receive.

use async_graphql::{ID, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::AgentState;

use crate::graphql::{enums::AgentStateCode, scalars::Time};

/// The identity of a key or session.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "auth_info", rename_fields = "snake_case")]
pub struct AuthInfo {
    /// The id of the current tenant: the key's, or the one selected in the session.
    pub tenant_id: ID,
    /// The id of the user or service account.
    pub user_id: ID,
    /// The scope that older clients expect: `RUNNER` (may run agents) for a service account, otherwise `USER`.
    pub api_token_scope: String,
}

/// A tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "tenant", rename_fields = "snake_case")]
pub struct Tenant {
    /// The tenant's id.
    pub id: ID,
    /// The tenant's name.
    pub name: String,
    /// The tenant's slug.
    pub slug: String,
}

impl From<domain::Tenant> for Tenant {
    fn from(tenant: domain::Tenant) -> Self {
        Self { id: tenant.id.into(), name: tenant.name.to_string(), slug: tenant.slug.as_str().to_owned() }
    }
}

/// A long-running client that uses a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "agent", rename_fields = "snake_case")]
pub struct Agent {
    /// The agent's id.
    pub id: ID,
    /// The agent's name, as it reported it.
    pub name: String,
    /// The agent's type, such as `LocalAgent`.
    pub r#type: String,
    /// The labels of the flow runs that the agent accepts.
    pub labels: Vec<String>,
    /// The version of the agent's client.
    pub version: Option<String>,
    /// The agent's IP address.
    pub address: Option<String>,
    /// The id of the key that the agent uses.
    pub api_key_id: ID,
    /// The name of the key that the agent uses.
    pub api_key_name: String,
    /// The id of the user or service account that owns the key.
    pub user_id: ID,
    /// The agent's state.
    pub state: AgentStateCode,
    /// When the agent became silent or was cut off.
    pub since: Option<Time>,
    /// When the agent first started.
    pub first_seen: Time,
    /// When the agent last started or polled.
    pub last_queried: Time,
}

impl Agent {
    /// Returns the agent as of `now`.
    pub(super) fn at(agent: domain::Agent, now: DateTime<Utc>) -> Self {
        let state = agent.state(now);
        let since = match state {
            AgentState::Polling => None,
            AgentState::Silent { since } | AgentState::CutOff { since } => Some(since),
        };
        Self {
            id: agent.id.into(),
            name: agent.name.to_string(),
            r#type: agent.kind.to_string(),
            labels: agent.labels.iter().map(|label| label.as_str().to_owned()).collect(),
            version: agent.version,
            address: agent.address,
            api_key_id: agent.key.id.into(),
            api_key_name: agent.key.name.to_string(),
            user_id: agent.key.owner.into(),
            state: state.into(),
            since: since.map(Time::from),
            first_seen: agent.first_seen_at.into(),
            last_queried: agent.last_seen_at.into(),
        }
    }
}

/// An agent configuration stored on the server. Latchkey has none.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "agent_config", rename_fields = "snake_case")]
pub struct AgentConfig {
    /// The configuration's id.
    pub id: ID,
}

/// Input for `register_agent`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "register_agent_input", rename_fields = "snake_case")]
pub struct RegisterAgentInput {
    /// The agent's type, such as `LocalAgent`.
    pub r#type: String,
    /// The agent's name; `agent` if null.
    pub name: Option<String>,
    /// The labels of the flow runs that the agent accepts; at most 100.
    pub labels: Option<Vec<String>>,
    /// The id of the key's tenant. Any other is rejected.
    pub tenant_id: Option<String>,
    /// Ignored.
    pub agent_config_id: Option<String>,
}

/// The id of what was registered or created.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "id_payload", rename_fields = "snake_case")]
pub struct IdPayload {
    /// The id.
    pub id: ID,
}

/// Input for `get_runs_in_queue`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "get_runs_in_queue_input", rename_fields = "snake_case")]
pub struct QueueInput {
    /// The runs that are due before this time; now if null.
    pub before: Option<String>,
    /// The labels of the agent.
    pub labels: Option<Vec<String>>,
    /// The id of the key's tenant. Any other is rejected.
    pub tenant_id: Option<String>,
}

/// The flow runs to start.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "runs_in_queue_payload", rename_fields = "snake_case")]
pub struct QueuePayload {
    /// The ids of the runs.
    pub flow_run_ids: Vec<ID>,
}

/// The default tenant of the caller.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "membership", rename_fields = "snake_case")]
pub struct Membership {
    /// The tenant's id.
    pub tenant_id: ID,
    /// The tenant.
    pub tenant: Tenant,
}

/// The caller, in the shape that older clients expect.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "user", rename_fields = "snake_case")]
pub struct User {
    /// The id of the user or service account.
    pub id: ID,
    /// The current tenant: the key's, or the one selected in the session.
    pub default_membership: Membership,
}

/// A key, in the shape in which older clients list tokens.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "api_token", rename_fields = "snake_case")]
pub struct ApiToken {
    /// The key's id.
    pub id: ID,
    /// The key's name.
    pub name: String,
}

/// Input for `create_api_token`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_api_token_input", rename_fields = "snake_case")]
pub struct CreateApiTokenInput {
    /// The name of the key and, for `RUNNER` and `TENANT`, of its new service account.
    pub name: String,
    /// `USER` creates a key for the caller. `RUNNER` and `TENANT` create a service account, with the role User or
    /// Administrator, and a key for it.
    pub scope: String,
}

/// A new key and its token.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "create_api_token_payload", rename_fields = "snake_case")]
pub struct CreateApiTokenPayload {
    /// The key's id.
    pub id: ID,
    /// The token, returned once.
    pub token: String,
}

/// Input for `delete_api_token`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "delete_api_token_input", rename_fields = "snake_case")]
pub struct DeleteApiTokenInput {
    /// The id of the key to revoke.
    pub token_id: String,
}

/// Input for `switch_tenant`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "switch_tenant_input", rename_fields = "snake_case")]
pub struct SwitchTenantInput {
    /// The id of the key's tenant. Any other is rejected.
    pub tenant_id: String,
}

/// Input for `refresh_token`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "refresh_token_input", rename_fields = "snake_case")]
pub struct RefreshTokenInput {
    /// Ignored.
    pub access_token: String,
}

/// A response without a token, after which clients continue to use their key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "token_payload", rename_fields = "snake_case")]
pub struct TokenPayload {
    /// Always null.
    pub access_token: Option<String>,
    /// When the client should request a token again.
    pub expires_at: Time,
    /// Always null.
    pub refresh_token: Option<String>,
}
