//! Who is asking. How a session or a key becomes an [`Actor`] stands in `authentication.rs`.

use chrono::{DateTime, Utc};
use domain::{AgentId, KeyId, Owner, Role, ServiceAccountId, TenantId, UserId, audit::Channel};

/// How records name the operator.
pub(crate) const OPERATOR: &str = "Operator at the command line";

/// From where a request came.
#[derive(Clone, Debug)]
pub struct Client {
    /// Through which door.
    pub channel: Channel,
    /// The network address, as text without the port.
    pub address: Option<String>,
    /// The `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
    /// The agent that it says it is. Counts only together with the key that the agent registered with.
    pub agent_id: Option<AgentId>,
}

impl Client {
    /// The operator at the server's command line.
    pub fn command_line() -> Self {
        Self { channel: Channel::Cli, address: None, user_agent: None, agent_id: None }
    }
}

/// A person or a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    User {
        /// The id.
        id: UserId,
        /// The name, for records.
        name: String,
    },
    /// A service account.
    ServiceAccount {
        /// The id.
        id: ServiceAccountId,
        /// The name, for records.
        name: String,
    },
}

/// Who is asking, in one tenant, with the role that holds there now. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Actor {
    principal: Principal,
    tenant_id: TenantId,
    role: Role,
    key_id: Option<KeyId>,
    /// When the person last showed that it is them.
    confirmed_at: DateTime<Utc>,
    client: Client,
}

impl Actor {
    /// A person at a browser. `confirmed_at`: when they last gave their password there.
    pub(crate) fn of_session(
        principal: Principal,
        tenant_id: TenantId,
        role: Role,
        confirmed_at: DateTime<Utc>,
        client: Client,
    ) -> Self {
        Self { principal, tenant_id, role, key_id: None, confirmed_at, client }
    }

    /// Whoever presented a key that was verified.
    pub(crate) fn of_key(principal: Principal, tenant_id: TenantId, role: Role, key_id: KeyId, client: Client) -> Self {
        Self { principal, tenant_id, role, key_id: Some(key_id), confirmed_at: DateTime::UNIX_EPOCH, client }
    }

    /// The person or service account.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The tenant that the request stands in.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// The role there.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The key that was presented; none for a session.
    pub fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// Whether a person sits at a browser.
    pub fn is_session(&self) -> bool {
        self.key_id.is_none()
    }

    /// When the person last signed in, or confirmed that it is them.
    pub(crate) fn confirmed_at(&self) -> DateTime<Utc> {
        self.confirmed_at
    }

    /// The same person, who has just shown that it is them.
    pub(crate) fn confirmed(self, at: DateTime<Utc>) -> Self {
        Self { confirmed_at: at, ..self }
    }

    /// The same person in another of their tenants.
    pub(crate) fn with_membership(&self, tenant_id: TenantId, role: Role) -> Self {
        Self { tenant_id, role, ..self.clone() }
    }

    /// The person's id, if it is a person.
    pub fn user_id(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } => Some(id),
            Principal::ServiceAccount { .. } => None,
        }
    }

    /// The owner that "own keys" means.
    pub fn owner(&self) -> Owner {
        match self.principal {
            Principal::User { id, .. } => Owner::User(id),
            Principal::ServiceAccount { id, .. } => Owner::ServiceAccount(id),
        }
    }

    /// The name, for records.
    pub fn name(&self) -> &str {
        match &self.principal {
            Principal::User { name, .. } | Principal::ServiceAccount { name, .. } => name,
        }
    }

    /// From where the request came.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The operator at the command line, with an administrator's rights in one tenant. Stands under the nil id, which
    /// no user has.
    pub(crate) fn operator(tenant_id: TenantId) -> Self {
        let name = OPERATOR.to_owned();
        let principal = Principal::User { id: UserId(uuid::Uuid::nil()), name };
        // Who sits at the server's command line needs no confirmation.
        let confirmed_at = DateTime::<Utc>::MAX_UTC;
        Self {
            principal,
            tenant_id,
            role: Role::TenantAdmin,
            key_id: None,
            confirmed_at,
            client: Client::command_line(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(principal: Principal, tenant_id: TenantId, role: Role, key_id: Option<KeyId>) -> Self {
        Self { principal, tenant_id, role, key_id, confirmed_at: DateTime::UNIX_EPOCH, client: Client::command_line() }
    }
}
