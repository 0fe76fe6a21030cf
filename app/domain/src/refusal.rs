//! Requests with a key that were rejected: when, from where, through which API and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentId, Name, Scope};

/// How many rejected requests of a key are kept: the most recent ones, equal ones counted as one.
pub const MAX_REFUSALS: usize = 50;

/// Why a request with a key was rejected. The client is told only [`Self::MissingScope`] and [`Self::RateLimited`]; the
/// other reasons only the key's owner and the tenant's administrators learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The key or its service account is suspended.
    Suspended,
    /// The key's owner left the tenant or was deleted.
    OwnerLeft,
    /// Another key replaced it, and the grace period of the rotation has ended.
    Replaced,
    /// The key is valid, but lacks a scope that the request demanded.
    MissingScope,
    /// The key may not be used from the client's address.
    AddressNotAllowed,
    /// The key was used more often than its limit allows.
    RateLimited,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Revoked,
        Self::Expired,
        Self::Suspended,
        Self::OwnerLeft,
        Self::Replaced,
        Self::MissingScope,
        Self::AddressNotAllowed,
        Self::RateLimited,
    ];

    /// Returns the code used in the database and at the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::OwnerLeft => "owner_left",
            Self::Replaced => "replaced",
            Self::MissingScope => "missing_scope",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::RateLimited => "rate_limited",
        }
    }

    /// Returns the reason with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == code)
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Revoked => "Revoked",
            Self::Expired => "Expired",
            Self::Suspended => "Suspended",
            Self::OwnerLeft => "Owner left",
            Self::Replaced => "Replaced",
            Self::MissingScope => "Missing scope",
            Self::AddressNotAllowed => "Address not allowed",
            Self::RateLimited => "Rate limit exceeded",
        }
    }
}

/// Which API a request asked to check a key, or used with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/v1/verify`, also for a batch.
    Verify,
    /// `GET /api/v1/whoami`.
    Whoami,
    /// `POST /oauth2/introspect`.
    Introspect,
    /// `/auth/forward`, which proxies ask.
    Forward,
    /// `/auth/envoy`, which Envoy asks.
    Envoy,
    /// `envoy.service.auth.v3.Authorization`, which Envoy asks over gRPC.
    EnvoyGrpc,
    /// A gateway, through which requests reach other software.
    Gateway,
    /// The GraphQL API.
    Graphql,
    /// The dashboard, where a key can be tested.
    Dashboard,
}

impl Endpoint {
    /// All endpoints.
    pub const ALL: [Self; 9] = [
        Self::Verify,
        Self::Whoami,
        Self::Introspect,
        Self::Forward,
        Self::Envoy,
        Self::EnvoyGrpc,
        Self::Gateway,
        Self::Graphql,
        Self::Dashboard,
    ];

    /// Returns the code used in the database and at the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Whoami => "whoami",
            Self::Introspect => "introspect",
            Self::Forward => "forward",
            Self::Envoy => "envoy",
            Self::EnvoyGrpc => "envoy_grpc",
            Self::Gateway => "gateway",
            Self::Graphql => "graphql",
            Self::Dashboard => "dashboard",
        }
    }

    /// Returns the endpoint with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == code)
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Verify => "Verification",
            Self::Whoami => "Who am I",
            Self::Introspect => "Introspection",
            Self::Forward => "Forward authentication",
            Self::Envoy => "Envoy",
            Self::EnvoyGrpc => "Envoy (gRPC)",
            Self::Gateway => "Gateway",
            Self::Graphql => "GraphQL",
            Self::Dashboard => "Dashboard",
        }
    }
}

/// Equal rejected requests with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRefusal {
    /// Why they were rejected.
    pub reason: RefusalReason,
    /// Which API rejected them, if known.
    pub endpoint: Option<Endpoint>,
    /// The demanded scopes that the key lacked. Empty for every other reason.
    pub scopes: Vec<Scope>,
    /// The client's IP address, if known.
    pub address: Option<String>,
    /// The client's `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// The agent id that the client claims.
    pub agent_id: Option<AgentId>,
    /// The agent's name, if `agent_id` is an agent that uses the key.
    pub agent_name: Option<Name>,
    /// When the first of them was rejected.
    pub first_at: DateTime<Utc>,
    /// When the last of them was rejected.
    pub last_at: DateTime<Utc>,
    /// How many there were.
    pub count: u64,
}

impl KeyRefusal {
    /// Whether two rejected requests are counted as equal: they have everything in common but their times.
    pub fn is_like(&self, other: &Self) -> bool {
        let client = |one: &Self| (one.reason, one.endpoint, one.agent_id);
        client(self) == client(other)
            && self.address == other.address
            && self.user_agent == other.user_agent
            && self.scopes == other.scopes
    }

    /// Returns the missing scopes, separated by spaces.
    pub fn scopes_text(&self) -> String {
        self.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_again() {
        for reason in RefusalReason::ALL {
            assert_eq!(RefusalReason::from_code(reason.as_str()), Some(reason));
        }
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::from_code(endpoint.as_str()), Some(endpoint));
        }
        assert_eq!((RefusalReason::from_code("x"), Endpoint::from_code("")), (None, None));
    }
}
