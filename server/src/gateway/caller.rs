//! Who sends a request to a gateway: the bearer of a key, or a person with a pass.

use std::sync::Arc;

use domain::{ApiError, Owner, OwnerKind, Role, Scope, ScopeGrant, TenantId};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::utf8_percent_encode;
use service::{Authorized, Client, Services, VerifiedKey, Visitor};

use super::entry::{Entry, Wanted};
use crate::verification::{
    facts::rfc3339,
    forward::{ENCODED, EXPIRES_AT, KEY_ID, KEY_NAME, KIND, MAX_LISTED, ROLE, SCOPES, SUBJECT, TENANT, TENANT_ID},
};

/// The name of the key's owner or of the person, percent-encoded.
const NAME: HeaderName = HeaderName::from_static("x-latchkey-name");

/// What a request shows. Not `Debug`: both are secrets.
#[derive(Clone)]
pub(crate) enum Shown {
    /// The token of a key.
    Token(String),
    /// The pass in a browser's cookie.
    Pass(String),
}

/// Somebody who was admitted. Not `Debug`: a pass is a secret.
#[derive(Clone)]
pub(crate) enum Caller {
    /// The bearer of a key.
    Key(VerifiedKey),
    /// A person, and their pass.
    Person(Arc<str>, Visitor),
}

/// Why somebody isn't admitted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What they show isn't valid.
    Invalid,
    /// Their key has reached its rate limit. It may be used again after this number of seconds.
    RateLimited(u32),
    /// They may not do what they want to, with a sentence.
    Role(String),
    /// They lack scopes.
    Scopes(domain::scope::Missing),
    /// It can't be found out.
    Failed(ApiError),
}

/// What identifies a caller whose streams are open, so that each is looked up once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum CallerId {
    Key(domain::KeyId),
    Pass(Arc<str>),
}

impl Caller {
    /// Finds out who shows something, and whether they may do what they want to.
    pub(crate) async fn admit(
        services: &Services,
        (entry, tenant): (&Entry, TenantId),
        shown: Shown,
        wanted: &Wanted,
        client: &Client,
    ) -> Result<Self, Refused> {
        let failed = |error: service::Error| Refused::Failed(error.into());
        let verification = services.verification();
        match shown {
            Shown::Token(token) => {
                let demanded = &wanted.demand.scopes;
                match verification.authorize(&token, demanded, Some(tenant), client).await.map_err(failed)? {
                    Authorized::Granted(key) if wanted.allows(key.role()) => Ok(Self::Key(key)),
                    Authorized::Granted(_) => Err(Refused::Role(wanted.refusal())),
                    Authorized::Lacks(_, missing) => Err(Refused::Scopes(missing)),
                    Authorized::Refused => Err(Refused::Invalid),
                    Authorized::RateLimited(wait) => Err(Refused::RateLimited(wait)),
                }
            }
            Shown::Pass(pass) => {
                let found = services.gateway_passes().find(&pass, &entry.name, tenant, true).await.map_err(failed)?;
                let person = Self::Person(pass.into(), found.ok_or(Refused::Invalid)?);
                match person.may(services, wanted, client).await {
                    Ok(None) => Ok(person),
                    Ok(Some(refused)) => Err(refused),
                    Err(error) => Err(failed(error)),
                }
            }
        }
    }

    /// Returns why somebody may not do something (any more).
    pub(super) async fn may(
        &self,
        services: &Services,
        wanted: &Wanted,
        client: &Client,
    ) -> service::Result<Option<Refused>> {
        let role = self.role();
        let grant = match self {
            Self::Key(key) if !key.allows(client) => return Ok(Some(Refused::Invalid)),
            Self::Key(key) => key.scopes(),
            Self::Person(..) => &ScopeGrant::Unscoped,
        };
        if !wanted.allows(role) {
            return Ok(Some(Refused::Role(wanted.refusal())));
        }
        let lacks = services.verification().lacking(grant, role, &wanted.demand.scopes).await?;
        Ok(lacks.map(Refused::Scopes))
    }

    /// The role, as of when the caller was looked up.
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Key(key) => key.role(),
            Self::Person(_, visitor) => visitor.role,
        }
    }

    /// The tenant in which the caller acts.
    pub(super) fn tenant(&self) -> TenantId {
        match self {
            Self::Key(key) => key.tenant_id(),
            Self::Person(_, visitor) => visitor.tenant_id,
        }
    }

    /// What identifies the caller.
    pub(crate) fn id(&self) -> CallerId {
        match self {
            Self::Key(key) => CallerId::Key(key.key_id()),
            Self::Person(pass, _) => CallerId::Pass(Arc::clone(pass)),
        }
    }

    /// Returns the caller as of now; `None` if they aren't one any more.
    ///
    /// # Errors
    /// When that can't be found out.
    pub(crate) async fn recheck(
        &self,
        services: &Services,
        gateway: &str,
        tenant: TenantId,
    ) -> service::Result<Option<Self>> {
        Ok(match self {
            Self::Key(key) => services.verification().recheck(key).await?.map(Self::Key),
            Self::Person(pass, _) => {
                let found = services.gateway_passes().find(pass, gateway, tenant, false).await?;
                found.map(|visitor| Self::Person(Arc::clone(pass), visitor))
            }
        })
    }

    /// Whether the caller, as of now, may go on with what they wanted.
    pub(crate) async fn may_go_on(
        &self,
        services: &Services,
        wanted: &Wanted,
        client: &Client,
    ) -> service::Result<bool> {
        Ok(self.may(services, wanted, client).await?.is_none())
    }

    /// Names the caller to the upstream: every header, empty if it has no value.
    ///
    /// # Errors
    /// When the scopes can't be read.
    pub(crate) async fn identify(
        &self,
        services: &Services,
        headers: &mut HeaderMap,
        demanded: &[Scope],
    ) -> service::Result<()> {
        write_nobody(headers);
        let text = |text: &str| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        let named = |name: &str| text(&utf8_percent_encode(name, ENCODED).to_string());
        let effective = match self {
            Self::Key(key) => services.verification().effective_scopes(key).await?,
            Self::Person(_, visitor) => services.verification().scopes_of_role(visitor.role).await?,
        };
        let listed = if effective.len() > MAX_LISTED { demanded } else { &effective };
        headers.insert(SCOPES, text(&listed.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")));
        let (owner, name, role, tenant_id, tenant) = match self {
            Self::Key(key) => (key.owner(), key.owner_name(), key.role(), key.tenant_id(), key.tenant_slug()),
            Self::Person(_, visitor) => {
                let owner = Owner::User(visitor.user_id);
                (owner, visitor.name.as_str(), visitor.role, visitor.tenant_id, &visitor.tenant_slug)
            }
        };
        let kind: OwnerKind = owner.kind();
        headers.insert(SUBJECT, text(&owner.to_string()));
        headers.insert(KIND, HeaderValue::from_static(kind.as_str()));
        headers.insert(NAME, named(name));
        headers.insert(ROLE, HeaderValue::from_static(role.as_str()));
        headers.insert(TENANT_ID, text(&tenant_id.to_string()));
        headers.insert(TENANT, text(tenant.as_str()));
        if let Self::Key(key) = self {
            headers.insert(KEY_ID, text(&key.key_id().to_string()));
            headers.insert(KEY_NAME, named(key.name().as_str()));
            headers.insert(EXPIRES_AT, text(&key.expires_at().map(rfc3339).unwrap_or_default()));
        }
        Ok(())
    }
}

/// Tells the upstream that nobody in particular asks.
pub(crate) fn write_nobody(headers: &mut HeaderMap) {
    for name in [SUBJECT, KIND, NAME, KEY_ID, KEY_NAME, TENANT_ID, TENANT, ROLE, SCOPES, EXPIRES_AT] {
        headers.insert(name, HeaderValue::from_static(""));
    }
}
