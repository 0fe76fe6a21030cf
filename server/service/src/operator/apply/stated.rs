//! What a file states, as it is written there, and what is wrong with it.

use std::{collections::HashSet, fmt};

use domain::{Secret, name::shown};

/// An entry of a file.
#[derive(Clone, Debug)]
pub struct Stated<T> {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What it says.
    pub entry: T,
}

/// What a file states. A kind without an entry isn't touched.
#[derive(Clone, Debug, Default)]
pub struct StatedConfiguration {
    /// Scopes of the catalogue.
    pub scopes: Vec<Stated<StatedScope>>,
    /// Tenants.
    pub tenants: Vec<Stated<StatedTenant>>,
    /// Service accounts.
    pub accounts: Vec<Stated<StatedAccount>>,
    /// Key policies.
    pub policies: Vec<Stated<StatedKeyPolicy>>,
    /// Keys.
    pub keys: Vec<Stated<StatedKey>>,
    /// The kinds of which the file has more than could be read, so that it can't be applied.
    pub unreadable: HashSet<Kind>,
}

/// A scope of the catalogue.
#[derive(Clone, Debug, Default)]
pub struct StatedScope {
    /// The scope, such as `orders:read`.
    pub scope: String,
    /// What it allows.
    pub description: String,
    /// The code of the lowest role that may hold it.
    pub least_role: String,
    /// The UTC day since when it is deprecated; not deprecated, if `None`.
    pub deprecated_since: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Default)]
pub struct StatedTenant {
    /// Its slug, by which it is found.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A service account.
#[derive(Clone, Debug, Default)]
pub struct StatedAccount {
    /// The slug of its tenant.
    pub tenant: String,
    /// Its name, by which it is found in the tenant.
    pub name: String,
    /// The code of its role. If `None`, Administrator for a new one, and unchanged for any other.
    pub role: Option<String>,
}

/// A key policy. Each kind of policy has some of the values: see [`domain::api_key::input::SetKeyPolicy`].
#[derive(Clone, Debug, Default)]
pub struct StatedKeyPolicy {
    /// The slug of its tenant.
    pub tenant: String,
    /// The code of the [`domain::KeyPolicyKind`].
    pub policy: String,
    /// The number of days.
    pub days: Option<i64>,
    /// The number of keys.
    pub limit: Option<i64>,
    /// The code of the [`domain::ExposureResponse`].
    pub on_exposure: Option<String>,
    /// The scopes that it is about.
    pub scopes: Option<Vec<String>>,
    /// The UTC day or the instant from which it is effective; now, if `None`.
    pub from: Option<String>,
}

/// The owner of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatedOwner {
    /// A member of the tenant, by email address.
    User(String),
    /// A service account of the tenant, by name.
    ServiceAccount(String),
}

/// What is known of a key's token.
#[derive(Clone, Debug)]
pub enum StatedToken {
    /// The token.
    Token(Secret),
    /// Its SHA-256, in hexadecimal digits or in Base64.
    Sha256(String),
}

/// A key.
#[derive(Clone, Debug)]
pub struct StatedKey {
    /// The slug of its tenant.
    pub tenant: String,
    /// Its owner.
    pub owner: StatedOwner,
    /// Its name.
    pub name: String,
    /// Its token, by which it is found.
    pub token: StatedToken,
    /// The scopes that it holds; everything that its owner may do, if `None`.
    pub scopes: Option<Vec<String>>,
    /// When it expires: RFC 3339 with a UTC offset; never, if `None`.
    pub expires_at: Option<String>,
    /// The addresses and networks from which it may be used; all, if `None`.
    pub allowed_addresses: Option<Vec<String>>,
    /// How often it may be used, such as `600/minute`; any number of times, if `None`.
    pub rate_limit: Option<String>,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A scope of the catalogue.
    Scope,
    /// A tenant.
    Tenant,
    /// A service account.
    ServiceAccount,
    /// A key policy.
    KeyPolicy,
    /// A key.
    Key,
}

impl Kind {
    /// All kinds, in the order in which they are changed.
    pub const ALL: [Self; 5] = [Self::Scope, Self::Tenant, Self::ServiceAccount, Self::KeyPolicy, Self::Key];

    /// Returns the name of the kind in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Tenant => "tenant",
            Self::ServiceAccount => "service_account",
            Self::KeyPolicy => "key_policy",
            Self::Key => "key",
        }
    }
}

/// What an entry, a step or a problem is about. Its texts can be printed: they contain neither control characters nor
/// tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    /// The slug of its tenant; `None` for a scope and a tenant.
    pub tenant: Option<String>,
    /// The name or the email address of a key's owner.
    pub owner: Option<String>,
    /// Its name: a scope, a slug, a name, or the code of a key policy.
    pub name: String,
}

impl Subject {
    /// Creates the subject for a scope or a tenant.
    pub fn shared(kind: Kind, name: &str) -> Self {
        Self { kind, tenant: None, owner: None, name: shown(name) }
    }

    /// Creates the subject for something of a tenant.
    pub fn of_tenant(kind: Kind, tenant: &str, name: &str) -> Self {
        Self { tenant: Some(shown(tenant)), ..Self::shared(kind, name) }
    }

    /// Creates the subject for a key.
    pub fn of_key(tenant: &str, owner: &str, name: &str) -> Self {
        Self { owner: Some(shown(owner)), ..Self::of_tenant(Kind::Key, tenant, name) }
    }
}

/// Like `key “ci” of Deployer in acme`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.kind {
            Kind::Scope => write!(f, "scope {name}")?,
            Kind::Tenant => write!(f, "tenant {name}")?,
            Kind::ServiceAccount => write!(f, "service account “{name}”")?,
            Kind::KeyPolicy => write!(f, "key policy {name}")?,
            Kind::Key => write!(f, "key “{name}”")?,
        }
        if let Some(owner) = &self.owner {
            write!(f, " of {owner}")?;
        }
        if let Some(tenant) = &self.tenant {
            write!(f, " in {tenant}")?;
        }
        Ok(())
    }
}

/// Why a file can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the entry, from 1.
    pub line: usize,
    /// What the entry is about; empty if that isn't known.
    pub subject: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Like `line 12, key “ci” of Deployer in acme: …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.subject.is_empty() {
            write!(f, ", {}", self.subject)?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_problems_are_sentences_without_tokens_and_control_characters() {
        let token = format!("lks_{}", "7".repeat(38));
        let subject = Subject::of_key("acme", "Deployer", &format!("ci\u{1b}[31m {token}\u{202e}"));
        assert_eq!(subject.to_string(), "key “ci[31m lks_…” of Deployer in acme");
        assert_eq!(Subject::shared(Kind::Scope, "orders:read").to_string(), "scope orders:read");
        let account = Subject::of_tenant(Kind::ServiceAccount, "acme", "Deployer");
        let problem = Problem { line: 3, subject: account.to_string(), message: "Enter a name.".to_owned() };
        assert_eq!(problem.to_string(), "line 3, service account “Deployer” in acme: Enter a name.");
    }
}
