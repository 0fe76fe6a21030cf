//! Commands for people and their memberships.

use clap::{Args, Subcommand};
use domain::{ApiError, Invitation, InvitationId, Member, MemberQuery, Role, User};
use serde::Serialize;
use serde_json::json;
use service::Services;

use super::{
    input::{Format, InTenant, OneFormat, id, read_password, role},
    list::{self, List, Row, time},
    outcome::Answer,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// List the people of all tenants
    ///
    /// Columns: email address, id, name, creation time.
    #[command(after_help = "\
latchkey admin list-users
latchkey admin list-users --json")]
    ListUsers {
        #[command(flatten)]
        format: Format,
    },
    /// List the members of a tenant
    ///
    /// Columns: email address, id, role, name.
    #[command(after_help = "latchkey admin list-members --tenant acme")]
    ListMembers {
        #[command(flatten)]
        place: InTenant,
        #[command(flatten)]
        format: Format,
    },
    /// Add a person to a tenant, and create them with a password if they are new; prints their id
    #[command(after_help = "\
latchkey admin create-user --email ada@example.org --tenant acme --role TENANT_ADMIN --password-stdin < password
latchkey admin create-user --email ada@example.org --tenant other --role USER")]
    CreateUser {
        /// Email address
        #[arg(long)]
        email: String,
        /// Name of a new person. Without it, the part of the email address before the @ is used
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        place: InTenant,
        /// Role in the tenant
        #[arg(long, value_parser = role())]
        role: Role,
        /// Read the password of a new person from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change a member's role
    #[command(after_help = "latchkey admin set-role --tenant acme --email grace@example.org --role USER")]
    SetRole {
        #[command(flatten)]
        member: MemberArgs,
        /// New role
        #[arg(long, value_parser = role())]
        role: Role,
    },
    /// Remove a member from a tenant and revoke their keys there
    #[command(after_help = "latchkey admin remove-member --tenant acme --email grace@example.org")]
    RemoveMember(MemberArgs),
    /// Change a person's name
    #[command(after_help = "latchkey admin rename-user --email grace@example.org --name 'Grace Hopper'")]
    RenameUser {
        /// Email address of the person
        #[arg(long)]
        email: String,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Set a person's password and end their sessions
    #[command(after_help = "\
latchkey admin change-password --email grace@example.org --password-stdin < password")]
    ChangePassword {
        /// Email address of the person
        #[arg(long)]
        email: String,
        /// Read the new password from standard input, which is the only way to pass it
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Turn off two-factor authentication for a person who lost the app and the recovery codes
    #[command(after_help = "latchkey admin disable-second-factor --email grace@example.org")]
    DisableSecondFactor {
        /// Email address of the person
        #[arg(long)]
        email: String,
    },
    /// Accept codes from a person's app again, after too many wrong ones
    #[command(after_help = "latchkey admin unlock-second-factor --email grace@example.org")]
    UnlockSecondFactor {
        /// Email address of the person
        #[arg(long)]
        email: String,
    },
    /// List the open invitations of a tenant
    ///
    /// Columns: id, email address, role, expiry.
    #[command(after_help = "latchkey admin list-invitations --tenant acme")]
    ListInvitations {
        #[command(flatten)]
        place: InTenant,
        #[command(flatten)]
        format: Format,
    },
    /// Invite a person; prints the secret of the link SITE/invitations/SECRET, which is shown only once
    #[command(after_help = "latchkey admin invite-member --tenant acme --email grace@example.org --role USER")]
    InviteMember {
        #[command(flatten)]
        member: MemberArgs,
        /// Role that the person will have
        #[arg(long, value_parser = role())]
        role: Role,
        #[command(flatten)]
        format: OneFormat,
    },
    /// Cancel an invitation
    #[command(after_help = "latchkey admin cancel-invitation {key} --tenant acme")]
    CancelInvitation {
        /// Id of the invitation
        #[arg(value_parser = id::<InvitationId>)]
        id: InvitationId,
        #[command(flatten)]
        place: InTenant,
    },
}

#[derive(Args, Debug)]
pub(super) struct MemberArgs {
    #[command(flatten)]
    place: InTenant,
    /// Email address of the person
    #[arg(long)]
    email: String,
}

#[derive(Serialize)]
struct MemberRow {
    email: String,
    id: String,
    role: Role,
    name: String,
}

impl From<Member> for MemberRow {
    fn from(member: Member) -> Self {
        Self {
            email: member.email.as_str().to_owned(),
            id: member.user_id.to_string(),
            role: member.role,
            name: member.name.to_string(),
        }
    }
}

impl Row for MemberRow {
    fn columns(&self) -> Vec<String> {
        vec![self.email.clone(), self.id.clone(), self.role.as_str().to_owned(), self.name.clone()]
    }
}

#[derive(Serialize)]
struct UserRow {
    email: String,
    id: String,
    name: String,
    created_at: String,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        Self {
            email: user.email.as_str().to_owned(),
            id: user.id.to_string(),
            name: user.name.to_string(),
            created_at: time(user.created_at),
        }
    }
}

impl Row for UserRow {
    fn columns(&self) -> Vec<String> {
        vec![self.email.clone(), self.id.clone(), self.name.clone(), self.created_at.clone()]
    }
}

#[derive(Serialize)]
struct InvitationRow {
    id: String,
    email: String,
    role: Role,
    created_at: String,
    created_by: String,
    created_by_key: Option<String>,
    expires_at: String,
}

impl From<Invitation> for InvitationRow {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role,
            created_at: time(invitation.created_at),
            created_by: invitation.created_by,
            created_by_key: invitation.created_by_key.map(|id| id.to_string()),
            expires_at: time(invitation.expires_at),
        }
    }
}

impl Row for InvitationRow {
    fn columns(&self) -> Vec<String> {
        vec![self.id.clone(), self.email.clone(), self.role.as_str().to_owned(), self.expires_at.clone()]
    }
}

pub(super) async fn run(services: &Services, command: PeopleCommand) -> Answer {
    let admin = services.admin();
    match command {
        PeopleCommand::ListUsers { format } => list_users(services, format).await?,
        PeopleCommand::ListMembers { place, format } => list_members(services, &place.tenant, format).await?,
        PeopleCommand::CreateUser { email, name, place, role, password_stdin } => {
            let password = read_password(password_stdin)?;
            let created = admin.create_user(&email, name.as_deref(), &place.tenant, role.as_str(), &password).await;
            let id = created.map_err(|error| match ApiError::from(error) {
                error if !password_stdin && error.at("password").is_some() => no_password(&email),
                error => error,
            })?;
            output::line(id)?;
        }
        PeopleCommand::SetRole { member, role } => {
            admin.set_role(&member.place.tenant, &member.email, role.as_str()).await?;
        }
        PeopleCommand::RemoveMember(member) => admin.remove_member(&member.place.tenant, &member.email).await?,
        PeopleCommand::RenameUser { email, name } => admin.rename_user(&email, &name).await?,
        PeopleCommand::ChangePassword { email, password_stdin } => {
            admin.change_password(&email, &read_password(password_stdin)?).await?;
        }
        PeopleCommand::DisableSecondFactor { email } => admin.disable_second_factor(&email).await?,
        PeopleCommand::UnlockSecondFactor { email } => admin.unlock_second_factor(&email).await?,
        PeopleCommand::ListInvitations { place, format } => {
            let invitations = services.invitations().list(&admin.operator(&place.tenant).await?).await?;
            let mut out = List::new(format);
            out.write(invitations.into_iter().map(InvitationRow::from))?;
            out.end("The tenant has no open invitations.");
        }
        PeopleCommand::InviteMember { member: MemberArgs { place, email }, role, format } => {
            let issued = services.invitations().invite(&admin.operator(&place.tenant).await?, &email, role).await?;
            output::message(format!("Created invitation {}.", issued.invitation.id));
            let secret = issued.secret.expose();
            if format.json {
                output::line(json!({ "id": issued.invitation.id.to_string(), "secret": secret }))?;
            } else {
                output::line(secret)?;
            }
        }
        PeopleCommand::CancelInvitation { id, place } => {
            services.invitations().cancel(&admin.operator(&place.tenant).await?, id).await?;
        }
    }
    Ok(())
}

fn no_password(email: &str) -> ApiError {
    let message = format!("{email} is new and needs a password. Pass it on standard input, with --password-stdin.");
    ApiError::field("password", message)
}

async fn list_members(services: &Services, tenant: &str, format: Format) -> Answer {
    let operator = services.admin().operator(tenant).await?;
    let (mut out, mut page) = (List::new(format), Some(list::first_page()));
    while let Some(request) = page {
        let query = MemberQuery { page: request, ..MemberQuery::default() };
        page = out.write_page(services.members().list(&operator, &query).await?, MemberRow::from)?;
    }
    out.end("The tenant has no members.");
    Ok(())
}

async fn list_users(services: &Services, format: Format) -> Answer {
    let (mut out, mut after) = (List::new(format), None);
    loop {
        let users = services.admin().list_users(after.as_ref()).await?;
        after = users.last().map(|user| user.email.clone());
        out.write(users.into_iter().map(UserRow::from))?;
        if after.is_none() || out.is_closed() {
            break;
        }
    }
    out.end("There are no people.");
    Ok(())
}
