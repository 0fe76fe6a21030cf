//! Server functions for API keys.

use domain::{
    ApiKey, Page, Usage,
    api_key::{
        input::{BulkOutcome, CreateKey, GetKey, GetKeyUsage, ListKeys, ListTenantKeys, RevokeKeys, SuspendKeys},
        view::CreatedKey,
    },
    input::Changed,
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use service::Perform;

#[cfg(feature = "ssr")]
use crate::request::context;

/// Defines the server functions of the acts on a single key. The use case of each implements `service::Perform`.
macro_rules! server_functions {
    ($($call:ident $code:literal $function:ident: $input:ident -> $output:ident;)+) => {$(
        #[doc = concat!("The server function of [`domain::api_key::act::", stringify!($input), "`].")]
        ///
        /// # Errors
        /// Returns the errors of the use case.
        #[server(name = $call, prefix = "/fn", endpoint = $code, protocol = Acts<domain::api_key::act::$input>)]
        pub async fn $function(input: domain::api_key::act::$input) -> Result<$output, AppError> {
            let request = context();
            Ok(request.services.api_keys().perform(request.actor()?, &input).await?)
        }
    )+};
}

domain::with_key_acts!({ server_functions });

/// Creates a key. This response is the only one that contains its token.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CreateKeyCall, prefix = "/fn", endpoint = "create_api_key", protocol = Acts<CreateKey>)]
pub async fn create_api_key(input: CreateKey) -> Result<CreatedKey, AppError> {
    let request = context();
    Ok(request.services.api_keys().create(request.actor()?, &input).await?.into())
}

/// Suspends several keys of the tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SuspendKeysCall, prefix = "/fn", endpoint = "suspend_api_keys", protocol = Acts<SuspendKeys>)]
pub async fn suspend_api_keys(input: SuspendKeys) -> Result<BulkOutcome, AppError> {
    let request = context();
    Ok(request.services.inventory().suspend(request.actor()?, &input.keys.0).await?.require_changed()?)
}

/// Revokes several keys of the tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RevokeKeysCall, prefix = "/fn", endpoint = "revoke_api_keys", protocol = Acts<RevokeKeys>)]
pub async fn revoke_api_keys(input: RevokeKeys) -> Result<BulkOutcome, AppError> {
    let request = context();
    Ok(request.services.inventory().revoke(request.actor()?, &input.keys.0).await?.require_changed()?)
}

/// Returns one page of an owner's keys; without an owner, of the caller's.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListKeysCall, prefix = "/fn", endpoint = "api_keys", protocol = Reads<ListKeys>)]
pub async fn list_api_keys(input: ListKeys) -> Result<Page<ApiKey>, AppError> {
    let request = context();
    let actor = request.actor()?;
    let owner = input.owner.map_or_else(|| actor.require_owner(), Ok)?;
    Ok(request.services.api_keys().list(actor, owner, &input.query).await?)
}

/// Returns one key.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetKeyCall, prefix = "/fn", endpoint = "api_key", protocol = Reads<GetKey>)]
pub async fn get_api_key(input: GetKey) -> Result<ApiKey, AppError> {
    let request = context();
    Ok(request.services.api_keys().get(request.actor()?, input.key).await?)
}

/// Returns by which clients a key was used, and how often.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetKeyUsageCall, prefix = "/fn", endpoint = "api_key_usage", protocol = Reads<GetKeyUsage>)]
pub async fn get_api_key_usage(input: GetKeyUsage) -> Result<Usage, AppError> {
    let request = context();
    Ok(request.services.api_keys().usage(request.actor()?, input.key).await?)
}

/// Returns one page of all keys in the tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListTenantKeysCall, prefix = "/fn", endpoint = "tenant_api_keys", protocol = Reads<ListTenantKeys>)]
pub async fn list_tenant_keys(input: ListTenantKeys) -> Result<Page<ApiKey>, AppError> {
    let request = context();
    Ok(request.services.inventory().list(request.actor()?, &input.query, input.inventory).await?)
}
