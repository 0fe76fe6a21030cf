//! People.

pub mod act;
pub mod input;
pub mod session;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Membership, Name, PageRequest, Role, TenantId, UserId};

/// An e-mail address as a sign-in name: kept in lower case, checked for shape only (delivery is the real test).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter an e-mail address, like name@example.org.")]
pub struct EmailError;

impl Email {
    /// Trims, lowers and checks: one `@` with text on both sides, no white space, at most 254 bytes (RFC 5321 §4.5.3.1.3).
    ///
    /// # Errors
    /// When the text has not that shape.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim().to_lowercase();
        let clean = text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((local, host)) if clean && !local.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self(text))
            }
            _ => Err(EmailError),
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, EmailError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The sign-in name.
    pub email: Email,
    /// What others see.
    pub name: Name,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// A user as the other members of a tenant see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The person.
    pub user_id: UserId,
    /// Their name.
    pub name: Name,
    /// Their address.
    pub email: Email,
    /// Their role in the tenant.
    pub role: Role,
}

/// Which members, which page. They come by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberQuery {
    /// Part of the name or of the address, case folded. Empty: all.
    pub search: String,
    /// Those of a role; all, when `None`.
    pub role: Option<Role>,
    /// Which page.
    pub page: PageRequest,
}

/// Who looks at a page: the person, and the tenants to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The person.
    pub user: User,
    /// The tenant that the session stands in.
    pub tenant_id: TenantId,
    /// All memberships, by tenant name. Never empty, and `tenant_id` is among them.
    pub memberships: Vec<Membership>,
}

impl Viewer {
    /// The membership that the session stands in.
    pub fn current(&self) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.tenant.id == self.tenant_id)
    }

    /// The role in the current tenant.
    pub fn role(&self) -> Role {
        self.current().map_or(Role::ReadOnlyUser, |membership| membership.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lowered_and_needs_both_sides_of_one_at() {
        assert_eq!(Email::parse(" Ada@Example.org ").unwrap().as_str(), "ada@example.org");
        for bad in ["", "ada", "@x", "ada@", "a@b@c", "a b@c"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
