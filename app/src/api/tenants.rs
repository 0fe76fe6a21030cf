//! Server functions for tenants.

use domain::{
    Overview, Tenant,
    input::Changed,
    tenant::{
        input::{CreateTenant, GetTenant, RenameTenant},
        overview::GetOverview,
    },
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns the selected tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetTenantCall, prefix = "/fn", endpoint = "tenant", protocol = Reads<GetTenant>)]
pub async fn get_tenant(input: GetTenant) -> Result<Tenant, AppError> {
    let GetTenant {} = input;
    let request = context();
    Ok(request.services.tenants().get(request.actor()?).await?)
}

/// Returns the overview of the selected tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetOverviewCall, prefix = "/fn", endpoint = "tenant_overview", protocol = Reads<GetOverview>)]
pub async fn get_overview(input: GetOverview) -> Result<Overview, AppError> {
    let GetOverview {} = input;
    let request = context();
    Ok(request.services.overviews().get(request.actor()?).await?)
}

/// Creates a tenant with the caller as its administrator, and selects it for the session.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CreateTenantCall, prefix = "/fn", endpoint = "create_tenant", protocol = Acts<CreateTenant>)]
pub async fn create_tenant(input: CreateTenant) -> Result<Changed, AppError> {
    let request = context();
    let tenant = request.services.tenants().create(request.actor()?, &input.name, &input.slug).await?;
    Ok(Changed::new(tenant.id, tenant.name))
}

/// Renames the tenant.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RenameTenantCall, prefix = "/fn", endpoint = "rename_tenant", protocol = Acts<RenameTenant>)]
pub async fn rename_tenant(input: RenameTenant) -> Result<Changed, AppError> {
    let request = context();
    let tenant = request.services.tenants().rename(request.actor()?, &input.name).await?;
    Ok(Changed::new(tenant.id, tenant.name))
}
