//! Users: their accounts and memberships.

pub mod act;
pub mod email;
pub mod input;
pub mod session;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::email::{Email, EmailError};
use crate::{Membership, Name, PageRequest, Role, TenantId, UserId};

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The email address, which is also the sign-in name.
    pub email: Email,
    /// The name that others see.
    pub name: Name,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
}

/// A user as the other members of a tenant see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user's id.
    pub user_id: UserId,
    /// The user's name.
    pub name: Name,
    /// The user's email address.
    pub email: Email,
    /// The user's role in the tenant.
    pub role: Role,
}

/// Selects members and a page of them. Members are sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberQuery {
    /// A part of the name or of the email address, ignoring case. Empty for all members.
    pub search: String,
    /// The role; any, if `None`.
    pub role: Option<Role>,
    /// The page to return.
    pub page: PageRequest,
}

/// The signed-in user, with the tenants they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The user.
    pub user: User,
    /// The tenant selected in the session.
    pub tenant_id: TenantId,
    /// All memberships, sorted by tenant name. Includes the one in `tenant_id`, so it is never empty.
    pub memberships: Vec<Membership>,
}

impl Viewer {
    /// Returns the membership in the selected tenant.
    pub fn current(&self) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.tenant.id == self.tenant_id)
    }

    /// Returns the role in the selected tenant.
    pub fn role(&self) -> Role {
        self.current().map_or(Role::ReadOnlyUser, |membership| membership.role)
    }
}
