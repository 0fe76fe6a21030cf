//! Commands for service accounts.

use clap::Subcommand;
use domain::{ApiError, tenant::RoleError};
use service::Services;

use super::input::operator_and_id;

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Create a service account; prints its id
    CreateServiceAccount {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
        /// `TENANT_ADMIN` (the default), `USER` or `READ_ONLY_USER`
        #[arg(long)]
        role: Option<String>,
    },
    /// Rename a service account
    RenameServiceAccount {
        /// The service account's id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Change the role of a service account and all its keys
    ChangeServiceAccountRole {
        /// The service account's id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        role: String,
    },
    /// Suspend a service account and all its keys
    SuspendServiceAccount {
        /// The service account's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Resume a suspended service account
    ResumeServiceAccount {
        /// The service account's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Delete a service account and revoke all its keys
    DeleteServiceAccount {
        /// The service account's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
}

pub(super) async fn run(services: &Services, command: AccountCommand) -> Result<(), ApiError> {
    let admin = services.admin();
    match command {
        AccountCommand::CreateServiceAccount { tenant, name, role } => {
            println!("{}", admin.create_service_account(&tenant, &name, role.as_deref()).await?);
        }
        AccountCommand::RenameServiceAccount { id, tenant, name } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.service_accounts().rename(&operator, id, &name).await?;
        }
        AccountCommand::ChangeServiceAccountRole { id, tenant, role } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            let role = role.parse().map_err(|error: RoleError| ApiError::field("role", error.to_string()))?;
            services.service_accounts().change_role(&operator, id, role).await?;
        }
        AccountCommand::SuspendServiceAccount { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.service_accounts().suspend(&operator, id).await?;
        }
        AccountCommand::ResumeServiceAccount { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.service_accounts().resume(&operator, id).await?;
        }
        AccountCommand::DeleteServiceAccount { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.service_accounts().delete(&operator, id).await?;
        }
    }
    Ok(())
}
