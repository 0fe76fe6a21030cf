//! Commands for service accounts.

use clap::{Args, Subcommand};
use domain::{AccountQuery, ApiError, Role, ServiceAccount, ServiceAccountId, service_account::account::AccountState};
use serde::Serialize;
use service::Services;

use super::{
    input::{Format, InTenant, id, role},
    list::{self, List, Row, time},
};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// List the service accounts of a tenant that aren't deleted
    ///
    /// Columns: id, state, role, name, number of keys that work now, last use.
    ListServiceAccounts {
        #[command(flatten)]
        place: InTenant,
        #[command(flatten)]
        format: Format,
    },
    /// Create a service account; prints its id
    CreateServiceAccount {
        #[command(flatten)]
        place: InTenant,
        /// Name of the new service account
        #[arg(long)]
        name: String,
        /// Role of the service account and of its keys
        #[arg(long, value_parser = role(), default_value = "TENANT_ADMIN")]
        role: Role,
    },
    /// Rename a service account
    RenameServiceAccount {
        #[command(flatten)]
        account: Account,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Change the role of a service account and all its keys
    ChangeServiceAccountRole {
        #[command(flatten)]
        account: Account,
        /// New role
        #[arg(long, value_parser = role())]
        role: Role,
    },
    /// Suspend a service account and all its keys
    SuspendServiceAccount(Account),
    /// Resume a suspended service account
    ResumeServiceAccount(Account),
    /// Delete a service account and revoke all its keys
    DeleteServiceAccount(Account),
}

#[derive(Args, Debug)]
pub(super) struct Account {
    /// Id of the service account
    #[arg(value_parser = id::<ServiceAccountId>)]
    id: ServiceAccountId,
    #[command(flatten)]
    place: InTenant,
}

#[derive(Serialize)]
struct AccountRow {
    id: String,
    state: &'static str,
    role: Role,
    name: String,
    active_keys: u32,
    created_at: String,
    created_by: String,
    last_used_at: Option<String>,
}

impl From<ServiceAccount> for AccountRow {
    fn from(account: ServiceAccount) -> Self {
        let state = match account.state() {
            AccountState::Active => "active",
            AccountState::Suspended { .. } => "suspended",
            AccountState::Deleted { .. } => "deleted",
        };
        Self {
            id: account.id.to_string(),
            state,
            role: account.role,
            name: account.name.to_string(),
            active_keys: account.active_keys,
            created_at: time(account.created_at),
            created_by: account.created_by,
            last_used_at: account.last_used.map(|last| time(last.at)),
        }
    }
}

impl Row for AccountRow {
    fn columns(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.state.to_owned(),
            self.role.as_str().to_owned(),
            self.name.clone(),
            self.active_keys.to_string(),
            list::or_dash(self.last_used_at.as_ref()),
        ]
    }
}

pub(super) async fn run(services: &Services, command: AccountCommand) -> Result<(), ApiError> {
    let (admin, accounts) = (services.admin(), services.service_accounts());
    match command {
        AccountCommand::ListServiceAccounts { place, format } => list(services, &place.tenant, format).await?,
        AccountCommand::CreateServiceAccount { place, name, role } => {
            println!("{}", admin.create_service_account(&place.tenant, &name, Some(role.as_str())).await?);
        }
        AccountCommand::RenameServiceAccount { account: Account { id, place }, name } => {
            accounts.rename(&admin.operator(&place.tenant).await?, id, &name).await?;
        }
        AccountCommand::ChangeServiceAccountRole { account: Account { id, place }, role } => {
            accounts.change_role(&admin.operator(&place.tenant).await?, id, role).await?;
        }
        AccountCommand::SuspendServiceAccount(Account { id, place }) => {
            accounts.suspend(&admin.operator(&place.tenant).await?, id).await?;
        }
        AccountCommand::ResumeServiceAccount(Account { id, place }) => {
            accounts.resume(&admin.operator(&place.tenant).await?, id).await?;
        }
        AccountCommand::DeleteServiceAccount(Account { id, place }) => {
            accounts.delete(&admin.operator(&place.tenant).await?, id).await?;
        }
    }
    Ok(())
}

async fn list(services: &Services, tenant: &str, format: Format) -> Result<(), ApiError> {
    let operator = services.admin().operator(tenant).await?;
    let (mut out, mut page) = (List::new(format), Some(list::first_page()));
    while let Some(request) = page {
        let query = AccountQuery { page: request, ..AccountQuery::default() };
        page = out.write_page(services.service_accounts().list(&operator, &query).await?, AccountRow::from);
    }
    out.end("The tenant has no service accounts.");
    Ok(())
}
