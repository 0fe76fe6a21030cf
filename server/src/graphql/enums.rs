//! The enums of the schema. Their values are the codes that URLs, the command line and the audit log use.

use async_graphql::{Enum, resolver_utils::EnumType};
use domain::{AccountState, AgentState, KeyState};

/// The permissions of a member or a service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "role", remote = "domain::Role")]
pub enum Role {
    /// Full access to the tenant, including members, service accounts and all keys.
    TenantAdmin,
    /// Can create and manage their own keys.
    User,
    /// Can view, suspend and revoke their own keys, but not create any.
    ReadOnlyUser,
}

/// Who owns a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "owner_kind", remote = "domain::OwnerKind", rename_items = "snake_case")]
pub enum OwnerKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "key_state", rename_items = "snake_case")]
pub enum KeyStateCode {
    /// The key works.
    Active,
    /// The key works, and expires soon.
    ExpiringSoon,
    /// The key still works in the grace period of its rotation.
    Rotating,
    /// The key has expired.
    Expired,
    /// The key or its service account is suspended.
    Suspended,
    /// The key was revoked.
    Revoked,
}

impl From<KeyState<'_>> for KeyStateCode {
    fn from(state: KeyState<'_>) -> Self {
        match state {
            KeyState::Active => Self::Active,
            KeyState::ExpiringSoon { .. } => Self::ExpiringSoon,
            KeyState::Rotating { .. } => Self::Rotating,
            KeyState::Expired { .. } => Self::Expired,
            KeyState::Suspended { .. } => Self::Suspended,
            KeyState::Revoked { .. } => Self::Revoked,
        }
    }
}

/// Why a request with a key was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "refusal_reason", remote = "domain::RefusalReason", rename_items = "snake_case")]
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

/// Which API a request asked to check a key, or used with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "verification_endpoint", remote = "domain::Endpoint", rename_items = "snake_case")]
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

/// Selects keys by their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "key_filter", remote = "domain::KeyFilter", rename_items = "snake_case")]
pub enum KeyFilter {
    /// Keys that work now, including those that expire soon.
    Active,
    /// Keys that work now but expire soon, including those that are being rotated.
    ExpiringSoon,
    /// Expired keys.
    Expired,
    /// Suspended keys.
    Suspended,
    /// Revoked keys.
    Revoked,
    /// Keys in every state.
    All,
}

/// What a list of keys is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "key_sort", remote = "domain::KeySort", rename_items = "snake_case")]
pub enum KeySort {
    /// By name.
    Name,
    /// By creation time.
    Created,
    /// By expiry; keys that never expire count as the latest.
    Expires,
    /// By last use; keys that were never used count as the earliest.
    LastUsed,
}

/// Selects keys of the whole tenant by more than their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "inventory_filter", remote = "domain::InventoryFilter", rename_items = "snake_case")]
pub enum InventoryFilter {
    /// All keys.
    All,
    /// Keys that never expire.
    NeverExpires,
    /// Keys that were created and last used more than 90 days ago.
    Unused,
    /// Keys whose owner or creator no longer belongs to the tenant.
    OwnerGone,
    /// Keys that violate a key policy, in effect or scheduled.
    #[graphql(name = "against_policy")]
    ViolatesKeyPolicy,
    /// Keys whose token was found where others can read it.
    Exposed,
}

/// The state of a service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "service_account_state", rename_items = "snake_case")]
pub enum AccountStateCode {
    /// The account's keys work.
    Active,
    /// The account and all its keys are suspended.
    Suspended,
    /// The account was deleted, and its keys were revoked.
    Deleted,
}

impl From<AccountState> for AccountStateCode {
    fn from(state: AccountState) -> Self {
        match state {
            AccountState::Active => Self::Active,
            AccountState::Suspended { .. } => Self::Suspended,
            AccountState::Deleted { .. } => Self::Deleted,
        }
    }
}

/// Selects service accounts by their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "service_account_filter", remote = "domain::AccountFilter", rename_items = "snake_case")]
pub enum AccountFilter {
    /// Accounts that aren't deleted, including suspended ones.
    Active,
    /// Deleted accounts.
    Deleted,
    /// All accounts.
    All,
}

/// What a list of service accounts is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "service_account_sort", remote = "domain::AccountSort", rename_items = "snake_case")]
pub enum AccountSort {
    /// By name.
    Name,
    /// By creation time.
    Created,
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "direction", remote = "domain::Direction", rename_items = "snake_case")]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// The outcome of an operation in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "audit_result", remote = "domain::audit::Outcome", rename_items = "snake_case")]
pub enum AuditResult {
    /// The operation succeeded.
    Done,
    /// The actor wasn't allowed to do it.
    Refused,
}

/// The interface that a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "channel", remote = "domain::audit::Channel", rename_items = "snake_case")]
pub enum Channel {
    /// The dashboard.
    Browser,
    /// The GraphQL API.
    Graphql,
    /// The REST API.
    Rest,
    /// The command line on the server.
    Cli,
    /// The service itself, in a background task.
    Service,
}

/// The kind of a key policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "policy_kind", remote = "domain::KeyPolicyKind", rename_items = "snake_case")]
pub enum KeyPolicyKind {
    /// Keys must expire within a number of days.
    MaxLifetime,
    /// Keys must have an expiry.
    ExpiryRequired,
    /// Only service accounts can have keys.
    ServiceAccountsOnly,
    /// Keys can't create keys.
    NoKeysByKeys,
    /// Keys that are unused for a number of days are suspended.
    SuspendUnused,
    /// An owner can have at most a number of keys.
    MaxKeys,
    /// What happens to a key whose token was found where others can read it.
    ExposedKeys,
    /// Keys must be limited to scopes.
    ScopesRequired,
    /// Users can't have keys that hold some scopes.
    ScopesNotForUsers,
    /// Keys that hold some scopes must expire within a number of days.
    ScopeMaxLifetime,
}

/// What happens to a key that works when it is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "exposure_response", remote = "domain::ExposureResponse", rename_items = "snake_case")]
pub enum ExposureResponse {
    /// It is suspended until it is resumed.
    Suspend,
    /// It is revoked permanently.
    Revoke,
    /// It keeps working. Its owner and the administrators are told, as in the other cases.
    Notify,
}

/// The state of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "agent_state", rename_items = "snake_case")]
pub enum AgentStateCode {
    /// The agent polls.
    Polling,
    /// The agent missed three polls.
    Silent,
    /// The agent's key is rejected.
    CutOff,
}

impl From<AgentState> for AgentStateCode {
    fn from(state: AgentState) -> Self {
        match state {
            AgentState::Polling => Self::Polling,
            AgentState::Silent { .. } => Self::Silent,
            AgentState::CutOff { .. } => Self::CutOff,
        }
    }
}

/// The kind of actor in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "actor_kind", rename_items = "snake_case")]
pub enum ActorKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
    /// The operator of the server, at the command line.
    Operator,
    /// The service itself, in a background task.
    Service,
}

/// Returns the value with a code; `None` for a code that a later version wrote.
pub(super) fn by_code<T: EnumType>(code: &str) -> Option<T> {
    T::items().iter().find(|item| item.name == code).map(|item| item.value)
}
