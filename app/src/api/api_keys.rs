//! Server functions about API keys.

use domain::{ApiKey, IssuedKey, KeyId, Owner, TenantId};
use leptos::{prelude::*, server_fn::codec::Post};
use serde::{Deserialize, Serialize};

use super::wire::Wire;
use crate::error::AppError;

/// What the create dialog sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewApiKey {
    /// For whom; oneself, when `None`.
    pub owner: Option<Owner>,
    /// Where; the session's tenant, when `None`.
    pub tenant_id: Option<TenantId>,
    /// What to call it.
    pub name: String,
    /// RFC 3339 with an offset; never, when `None`.
    pub expires_at: Option<String>,
    /// The dialog's UUID.
    pub idempotency_key: String,
}

/// `Operation::CreateApiKey`.
///
/// # Errors
/// The use case's refusals.
#[server(prefix = "/ui", endpoint = "create_api_key", input = Post<Wire>, output = Post<Wire>)]
pub async fn create_api_key(input: NewApiKey) -> Result<IssuedKey, AppError> {
    use crate::request::{context, refuse};
    let context = context();
    let actor = context.actor().map_err(refuse)?;
    let input = service::CreateApiKey {
        owner: input.owner.unwrap_or_else(|| actor.owner()),
        tenant_id: input.tenant_id,
        name: input.name,
        expires_at: input.expires_at,
        idempotency_key: Some(input.idempotency_key),
    };
    context.services.api_keys().create(actor, &input).await.map_err(refuse)
}

/// `Operation::RevokeApiKey`.
///
/// # Errors
/// The use case's refusals.
#[server(prefix = "/ui", endpoint = "revoke_api_key", input = Post<Wire>, output = Post<Wire>)]
pub async fn revoke_api_key(id: KeyId) -> Result<ApiKey, AppError> {
    use crate::request::{context, refuse};
    let context = context();
    let actor = context.actor().map_err(refuse)?;
    context.services.api_keys().revoke(actor, id).await.map_err(refuse)
}
