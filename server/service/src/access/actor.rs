//! The actor: the caller of a use case. `authentication.rs` turns a session or a key into an [`Actor`].

use chrono::{DateTime, Utc};
use domain::{
    AgentId, ApiError, Endpoint, KeyId, Owner, Role, ScopeGrant, ServiceAccountId, SessionId, TenantId, UserId,
    audit::Channel,
};
use uuid::Uuid;

/// The operator's name in audit entries, and in records of who created something.
pub(crate) const OPERATOR: &str = "Operator";

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which API the request came through.
    pub channel: Channel,
    /// Which endpoint of that API checks the key of the request.
    pub endpoint: Option<Endpoint>,
    /// The network address, as text without the port.
    pub address: Option<String>,
    /// Whether it is the address of a proxy that isn't trusted, and so of all its clients.
    pub is_address_shared: bool,
    /// The `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
    /// The agent that the client claims to be. Counts only together with the key that the agent registered with.
    pub agent_id: Option<AgentId>,
    /// The SHA-256 of the secret in the cookie of a browser in which somebody has signed in before.
    pub browser: Option<[u8; 32]>,
}

impl Client {
    /// The operator at the server's command line.
    pub fn command_line() -> Self {
        Self {
            channel: Channel::Cli,
            endpoint: None,
            address: None,
            is_address_shared: false,
            user_agent: None,
            agent_id: None,
            browser: None,
        }
    }

    /// Returns the client of a request to an endpoint.
    #[must_use]
    pub fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint: Some(endpoint), ..self }
    }
}

/// A user, a service account, or the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user.
    User {
        /// The id.
        id: UserId,
        /// The name, for audit entries and records.
        name: String,
    },
    /// A service account.
    ServiceAccount {
        /// The id.
        id: ServiceAccountId,
        /// The name, for audit entries and records.
        name: String,
    },
    /// The operator at the server's command line.
    Operator {
        /// The user whose rights and keys the operator uses, and their name; `None` if the operator acts as an
        /// administrator.
        acting_for: Option<(UserId, String)>,
    },
}

/// The caller of a use case, in one tenant, with its current role there. Only this module creates one.
#[derive(Clone, Debug)]
pub struct Actor {
    principal: Principal,
    tenant_id: TenantId,
    role: Role,
    key_id: Option<KeyId>,
    session_id: Option<SessionId>,
    /// When the user last entered their password; the Unix epoch for a key and for the operator.
    confirmed_at: DateTime<Utc>,
    /// What the key of the request may do at most. Unscoped for a session and for the operator.
    scopes: ScopeGrant,
    client: Client,
}

impl Actor {
    /// Creates the actor of a browser session. `confirmed_at`: when the user last entered their password in it.
    pub(crate) fn of_session(
        principal: Principal,
        tenant_id: TenantId,
        role: Role,
        confirmed_at: DateTime<Utc>,
        client: Client,
    ) -> Self {
        let scopes = ScopeGrant::Unscoped;
        Self { principal, tenant_id, role, key_id: None, session_id: None, confirmed_at, scopes, client }
    }

    /// Creates the actor of a verified key. `scopes`: what the key may do at most.
    pub(crate) fn of_key(
        principal: Principal,
        tenant_id: TenantId,
        role: Role,
        (key_id, scopes): (KeyId, ScopeGrant),
        client: Client,
    ) -> Self {
        let (key_id, confirmed_at) = (Some(key_id), DateTime::UNIX_EPOCH);
        Self { principal, tenant_id, role, key_id, session_id: None, confirmed_at, scopes, client }
    }

    /// Creates the operator, with an administrator's rights in one tenant.
    pub(crate) fn operator(tenant_id: TenantId) -> Self {
        Self::of_command_line(None, tenant_id, Role::TenantAdmin)
    }

    /// Creates the operator acting for a user, with the user's rights and role in one tenant.
    pub(crate) fn operator_for(person: (UserId, String), tenant_id: TenantId, role: Role) -> Self {
        Self::of_command_line(Some(person), tenant_id, role)
    }

    fn of_command_line(acting_for: Option<(UserId, String)>, tenant_id: TenantId, role: Role) -> Self {
        Self {
            principal: Principal::Operator { acting_for },
            tenant_id,
            role,
            key_id: None,
            session_id: None,
            confirmed_at: DateTime::UNIX_EPOCH,
            scopes: ScopeGrant::Unscoped,
            client: Client::command_line(),
        }
    }

    /// The identity of the caller.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The tenant that the request acts in.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// The role in that tenant.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The key of the request; `None` for a session and for the operator.
    pub fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// What the key of the request may do at most. Unscoped for a session and for the operator.
    pub fn scopes(&self) -> &ScopeGrant {
        &self.scopes
    }

    /// The public id of the browser session, if it was recorded with [`Actor::in_session`].
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// Records the browser session of the request. What the actor creates records it too.
    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self { session_id: Some(session), ..self }
    }

    /// Whether the caller is a user in a browser session.
    pub fn is_session(&self) -> bool {
        self.key_id.is_none() && matches!(self.principal, Principal::User { .. })
    }

    /// When the user last signed in or entered their password again.
    pub(crate) fn confirmed_at(&self) -> DateTime<Utc> {
        self.confirmed_at
    }

    /// Returns the same user, who entered their password again at `at`.
    pub(crate) fn confirmed(self, at: DateTime<Utc>) -> Self {
        Self { confirmed_at: at, ..self }
    }

    /// Returns the same user in another of their tenants.
    pub(crate) fn with_membership(&self, tenant_id: TenantId, role: Role) -> Self {
        Self { tenant_id, role, ..self.clone() }
    }

    /// The user's id; `None` for a service account and for the operator.
    pub fn user_id(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } => Some(id),
            Principal::ServiceAccount { .. } | Principal::Operator { .. } => None,
        }
    }

    /// The id of the user or service account; `None` for the operator.
    pub(crate) fn id(&self) -> Option<Uuid> {
        match self.principal {
            Principal::User { id, .. } => Some(id.0),
            Principal::ServiceAccount { id, .. } => Some(id.0),
            Principal::Operator { .. } => None,
        }
    }

    /// The owner of the actor's own keys: the user or service account or, for the operator, the user it acts for.
    pub fn owner(&self) -> Option<Owner> {
        match &self.principal {
            Principal::User { id, .. } => Some(Owner::User(*id)),
            Principal::ServiceAccount { id, .. } => Some(Owner::ServiceAccount(*id)),
            Principal::Operator { acting_for } => acting_for.as_ref().map(|(id, _)| Owner::User(*id)),
        }
    }

    /// Like [`Actor::owner`], for operations that need own keys.
    ///
    /// # Errors
    /// `FORBIDDEN` for the operator.
    pub fn require_owner(&self) -> Result<Owner, ApiError> {
        self.owner().ok_or_else(|| ApiError::forbidden("The operator has no keys of its own."))
    }

    /// The name, for audit entries and records.
    pub fn name(&self) -> &str {
        match &self.principal {
            Principal::User { name, .. } | Principal::ServiceAccount { name, .. } => name,
            Principal::Operator { .. } => OPERATOR,
        }
    }

    /// The name of the user that the operator acts for.
    pub(crate) fn acting_for(&self) -> Option<&str> {
        match &self.principal {
            Principal::Operator { acting_for: Some((_, name)) } => Some(name),
            _ => None,
        }
    }

    /// Where the request came from.
    pub fn client(&self) -> &Client {
        &self.client
    }

    #[cfg(test)]
    pub(crate) fn for_test(principal: Principal, tenant_id: TenantId, role: Role, key_id: Option<KeyId>) -> Self {
        let (confirmed_at, client) = (DateTime::UNIX_EPOCH, Client::command_line());
        let scopes = ScopeGrant::Unscoped;
        Self { principal, tenant_id, role, key_id, session_id: None, confirmed_at, scopes, client }
    }

    #[cfg(test)]
    pub(crate) fn scoped_for_test(self, scopes: ScopeGrant) -> Self {
        Self { scopes, ..self }
    }
}
