//! Server functions about service accounts.

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

/// One page of the tenant's service accounts.
///
/// # Errors
/// As the use case.
#[server(name = ListAccountsCall, prefix = "/fn", endpoint = "service_accounts", protocol = Reads<ListAccounts>)]
pub async fn list_accounts(input: ListAccounts) -> Result<Page<ServiceAccount>, AppError> {
    let request = context();
    Ok(request.services.service_accounts().list(request.actor()?, &input.query).await?)
}

/// One service account.
///
/// # Errors
/// As the use case.
#[server(name = GetAccountCall, prefix = "/fn", endpoint = "service_account", protocol = Reads<GetAccount>)]
pub async fn get_account(input: GetAccount) -> Result<ServiceAccount, AppError> {
    let request = context();
    Ok(request.services.service_accounts().get(request.actor()?, input.account).await?)
}

#[cfg(feature = "ssr")]
fn changed(account: &ServiceAccount) -> Changed {
    Changed::new(account.id, &account.name)
}

/// Creates a service account. A person chooses its role; the API's default is for programs.
///
/// # Errors
/// As the use case.
#[server(name = CreateAccountCall, prefix = "/fn", endpoint = "create_service_account", protocol = Acts<CreateAccount>)]
pub async fn create_account(input: CreateAccount) -> Result<Changed, AppError> {
    domain::tenant::chosen_role(input.role)?;
    let request = context();
    Ok(changed(&request.services.service_accounts().create(request.actor()?, &input).await?))
}

/// Gives a service account another name.
///
/// # Errors
/// As the use case.
#[server(name = RenameAccountCall, prefix = "/fn", endpoint = "rename_service_account", protocol = Acts<RenameAccount>)]
pub async fn rename_account(input: RenameAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().rename(request.actor()?, input.account, &input.name).await?))
}

/// Gives a service account, and all its keys, another role.
///
/// # Errors
/// As the use case.
#[server(name = ChangeAccountRoleCall, prefix = "/fn", endpoint = "change_service_account_role", protocol = Acts<ChangeAccountRole>)]
pub async fn change_account_role(input: ChangeAccountRole) -> Result<Changed, AppError> {
    let (request, role) = (context(), domain::tenant::chosen_role(input.role)?);
    Ok(changed(&request.services.service_accounts().change_role(request.actor()?, input.account, role).await?))
}

/// Stops a service account and all its keys until it is resumed.
///
/// # Errors
/// As the use case.
#[server(name = SuspendAccountCall, prefix = "/fn", endpoint = "suspend_service_account", protocol = Acts<SuspendAccount>)]
pub async fn suspend_account(input: SuspendAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().suspend(request.actor()?, input.account).await?))
}

/// Lets a suspended service account's keys work again.
///
/// # Errors
/// As the use case.
#[server(name = ResumeAccountCall, prefix = "/fn", endpoint = "resume_service_account", protocol = Acts<ResumeAccount>)]
pub async fn resume_account(input: ResumeAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().resume(request.actor()?, input.account).await?))
}

/// Deletes a service account and revokes all its keys. The page asks for the account's name when it was used lately.
///
/// # Errors
/// As the use case; a field error at `confirmation` when another name was typed.
#[server(name = DeleteAccountCall, prefix = "/fn", endpoint = "delete_service_account", protocol = Acts<DeleteAccount>)]
pub async fn delete_account(input: DeleteAccount) -> Result<Changed, AppError> {
    let request = context();
    Ok(changed(&request.services.service_accounts().delete_confirmed(request.actor()?, &input).await?))
}
