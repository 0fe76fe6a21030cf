//! Who sends a request to a gateway: the bearer of a key, or a person with a pass.

use std::sync::Arc;

use domain::{
    ApiError, KeyId, Owner, OwnerKind, Role, Scope, ScopeGrant, TenantId,
    scope::{Catalogue, effective},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;
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

/// The headers about the bearers of keys that were used last.
pub(crate) type Identities = Cache<KeyId, Arc<Identity>>;

/// How many keys' headers are remembered, about 1 KB each.
const MAX_IDENTITIES: u64 = 4_096;

/// Remembers no headers yet.
pub(crate) fn no_identities() -> Identities {
    Cache::new(MAX_IDENTITIES)
}

/// The headers about the bearer of a key, as long as neither the key nor the catalogue of scopes changes.
pub(crate) struct Identity {
    key: VerifiedKey,
    catalogue: Arc<Catalogue>,
    headers: [(HeaderName, HeaderValue); 9],
    /// `None` if there are too many to list.
    scopes: Option<HeaderValue>,
}

impl Identity {
    fn of(key: &VerifiedKey, catalogue: Arc<Catalogue>) -> Self {
        let headers = [
            (SUBJECT, text(&key.owner().to_string())),
            (KIND, HeaderValue::from_static(key.owner().kind().as_str())),
            (NAME, named(key.owner_name())),
            (KEY_ID, text(&key.key_id().to_string())),
            (KEY_NAME, named(key.name().as_str())),
            (TENANT_ID, text(&key.tenant_id().to_string())),
            (TENANT, text(key.tenant_slug().as_str())),
            (ROLE, HeaderValue::from_static(key.role().as_str())),
            (EXPIRES_AT, text(&key.expires_at().map(rfc3339).unwrap_or_default())),
        ];
        let effective: Vec<&str> =
            effective(key.scopes(), key.role(), &catalogue).map(|entry| entry.scope.as_str()).collect();
        let scopes = (effective.len() <= MAX_LISTED).then(|| text(&effective.join(" ")));
        Self { key: key.clone(), catalogue, headers, scopes }
    }

    /// Returns the headers about a key, from memory if they are there.
    fn find(identities: &Identities, key: &VerifiedKey, catalogue: Arc<Catalogue>) -> Arc<Self> {
        let known = identities.get(&key.key_id());
        let is_current =
            |known: &Arc<Self>| known.key.is_same_reading(key) && Arc::ptr_eq(&known.catalogue, &catalogue);
        known.filter(is_current).unwrap_or_else(|| {
            let new = Arc::new(Self::of(key, catalogue));
            identities.insert(key.key_id(), Arc::clone(&new));
            new
        })
    }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn named(name: &str) -> HeaderValue {
    text(&utf8_percent_encode(name, ENCODED).to_string())
}

fn listed<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> HeaderValue {
    text(&scopes.into_iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
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
    Key(KeyId),
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
                let passes = services.gateway_passes();
                let found = Box::pin(passes.find(&pass, &entry.name, tenant, true)).await.map_err(failed)?;
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
        identities: &Identities,
        headers: &mut HeaderMap,
        demanded: &[Scope],
    ) -> service::Result<()> {
        match self {
            Self::Key(key) => {
                let identity = Identity::find(identities, key, services.verification().catalogue().await?);
                for (name, value) in &identity.headers {
                    headers.insert(name.clone(), value.clone());
                }
                headers.insert(SCOPES, identity.scopes.clone().unwrap_or_else(|| listed(demanded)));
            }
            Self::Person(_, visitor) => {
                let effective = services.verification().scopes_of_role(visitor.role).await?;
                write_nobody(headers);
                headers.insert(SUBJECT, text(&Owner::User(visitor.user_id).to_string()));
                headers.insert(KIND, HeaderValue::from_static(OwnerKind::User.as_str()));
                headers.insert(NAME, named(visitor.name.as_str()));
                headers.insert(ROLE, HeaderValue::from_static(visitor.role.as_str()));
                headers.insert(TENANT_ID, text(&visitor.tenant_id.to_string()));
                headers.insert(TENANT, text(visitor.tenant_slug.as_str()));
                headers.insert(SCOPES, listed(if effective.len() > MAX_LISTED { demanded } else { &effective }));
            }
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
