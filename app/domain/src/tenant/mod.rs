//! Tenants, roles and memberships.

pub mod input;
pub mod invitation;
pub mod overview;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ApiError, Name, TenantId};

/// What a member or a service account may do in a tenant. A greater role may do everything that a lesser one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Read only.
    ReadOnlyUser,
    /// User.
    User,
    /// Administrator.
    TenantAdmin,
}

impl Role {
    /// All roles, greatest first.
    pub const ALL: [Self; 3] = [Self::TenantAdmin, Self::User, Self::ReadOnlyUser];

    /// Returns the code used in the APIs and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TenantAdmin => "TENANT_ADMIN",
            Self::User => "USER",
            Self::ReadOnlyUser => "READ_ONLY_USER",
        }
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::TenantAdmin => "Administrator",
            Self::User => "User",
            Self::ReadOnlyUser => "Read only",
        }
    }

    /// Returns a description of what the role allows.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::TenantAdmin => "Full access, including members, service accounts and all keys.",
            Self::User => "Can create and manage their own keys.",
            Self::ReadOnlyUser => "Can view, suspend and revoke their own keys, but not create any.",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// The text is not the code of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Choose TENANT_ADMIN, USER or READ_ONLY_USER.")]
pub struct RoleError;

/// Checks that a role is still the one that a form showed: see [`crate::input::check_unchanged`].
///
/// # Errors
/// `CONFLICT` if it isn't.
pub fn check_role_unchanged(before: Option<Role>, now: Role, after: Role) -> Result<(), ApiError> {
    crate::input::check_unchanged(before.as_ref(), &now, &after, || format!("The role is {} now.", now.label()))
}

/// Returns the role chosen in a form.
///
/// # Errors
/// A field error at `role` if none was chosen.
pub fn chosen_role(role: Option<Role>) -> Result<Role, ApiError> {
    role.ok_or_else(|| ApiError::field("role", "Choose a role."))
}

/// A tenant's identifier in URLs and clients: 1–63 of `a–z`, `0–9` and inner hyphens, like a DNS label (RFC 1035
/// §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is not a valid slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 63 lowercase letters, digits and hyphens, starting and ending with a letter or digit.")]
pub struct SlugError;

impl Slug {
    /// Trims and validates a slug.
    ///
    /// # Errors
    /// If the text contains another character, starts or ends with a hyphen, or has the wrong length.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let text = text.trim();
        let inside = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !text.starts_with('-') && !text.ends_with('-');
        if inside && ends && (1..=63).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    /// Validates the slug in a form or, if it was left empty, makes one from the tenant's name.
    ///
    /// # Errors
    /// As [`Slug::parse`], also if the name has no letters or digits for a slug.
    pub fn chosen(text: &str, name: &str) -> Result<Self, SlugError> {
        if text.trim().is_empty() {
            Self::parse(&slug_text(name.chars().flat_map(char::to_lowercase)))
        } else {
            Self::parse(text)
        }
    }

    /// Returns the slug that is made from a tenant's name in lowercase; empty or invalid if the name has too few letters
    /// for one.
    pub fn suggested(lowercase: &str) -> String {
        slug_text(lowercase.chars())
    }

    /// Returns the slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters outside of ASCII that separate words.
const SEPARATORS: &str = "–—·\u{a0}\u{3000}";

/// The letters and digits of a name in ASCII, at most 63, with a hyphen for whatever separates them. Letters without
/// ASCII equivalent are left out.
///
/// Doesn't ask Unicode's tables for what is a letter: they would be a tenth of the browser's code.
fn slug_text(lowercase: impl Iterator<Item = char>) -> String {
    let mut slug = String::new();
    let mut is_separated = false;
    for c in lowercase {
        let plain = match c {
            'a'..='z' | '0'..='9' => "",
            'à'..='ã' | 'å' | 'ā' => "a",
            'ä' | 'æ' => "ae",
            'ç' | 'ć' | 'č' => "c",
            'è'..='ë' | 'ę' => "e",
            'ì'..='ï' => "i",
            'ł' => "l",
            'ñ' | 'ń' => "n",
            'ò'..='õ' | 'ø' | 'ō' => "o",
            'ö' | 'œ' => "oe",
            'ś' | 'š' => "s",
            'ß' => "ss",
            'ù'..='û' | 'ū' => "u",
            'ü' => "ue",
            'ý' | 'ÿ' => "y",
            'ź' | 'ż' | 'ž' => "z",
            // An apostrophe is inside a word.
            '\'' | '’' => continue,
            c if !c.is_ascii() && !SEPARATORS.contains(c) => continue,
            _ => {
                is_separated = true;
                continue;
            }
        };
        if is_separated && !slug.is_empty() {
            slug.push('-');
        }
        is_separated = false;
        if plain.is_empty() { slug.push(c) } else { slug.push_str(plain) }
    }
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
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

/// An organisation. Tenants are isolated from each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// The tenant's name.
    pub name: Name,
    /// The tenant's slug, unique in this installation.
    pub slug: Slug,
    /// When the tenant was created.
    pub created_at: DateTime<Utc>,
}

/// A user's membership in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The tenant.
    pub tenant: Tenant,
    /// The user's role in the tenant.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slug_is_made_from_the_name() {
        for (name, slug) in [
            ("Acme Robotics", "acme-robotics"),
            ("  Zebra Quarry & Söhne (GmbH) ", "zebra-quarry-soehne-gmbh"),
            ("O'Brien’s 2nd—Yard", "obriens-2nd-yard"),
            ("Łódź Café", "lodz-cafe"),
            ("東京 Lab", "lab"),
        ] {
            assert_eq!(Slug::chosen(" ", name).unwrap().as_str(), slug, "{name}");
        }
        let long = "word ".repeat(30);
        assert!(Slug::chosen("", &long).is_ok_and(|slug| slug.as_str().len() <= 63));
        assert!(Slug::chosen("", "東京").is_err(), "nothing is left");
        assert_eq!(Slug::chosen("mine", "Acme").unwrap().as_str(), "mine");
        assert!(Slug::chosen("Not a slug", "Acme").is_err());
    }

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
