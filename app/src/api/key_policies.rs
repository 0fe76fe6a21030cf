//! Server functions for a tenant's key policies.

use domain::{
    KeyPolicy,
    api_key::{
        input::{ClearKeyPolicy, ListKeyPolicies, PreviewKeyPolicy, SetKeyPolicy},
        policy::KeyPolicyPreview,
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

/// Returns the tenant's key policies.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListKeyPoliciesCall, prefix = "/fn", endpoint = "tenant_policies", protocol = Reads<ListKeyPolicies>)]
pub async fn list_key_policies(input: ListKeyPolicies) -> Result<Vec<KeyPolicy>, AppError> {
    let ListKeyPolicies {} = input;
    let request = context();
    Ok(request.services.tenant_policies().list(request.actor()?).await?)
}

/// Returns the keys that a policy would affect.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = PreviewKeyPolicyCall, prefix = "/fn", endpoint = "policy_preview", protocol = Reads<PreviewKeyPolicy>)]
pub async fn preview_key_policy(input: PreviewKeyPolicy) -> Result<KeyPolicyPreview, AppError> {
    let request = context();
    Ok(request.services.tenant_policies().preview(request.actor()?, &input.policy).await?)
}

/// Turns a key policy on, or changes it.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SetKeyPolicyCall, prefix = "/fn", endpoint = "set_tenant_policy", protocol = Acts<SetKeyPolicy>)]
pub async fn set_key_policy(input: SetKeyPolicy) -> Result<Changed, AppError> {
    let request = context();
    let policy = request.services.tenant_policies().set(request.actor()?, &input).await?;
    Ok(Changed::new(policy.kind.as_str(), policy.kind.label()))
}

/// Turns a key policy off.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ClearKeyPolicyCall, prefix = "/fn", endpoint = "clear_tenant_policy", protocol = Acts<ClearKeyPolicy>)]
pub async fn clear_key_policy(input: ClearKeyPolicy) -> Result<Changed, AppError> {
    let request = context();
    request.services.tenant_policies().clear_shown(request.actor()?, &input).await?;
    let label = domain::KeyPolicyKind::from_code(&input.policy).map(domain::KeyPolicyKind::label);
    Ok(Changed::new(&input.policy, label.unwrap_or_default()))
}
