//! Server functions for service accounts.

use domain::{
    Page, ServiceAccount,
    input::Changed,
    service_account::input::{
        ChangeAccountRole, CreateAccount, DeleteAccount, GetAccount, ListAccounts, RenameAccount, ResumeAccount,
        SuspendAccount,
    },
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns one page of the tenant's service accounts.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListAccountsCall, prefix = "/fn", endpoint = "service_accounts", protocol = Reads<ListAccounts>)]
pub async fn list_accounts(input: ListAccounts) -> Result<Page<ServiceAccount>, AppError> {
    let request = context();
    Ok(request.services.service_accounts().list(request.actor()?, &input.query).await?)
}

/// Returns one service account.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetAccountCall, prefix = "/fn", endpoint = "service_account", protocol = Reads<GetAccount>)]
pub async fn get_account(input: GetAccount) -> Result<ServiceAccount, AppError> {
    let request = context();
    Ok(request.services.service_accounts().get(request.actor()?, input.account).await?)
}

#[cfg(feature = "ssr")]
fn changed(account: &ServiceAccount) -> Changed {
    Changed::new(account.id, &account.name).on(format!("/team/service-accounts/{}", account.id))
}

/// Creates a service account. Unlike the GraphQL API, this function requires a role: it has no default.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CreateAccountCall, prefix = "/fn", endpoint = "create_service_account", protocol = Acts<CreateAccount>)]
pub async fn create_account(input: CreateAccount) -> Result<Changed, AppError> {
    domain::tenant::chosen_role(input.role)?;
    let request = context();
    Ok(changed(&request.services.service_accounts().create(request.actor()?, &input).await?))
}

/// Renames a service account.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RenameAccountCall, prefix = "/fn", endpoint = "rename_service_account", protocol = Acts<RenameAccount>)]
pub async fn rename_account(input: RenameAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().rename(request.actor()?, input.account, &input.name).await?))
}

/// Changes the role of a service account and thereby of its keys.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ChangeAccountRoleCall, prefix = "/fn", endpoint = "change_service_account_role", protocol = Acts<ChangeAccountRole>)]
pub async fn change_account_role(input: ChangeAccountRole) -> Result<Changed, AppError> {
    let (request, role) = (context(), domain::tenant::chosen_role(input.role)?);
    let accounts = request.services.service_accounts();
    Ok(changed(&accounts.change_role_from(request.actor()?, input.account, input.before, role).await?))
}

/// Suspends a service account with all its keys until it is resumed.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SuspendAccountCall, prefix = "/fn", endpoint = "suspend_service_account", protocol = Acts<SuspendAccount>)]
pub async fn suspend_account(input: SuspendAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().suspend(request.actor()?, input.account).await?))
}

/// Resumes a suspended service account, so that its keys work again.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ResumeAccountCall, prefix = "/fn", endpoint = "resume_service_account", protocol = Acts<ResumeAccount>)]
pub async fn resume_account(input: ResumeAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().resume(request.actor()?, input.account).await?))
}

/// Deletes a service account and revokes all its keys. If the account was used in the past 24 hours, its name has to be
/// typed.
///
/// # Errors
/// Returns the errors of the use case, and a field error at `confirmation` when the typed name doesn't match.
#[server(name = DeleteAccountCall, prefix = "/fn", endpoint = "delete_service_account", protocol = Acts<DeleteAccount>)]
pub async fn delete_account(input: DeleteAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().delete_confirmed(request.actor()?, &input).await?))
}
