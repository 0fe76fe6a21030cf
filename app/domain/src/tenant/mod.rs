//! Tenants, roles and memberships.

pub mod input;
pub mod invitation;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Name, TenantId};

/// What a member or a service account may do in a tenant. Ordered: a greater role may do all that a lesser may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// "Read only".
    ReadOnlyUser,
    /// "User".
    User,
    /// "Administrator".
    TenantAdmin,
}

impl Role {
    /// All roles, the greatest first.
    pub const ALL: [Self; 3] = [Self::TenantAdmin, Self::User, Self::ReadOnlyUser];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TenantAdmin => "TENANT_ADMIN",
            Self::User => "USER",
            Self::ReadOnlyUser => "READ_ONLY_USER",
        }
    }

    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::TenantAdmin => "Administrator",
            Self::User => "User",
            Self::ReadOnlyUser => "Read only",
        }
    }

    /// What the role means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::TenantAdmin => "Can do everything in this tenant: members, service accounts, every key.",
            Self::User => "Can create and manage its own keys, and nothing of others.",
            Self::ReadOnlyUser => "Can read, and stop its own keys; can create nothing.",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Choose TENANT_ADMIN, USER or READ_ONLY_USER.")]
pub struct RoleError;

/// The role that a form's field names.
///
/// # Errors
/// A field error at `role` when none was chosen.
pub fn chosen_role(role: Option<Role>) -> Result<Role, crate::ApiError> {
    role.ok_or_else(|| crate::ApiError::field("role", "Choose a role."))
}

/// A tenant's short name in URLs and clients: 1–63 of `a–z`, `0–9` and inner hyphens (as a DNS label, RFC 1035 §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends.")]
pub struct SlugError;

impl Slug {
    /// Checks.
    ///
    /// # Errors
    /// When the text has another character, a hyphen at an end, or the wrong length.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let text = text.trim();
        let inside = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !text.starts_with('-') && !text.ends_with('-');
        if inside && ends && (1..=63).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: Name,
    /// Its short name, unique in the installation.
    pub slug: Slug,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A user's place in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The tenant.
    pub tenant: Tenant,
    /// The user's role there.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_by_what_they_may_do() {
        assert!(Role::TenantAdmin > Role::User && Role::User > Role::ReadOnlyUser);
    }

    #[test]
    fn a_slug_is_a_dns_label() {
        for good in ["acme", "a", "a-1", "0x"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "ä", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
