//! Commands for people and their memberships.

use clap::Subcommand;
use domain::{ApiError, tenant::RoleError};
use service::Services;

use super::input::{operator_and_id, read_password};

#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// Add a person to a tenant, and create them with a password if they are new; prints their id
    CreateUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        tenant: String,
        /// `TENANT_ADMIN`, `USER` or `READ_ONLY_USER`
        #[arg(long)]
        role: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Invite a person; prints the secret of the link SITE/invitations/SECRET, which is shown only once
    InviteMember {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        email: String,
        #[arg(long)]
        role: String,
    },
    /// Cancel an invitation
    CancelInvitation {
        /// The invitation's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Change a member's role
    SetRole {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        email: String,
        #[arg(long)]
        role: String,
    },
    /// Remove a member from a tenant and revoke their keys there
    RemoveMember {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        email: String,
    },
    /// Change a person's name
    RenameUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
    },
    /// Set a person's password and end their sessions
    ChangePassword {
        #[arg(long)]
        email: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Turn off two-factor authentication for a person who lost the app and the recovery codes
    DisableSecondFactor {
        #[arg(long)]
        email: String,
    },
}

pub(super) async fn run(services: &Services, command: PeopleCommand) -> Result<(), ApiError> {
    let admin = services.admin();
    match command {
        PeopleCommand::CreateUser { email, name, tenant, role, password_stdin } => {
            let password = read_password(password_stdin)?;
            println!("{}", admin.create_user(&email, name.as_deref(), &tenant, &role, &password).await?);
        }
        PeopleCommand::InviteMember { tenant, email, role } => {
            let role = role.parse().map_err(|error: RoleError| ApiError::field("role", error.to_string()))?;
            let issued = services.invitations().invite(&admin.operator(&tenant).await?, &email, role).await?;
            println!("{}", issued.secret.expose());
        }
        PeopleCommand::CancelInvitation { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.invitations().cancel(&operator, id).await?;
        }
        PeopleCommand::SetRole { tenant, email, role } => admin.set_role(&tenant, &email, &role).await?,
        PeopleCommand::RemoveMember { tenant, email } => admin.remove_member(&tenant, &email).await?,
        PeopleCommand::RenameUser { email, name } => admin.rename_user(&email, &name).await?,
        PeopleCommand::ChangePassword { email, password_stdin } => {
            admin.change_password(&email, &read_password(password_stdin)?).await?;
        }
        PeopleCommand::DisableSecondFactor { email } => admin.disable_second_factor(&email).await?,
    }
    Ok(())
}
