//! What a valid key says about itself, in JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{KeyId, OwnerKind, Role, ScopeSet, TenantId};
use serde::Serialize;
use service::VerifiedKey;

#[derive(Serialize)]
struct KeyFacts<'a> {
    id: KeyId,
    name: &'a str,
}

#[derive(Serialize)]
struct OwnerFacts<'a> {
    kind: OwnerKind,
    id: String,
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
        Self {
            key: KeyFacts { id: key.key_id(), name: key.name().as_str() },
            owner: OwnerFacts { kind: key.owner().kind(), id: key.owner().to_string(), name: key.owner_name() },
            tenant: TenantFacts { id: key.tenant_id(), slug: key.tenant_slug().as_str() },
            role: key.role(),
            scopes: key.scopes().set(),
            expires_at: key.expires_at().map(rfc3339),
        }
    }
}

/// Formats a time as RFC 3339 in UTC, to the second, with `Z`.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
