//! Who is asking. How a session or a key becomes an [`Actor`] stands in `authentication.rs`.

use chrono::{DateTime, Utc};
use domain::{AgentId, ApiError, KeyId, Owner, Role, ServiceAccountId, TenantId, UserId, audit::Channel};
use uuid::Uuid;

/// How records name the operator.
pub(crate) const OPERATOR: &str = "Operator";

/// From where a request came.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which API the request came through.
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

/// A person, a service account, or the operator.
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
    /// The operator at the server's command line.
    Operator {
        /// The person whose rights and keys the operator uses, with their name; none: the operator acts as an administrator.
        acting_for: Option<(UserId, String)>,
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

    /// The operator at the command line, with an administrator's rights in one tenant.
    pub(crate) fn operator(tenant_id: TenantId) -> Self {
        Self::of_command_line(None, tenant_id, Role::TenantAdmin)
    }

    /// The operator at the command line, who does in a tenant what only this person may, by the person's role there.
    pub(crate) fn operator_for(person: (UserId, String), tenant_id: TenantId, role: Role) -> Self {
        Self::of_command_line(Some(person), tenant_id, role)
    }

    fn of_command_line(acting_for: Option<(UserId, String)>, tenant_id: TenantId, role: Role) -> Self {
        Self {
            principal: Principal::Operator { acting_for },
            tenant_id,
            role,
            key_id: None,
            confirmed_at: DateTime::UNIX_EPOCH,
            client: Client::command_line(),
        }
    }

    /// Who it is.
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
        self.key_id.is_none() && matches!(self.principal, Principal::User { .. })
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
            Principal::ServiceAccount { .. } | Principal::Operator { .. } => None,
        }
    }

    /// The id of the person or service account; none for the operator.
    pub(crate) fn id(&self) -> Option<Uuid> {
        match self.principal {
            Principal::User { id, .. } => Some(id.0),
            Principal::ServiceAccount { id, .. } => Some(id.0),
            Principal::Operator { .. } => None,
        }
    }

    /// The owner that "own keys" means. The operator has none but those of the person whom it acts for.
    pub fn owner(&self) -> Option<Owner> {
        match &self.principal {
            Principal::User { id, .. } => Some(Owner::User(*id)),
            Principal::ServiceAccount { id, .. } => Some(Owner::ServiceAccount(*id)),
            Principal::Operator { acting_for } => acting_for.as_ref().map(|(id, _)| Owner::User(*id)),
        }
    }

    /// The same, for what makes no sense without own keys.
    ///
    /// # Errors
    /// `FORBIDDEN` for the operator.
    pub fn require_owner(&self) -> Result<Owner, ApiError> {
        self.owner().ok_or_else(|| ApiError::forbidden("The operator has no keys."))
    }

    /// The name, for records.
    pub fn name(&self) -> &str {
        match &self.principal {
            Principal::User { name, .. } | Principal::ServiceAccount { name, .. } => name,
            Principal::Operator { .. } => OPERATOR,
        }
    }

    /// The name of the person whom the operator acts for.
    pub(crate) fn acting_for(&self) -> Option<&str> {
        match &self.principal {
            Principal::Operator { acting_for: Some((_, name)) } => Some(name),
            _ => None,
        }
    }

    /// From where the request came.
    pub fn client(&self) -> &Client {
        &self.client
    }

    #[cfg(test)]
    pub(crate) fn for_test(principal: Principal, tenant_id: TenantId, role: Role, key_id: Option<KeyId>) -> Self {
        Self { principal, tenant_id, role, key_id, confirmed_at: DateTime::UNIX_EPOCH, client: Client::command_line() }
    }
}
