//! Server functions for scopes: the catalogue, and the scopes of a key.

use domain::{
    input::Changed,
    scope::{Catalogue, ListScopes, RemoveScope, SetScope},
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns the scopes that keys can hold.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListScopesCall, prefix = "/fn", endpoint = "scopes", protocol = Reads<ListScopes>)]
pub async fn list_scopes(input: ListScopes) -> Result<Catalogue, AppError> {
    let ListScopes {} = input;
    let request = context();
    Ok(request.services.scopes().list(request.actor()?).await?)
}

/// Adds a scope to the catalogue, or changes it.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SetScopeCall, prefix = "/fn", endpoint = "set_scope", protocol = Acts<SetScope>)]
pub async fn set_scope(input: SetScope) -> Result<Changed, AppError> {
    let request = context();
    let entry = request.services.scopes().set(request.actor()?, &input).await?;
    Ok(Changed::new(&entry.scope, &entry.scope))
}

/// Removes a scope from the catalogue and from all keys.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RemoveScopeCall, prefix = "/fn", endpoint = "remove_scope", protocol = Acts<RemoveScope>)]
pub async fn remove_scope(input: RemoveScope) -> Result<Changed, AppError> {
    let request = context();
    let scope = request.services.scopes().remove(request.actor()?, &input).await?;
    Ok(Changed::new(&scope, &scope))
}
