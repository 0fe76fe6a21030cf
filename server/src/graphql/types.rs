//! What the schema's types show of the domain's.

use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{AccountState, IssuedKey, OwnerKind};

/// A time: RFC 3339 in UTC, whole seconds.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a member or a service account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "role")]
pub enum Role {
    /// Everything in the tenant.
    TenantAdmin,
    /// Own keys.
    User,
    /// Reads, and stops own keys.
    ReadOnlyUser,
}

impl From<domain::Role> for Role {
    fn from(role: domain::Role) -> Self {
        match role {
            domain::Role::TenantAdmin => Self::TenantAdmin,
            domain::Role::User => Self::User,
            domain::Role::ReadOnlyUser => Self::ReadOnlyUser,
        }
    }
}

impl From<Role> for domain::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::TenantAdmin => Self::TenantAdmin,
            Role::User => Self::User,
            Role::ReadOnlyUser => Self::ReadOnlyUser,
        }
    }
}

/// An API key's record, as the documented `auth_api_key` shows it. Never the token.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "auth_api_key", rename_fields = "snake_case")]
pub struct ApiKey {
    /// The key's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it ends by itself; never, when null.
    pub expires_at: Option<String>,
    /// The id of the user or the service account that it stands for.
    pub user_id: String,
    /// `user` or `service_account`.
    pub owner_kind: String,
    /// The owner's name.
    pub owner_name: String,
    /// The tenant that it works in.
    pub tenant_id: String,
    /// Prefix and first four characters of the token.
    pub hint: String,
    /// `active`, `expiring_soon`, `expired`, `suspended` or `revoked`.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// Since when it is suspended, by itself.
    pub suspended_at: Option<String>,
    /// Who suspended it.
    pub suspended_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// Its last use.
    pub last_used: Option<LastUse>,
}

impl ApiKey {
    /// The record at `now`.
    pub(super) fn at(key: domain::ApiKey, now: DateTime<Utc>) -> Self {
        Self {
            state: key.state(now).as_str().to_owned(),
            id: key.id.to_string(),
            name: key.name.to_string(),
            expires_at: key.expires_at.map(time),
            user_id: key.owner.to_string(),
            owner_kind: kind(key.owner.kind()),
            owner_name: key.owner_name,
            tenant_id: key.tenant_id.to_string(),
            hint: key.hint,
            created: time(key.created_at),
            created_by: key.created_by,
            suspended_at: key.suspended_at.map(time),
            suspended_by: key.suspended_by,
            revoked_at: key.revoked_at.map(time),
            revoked_by: key.revoked_by,
            last_used: key.last_used.map(LastUse::from),
        }
    }
}

fn kind(kind: OwnerKind) -> String {
    match kind {
        OwnerKind::User => "user",
        OwnerKind::ServiceAccount => "service_account",
    }
    .to_owned()
}

/// When, from where and by what a key was last accepted.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "last_use", rename_fields = "snake_case")]
pub struct LastUse {
    /// When.
    pub at: String,
    /// The client's network address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

impl From<domain::LastUse> for LastUse {
    fn from(last: domain::LastUse) -> Self {
        Self { at: time(last.at), address: last.address, user_agent: last.user_agent }
    }
}

/// A service account.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "service_account", rename_fields = "snake_case")]
pub struct ServiceAccount {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its keys may do.
    pub role: Role,
    /// `active`, `suspended` or `deleted`.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// Since when it is suspended, and all its keys with it.
    pub suspended_at: Option<String>,
    /// Who suspended it.
    pub suspended_by: Option<String>,
    /// Keys that verify now.
    pub active_keys: u32,
    /// Keys ever made.
    pub all_keys: u32,
    /// The last use of any of its keys.
    pub last_used: Option<LastUse>,
}

impl From<domain::ServiceAccount> for ServiceAccount {
    fn from(account: domain::ServiceAccount) -> Self {
        let state = match account.state() {
            AccountState::Active => "active",
            AccountState::Suspended { .. } => "suspended",
            AccountState::Deleted { .. } => "deleted",
        };
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            role: account.role.into(),
            state: state.to_owned(),
            created: time(account.created_at),
            created_by: account.created_by,
            suspended_at: account.suspended_at.map(time),
            suspended_by: account.suspended_by,
            active_keys: account.active_keys,
            all_keys: account.all_keys,
            last_used: account.last_used.map(LastUse::from),
        }
    }
}

/// One page of keys.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "api_key_page", rename_fields = "snake_case")]
pub struct ApiKeyPage {
    /// The keys.
    pub items: Vec<ApiKey>,
    /// For `after`, when there is a next page.
    pub next: Option<String>,
    /// For `before`, when there is a previous page.
    pub previous: Option<String>,
}

/// One page of service accounts.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "service_account_page", rename_fields = "snake_case")]
pub struct ServiceAccountPage {
    /// The accounts.
    pub items: Vec<ServiceAccount>,
    /// For `after`, when there is a next page.
    pub next: Option<String>,
    /// For `before`, when there is a previous page.
    pub previous: Option<String>,
}

/// A tenant that one belongs to.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "viewer_tenant", rename_fields = "snake_case")]
pub struct ViewerTenant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub slug: String,
    /// One's role there.
    pub role: Role,
}

/// The person who is asking.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "viewer", rename_fields = "snake_case")]
pub struct Viewer {
    /// The person's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The tenant that the request stands in.
    pub tenant_id: String,
    /// All tenants that the caller may act in.
    pub tenants: Vec<ViewerTenant>,
}

impl From<domain::Viewer> for Viewer {
    fn from(viewer: domain::Viewer) -> Self {
        let tenant = |membership: domain::Membership| ViewerTenant {
            id: membership.tenant.id.to_string(),
            name: membership.tenant.name.to_string(),
            slug: membership.tenant.slug.as_str().to_owned(),
            role: membership.role.into(),
        };
        Self {
            id: viewer.user.id.to_string(),
            name: viewer.user.name.to_string(),
            email: viewer.user.email.as_str().to_owned(),
            tenant_id: viewer.tenant_id.to_string(),
            tenants: viewer.memberships.into_iter().map(tenant).collect(),
        }
    }
}

/// A member of the tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "member", rename_fields = "snake_case")]
pub struct Member {
    /// The person's id.
    pub user_id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The role.
    pub role: Role,
}

impl From<domain::Member> for Member {
    fn from(member: domain::Member) -> Self {
        Self {
            user_id: member.user_id.to_string(),
            name: member.name.to_string(),
            email: member.email.as_str().to_owned(),
            role: member.role.into(),
        }
    }
}

/// What makes a key.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_api_key_input", rename_fields = "snake_case")]
pub struct CreateApiKeyInput {
    /// The id of the user (oneself) or the service account that the key will stand for.
    pub user_id: String,
    /// 1–100 characters.
    pub name: String,
    /// RFC 3339 with an offset, at least a minute ahead; never, when null.
    pub expires_at: Option<String>,
    /// Another of one's tenants (by the dashboard's session only).
    pub default_tenant_id: Option<String>,
}

/// A key that was made.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "create_api_key_payload", rename_fields = "snake_case")]
pub struct CreateApiKeyPayload {
    /// The key's id.
    pub id: String,
    /// The token, this once.
    pub token: String,
    /// The token again, under the name that some clients ask for.
    pub key: String,
}

impl From<IssuedKey> for CreateApiKeyPayload {
    fn from(issued: IssuedKey) -> Self {
        let token = issued.token.expose().to_owned();
        Self { id: issued.key.id.to_string(), key: token.clone(), token }
    }
}

/// Which key to revoke.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "delete_api_key_input", rename_fields = "snake_case")]
pub struct DeleteApiKeyInput {
    /// The key's id.
    pub key_id: String,
}

/// Whether something was done.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "success_payload", rename_fields = "snake_case")]
pub struct SuccessPayload {
    /// Whether it was.
    pub success: bool,
}

/// What makes a service account.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_service_account_input", rename_fields = "snake_case")]
pub struct CreateServiceAccountInput {
    /// 1–100 characters, unique among the tenant's living accounts.
    pub name: String,
    /// Administrator, when null.
    pub role: Option<Role>,
}
