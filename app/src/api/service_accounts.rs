//! Server functions about service accounts.

use domain::{ServiceAccount, ServiceAccountId};
use leptos::{prelude::*, server_fn::codec::Post};

use super::wire::Wire;
use crate::error::AppError;

/// `Operation::CreateServiceAccount`.
///
/// # Errors
/// The use case's refusals.
#[server(prefix = "/ui", endpoint = "create_service_account", input = Post<Wire>, output = Post<Wire>)]
pub async fn create_service_account(
    name: String,
    role: String,
    idempotency_key: String,
) -> Result<ServiceAccount, AppError> {
    use crate::request::{context, refuse};
    let context = context();
    let actor = context.actor().map_err(refuse)?;
    let input = service::CreateServiceAccount { name, role: Some(role), idempotency_key: Some(idempotency_key) };
    context.services.service_accounts().create(actor, &input).await.map_err(refuse)
}

/// `Operation::DeleteServiceAccount`.
///
/// # Errors
/// The use case's refusals.
#[server(prefix = "/ui", endpoint = "delete_service_account", input = Post<Wire>, output = Post<Wire>)]
pub async fn delete_service_account(id: ServiceAccountId) -> Result<ServiceAccount, AppError> {
    use crate::request::{context, refuse};
    let context = context();
    let actor = context.actor().map_err(refuse)?;
    context.services.service_accounts().delete(actor, id).await.map_err(refuse)
}
