//! Who sent a request.

use std::{net::IpAddr, sync::Arc};

use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use uuid::Uuid;

use crate::known::Known;

/// The valid key of a request, and its owner. An axum handler takes it as an argument; other services find it in the
/// extensions of the request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Known>);

impl Caller {
    pub(crate) fn new(known: Arc<Known>) -> Self {
        Self(known)
    }

    /// Returns the id of the key, which never changes.
    pub fn key_id(&self) -> Uuid {
        self.0.key
    }

    /// Returns the name of the key.
    pub fn key_name(&self) -> &str {
        &self.0.key_name
    }

    /// Returns the id of the person or the service account that the key acts for.
    pub fn owner_id(&self) -> Uuid {
        self.0.owner
    }

    /// Returns `user` or `service_account`.
    pub fn owner_kind(&self) -> &str {
        &self.0.owner_kind
    }

    /// Returns the name of the owner.
    pub fn owner_name(&self) -> &str {
        &self.0.owner_name
    }

    /// Returns the id of the tenant.
    pub fn tenant_id(&self) -> Uuid {
        self.0.tenant
    }

    /// Returns the slug of the tenant.
    pub fn tenant(&self) -> &str {
        &self.0.tenant_slug
    }

    /// Returns what the owner may do: `TENANT_ADMIN`, `USER` or `READ_ONLY_USER`.
    pub fn role(&self) -> &str {
        &self.0.role
    }

    /// Returns the scopes that the key has, as far as its owner's role allows them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes()
    }

    /// Whether the key has a scope. Doesn't count as a demand for it: the key's page would call the scope unused. Use
    /// [`Caller::demand`] or [`require_scope`](crate::require_scope) to decide about a request.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.has_scope(scope)
    }

    /// Whether the key has a scope that the request needs. Counts as a demand for it, which the key's page shows.
    pub fn demand(&self, scope: &str) -> bool {
        self.0.demand(scope)
    }
}

/// The layer [`Verifier::layer`](crate::Verifier::layer) is missing, so there is no [`Caller`].
#[derive(Clone, Copy, Debug)]
pub struct NoVerifier;

impl IntoResponse for NoVerifier {
    fn into_response(self) -> Response {
        tracing::error!("a route needs the layer of the verifier, which it doesn't have");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NoVerifier;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoVerifier> {
        parts.extensions.get::<Self>().cloned().ok_or(NoVerifier)
    }
}

/// The network address of a request's client, for the usage of its key. A layer outside of the verifier's sets it as an
/// extension of the request, because only the API knows which proxies to trust. Without it, no address is recorded.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);
