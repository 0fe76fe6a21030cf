//! Commands for service accounts.

use clap::{Args, Subcommand};
use domain::{AccountQuery, Role, ServiceAccount, ServiceAccountId, service_account::account::AccountState};
use serde::Serialize;
use service::{Actor, Services};

use super::{
    input::{Format, InTenant, role},
    list::{self, List, Row, time},
    outcome::Answer,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// List the service accounts of a tenant that aren't deleted
    ///
    /// Columns: id, state, role, name, number of keys that work now, last use.
    #[command(after_help = "latchkey admin list-service-accounts --tenant acme --json")]
    ListServiceAccounts {
        #[command(flatten)]
        place: InTenant,
        #[command(flatten)]
        format: Format,
    },
    /// Create a service account; prints its id
    #[command(after_help = "latchkey admin create-service-account --tenant acme --name Deployer --role USER")]
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
    #[command(after_help = "latchkey admin rename-service-account Deployer --tenant acme --name Deployments")]
    RenameServiceAccount {
        #[command(flatten)]
        account: Account,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Change the role of a service account and all its keys
    #[command(after_help = "latchkey admin change-service-account-role Deployer --tenant acme --role USER")]
    ChangeServiceAccountRole {
        #[command(flatten)]
        account: Account,
        /// New role
        #[arg(long, value_parser = role())]
        role: Role,
    },
    /// Suspend a service account and all its keys
    #[command(after_help = "latchkey admin suspend-service-account Deployer --tenant acme")]
    SuspendServiceAccount(Account),
    /// Resume a suspended service account
    #[command(after_help = "latchkey admin resume-service-account Deployer --tenant acme")]
    ResumeServiceAccount(Account),
    /// Delete a service account and revoke all its keys
    #[command(after_help = "latchkey admin delete-service-account {key} --tenant acme")]
    DeleteServiceAccount(Account),
}

#[derive(Args, Debug)]
pub(super) struct Account {
    /// Name or id of the service account
    #[arg(value_name = "NAME_OR_ID")]
    account: String,
    #[command(flatten)]
    place: InTenant,
}

impl Account {
    /// Returns the operator and the account.
    async fn find(&self, services: &Services) -> Answer<(Actor, ServiceAccountId)> {
        let admin = services.admin();
        let operator = admin.operator(&self.place.tenant).await?;
        let account = admin.service_account(&operator, &self.account).await?;
        Ok((operator, account))
    }
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

pub(super) async fn run(services: &Services, command: AccountCommand) -> Answer {
    let (admin, accounts) = (services.admin(), services.service_accounts());
    match command {
        AccountCommand::ListServiceAccounts { place, format } => list(services, &place.tenant, format).await?,
        AccountCommand::CreateServiceAccount { place, name, role } => {
            output::line(admin.create_service_account(&place.tenant, &name, Some(role.as_str())).await?)?;
        }
        AccountCommand::RenameServiceAccount { account, name } => {
            let (operator, id) = account.find(services).await?;
            accounts.rename(&operator, id, &name).await?;
        }
        AccountCommand::ChangeServiceAccountRole { account, role } => {
            let (operator, id) = account.find(services).await?;
            accounts.change_role(&operator, id, role).await?;
        }
        AccountCommand::SuspendServiceAccount(account) => {
            let (operator, id) = account.find(services).await?;
            accounts.suspend(&operator, id).await?;
        }
        AccountCommand::ResumeServiceAccount(account) => {
            let (operator, id) = account.find(services).await?;
            accounts.resume(&operator, id).await?;
        }
        AccountCommand::DeleteServiceAccount(account) => {
            let (operator, id) = account.find(services).await?;
            accounts.delete(&operator, id).await?;
        }
    }
    Ok(())
}

async fn list(services: &Services, tenant: &str, format: Format) -> Answer {
    let operator = services.admin().operator(tenant).await?;
    let (mut out, mut page) = (List::new(format), Some(list::first_page()));
    while let Some(request) = page {
        let query = AccountQuery { page: request, ..AccountQuery::default() };
        page = out.write_page(services.service_accounts().list(&operator, &query).await?, AccountRow::from)?;
    }
    out.end("The tenant has no service accounts.");
    Ok(())
}
