//! Server functions for API keys.

use domain::{
    ApiKey, Page, Usage,
    api_key::{
        input::{
            BulkOutcome, CancelRoll, ChangeKeyLimits, CreateKey, ExtendRoll, FinishRoll, GetKey, GetKeyUsage, ListKeys,
            ListTenantKeys, RenameKey, ResumeKey, RevokeKey, RevokeKeys, RollKey, SuspendKey, SuspendKeys,
        },
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
use crate::request::context;

#[cfg(feature = "ssr")]
fn changed(key: &ApiKey) -> Changed {
    Changed::new(key.id, &key.name)
}

/// Creates a key. This response is the only one that contains its token.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CreateKeyCall, prefix = "/fn", endpoint = "create_api_key", protocol = Acts<CreateKey>)]
pub async fn create_api_key(input: CreateKey) -> Result<CreatedKey, AppError> {
    let request = context();
    Ok(request.services.api_keys().create(request.actor()?, &input).await?.into())
}

/// Rotates a key: creates a new one that replaces it. This response is the only one that contains the new token.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RollKeyCall, prefix = "/fn", endpoint = "roll_api_key", protocol = Acts<RollKey>)]
pub async fn roll_api_key(input: RollKey) -> Result<CreatedKey, AppError> {
    let request = context();
    Ok(request.services.rolls().roll(request.actor()?, &input).await?.into())
}

/// Renames a key.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RenameKeyCall, prefix = "/fn", endpoint = "rename_api_key", protocol = Acts<RenameKey>)]
pub async fn rename_api_key(input: RenameKey) -> Result<Changed, AppError> {
    let request = context();
    let key = request.services.api_keys().rename(request.actor()?, input.key, &input.name).await?;
    Ok(changed(&key))
}

/// Changes from which addresses and how often a key may be used.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ChangeKeyLimitsCall, prefix = "/fn", endpoint = "change_api_key_limits", protocol = Acts<ChangeKeyLimits>)]
pub async fn change_key_limits(input: ChangeKeyLimits) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.api_keys().change_limits(request.actor()?, &input).await?))
}

/// Suspends a key until it is resumed.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SuspendKeyCall, prefix = "/fn", endpoint = "suspend_api_key", protocol = Acts<SuspendKey>)]
pub async fn suspend_api_key(input: SuspendKey) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.api_keys().suspend(request.actor()?, input.key).await?))
}

/// Resumes a suspended key.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ResumeKeyCall, prefix = "/fn", endpoint = "resume_api_key", protocol = Acts<ResumeKey>)]
pub async fn resume_api_key(input: ResumeKey) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.api_keys().resume(request.actor()?, input.key).await?))
}

/// Revokes a key permanently.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RevokeKeyCall, prefix = "/fn", endpoint = "delete_api_key", protocol = Acts<RevokeKey>)]
pub async fn revoke_api_key(input: RevokeKey) -> Result<Changed, AppError> {
    let request = context();
    let keys = request.services.api_keys();
    Ok(changed(&keys.revoke_with(request.actor()?, input.key, input.and_created).await?.key))
}

/// Ends the grace period of a rotation now.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = FinishRollCall, prefix = "/fn", endpoint = "finish_roll", protocol = Acts<FinishRoll>)]
pub async fn finish_roll(input: FinishRoll) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.rolls().finish(request.actor()?, input.key).await?))
}

/// Extends the grace period of a rotation.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ExtendRollCall, prefix = "/fn", endpoint = "extend_roll", protocol = Acts<ExtendRoll>)]
pub async fn extend_roll(input: ExtendRoll) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.rolls().extend(request.actor()?, input.key, &input.overlap).await?))
}

/// Undoes a rotation.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CancelRollCall, prefix = "/fn", endpoint = "cancel_roll", protocol = Acts<CancelRoll>)]
pub async fn cancel_roll(input: CancelRoll) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.rolls().cancel(request.actor()?, input.key).await?))
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
