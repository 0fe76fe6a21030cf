//! Users: their email addresses, accounts and memberships.

pub mod act;
pub mod input;
pub mod session;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Membership, Name, PageRequest, Role, TenantId, UserId};

/// An email address, used to sign in. Stored in lower case. Only its format is checked, because only delivery can prove
/// that it exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is not an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter an email address, for example name@example.org.")]
pub struct EmailError;

impl Email {
    /// Trims, lowercases and validates an address: one `@` with text on both sides, no white space, at most 254 bytes
    /// (RFC 5321 §4.5.3.1.3).
    ///
    /// # Errors
    /// If the text doesn't have this format.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = lowercase(text.trim());
        let clean = text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((local, host)) if clean && !local.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self(text))
            }
            _ => Err(EmailError),
        }
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The browser only checks the format, so it doesn't need the table of all letters, which would be the largest part of
/// its WASM.
fn lowercase(text: &str) -> String {
    if cfg!(target_arch = "wasm32") { text.to_ascii_lowercase() } else { text.to_lowercase() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lowercased_and_needs_text_on_both_sides_of_one_at() {
        assert_eq!(Email::parse(" Ada@Example.org ").unwrap().as_str(), "ada@example.org");
        for bad in ["", "ada", "@x", "ada@", "a@b@c", "a b@c"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
