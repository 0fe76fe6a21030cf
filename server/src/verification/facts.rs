//! What a valid key says about itself, in JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{KeyId, Owner, OwnerKind, Role, ScopeSet, TenantId};
use serde::{Serialize, ser::SerializeMap};
use service::VerifiedKey;
use uuid::Uuid;

#[derive(Serialize)]
struct KeyFacts<'a> {
    id: KeyId,
    name: &'a str,
}

#[derive(Serialize)]
struct OwnerFacts<'a> {
    kind: OwnerKind,
    id: Uuid,
    name: &'a str,
}

#[derive(Serialize)]
struct TenantFacts<'a> {
    id: TenantId,
    slug: &'a str,
}

/// The facts.
#[derive(Serialize)]
pub(crate) struct Facts<'a> {
    key: KeyFacts<'a>,
    owner: OwnerFacts<'a>,
    tenant: TenantFacts<'a>,
    role: Role,
    /// `null` for a key that isn't limited to scopes.
    scopes: Option<&'a ScopeSet>,
    expires_at: Option<String>,
}

impl<'a> From<&'a VerifiedKey> for Facts<'a> {
    fn from(key: &'a VerifiedKey) -> Self {
        let (owner, kind) = match key.owner() {
            Owner::User(id) => (id.0, OwnerKind::User),
            Owner::ServiceAccount(id) => (id.0, OwnerKind::ServiceAccount),
        };
        Self {
            key: KeyFacts { id: key.key_id(), name: key.name().as_str() },
            owner: OwnerFacts { kind, id: owner, name: key.owner_name() },
            tenant: TenantFacts { id: key.tenant_id(), slug: key.tenant_slug().as_str() },
            role: key.role(),
            scopes: key.scopes().set(),
            expires_at: key.expires_at().map(rfc3339),
        }
    }
}

impl Facts<'_> {
    /// Writes the facts as members of an object that has begun.
    ///
    /// # Errors
    /// When the object can't be written.
    pub(super) fn write<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry("key", &self.key)?;
        object.serialize_entry("owner", &self.owner)?;
        object.serialize_entry("tenant", &self.tenant)?;
        object.serialize_entry("role", &self.role)?;
        object.serialize_entry("scopes", &self.scopes)?;
        object.serialize_entry("expires_at", &self.expires_at)
    }
}

/// Formats a time as RFC 3339 in UTC, to the second, with `Z`.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
