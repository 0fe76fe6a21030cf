//! Server functions for members and invitations.

use domain::{
    Invitation, Member, Page,
    input::Changed,
    outcome::IssuedLink,
    tenant::input::{CancelInvitation, InviteMember, ListInvitations},
    user::input::{ChangeMemberRole, Done, ListMembers, RemoveMember, UnlockSecondFactor},
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns one page of the tenant's members.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListMembersCall, prefix = "/fn", endpoint = "members", protocol = Reads<ListMembers>)]
pub async fn list_members(input: ListMembers) -> Result<Page<Member>, AppError> {
    let request = context();
    Ok(request.services.members().list(request.actor()?, &input.query).await?)
}

/// Changes a member's role.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ChangeMemberRoleCall, prefix = "/fn", endpoint = "change_member_role", protocol = Acts<ChangeMemberRole>)]
pub async fn change_member_role(input: ChangeMemberRole) -> Result<Changed, AppError> {
    let (request, role) = (context(), domain::tenant::chosen_role(input.role)?);
    let member = request.services.members().change_role_from(request.actor()?, input.user, input.before, role).await?;
    Ok(Changed::new(member.user_id, member.name))
}

/// Removes a member from the tenant, and revokes the member's keys in it.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RemoveMemberCall, prefix = "/fn", endpoint = "remove_member", protocol = Acts<RemoveMember>)]
pub async fn remove_member(input: RemoveMember) -> Result<Changed, AppError> {
    let request = context();
    let member = request.services.members().remove(request.actor()?, input.user).await?;
    Ok(Changed::new(member.user_id, member.name))
}

/// Accepts a member's two-factor codes again, after too many wrong ones.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = UnlockSecondFactorCall, prefix = "/fn", endpoint = "unlock_second_factor", protocol = Acts<UnlockSecondFactor>)]
pub async fn unlock_second_factor(input: UnlockSecondFactor) -> Result<Changed, AppError> {
    let request = context();
    let member = request.services.members().unlock_second_factor(request.actor()?, input.user).await?;
    Ok(Changed::new(member.user_id, member.name))
}

/// Invites a person. This response is the only one that contains the link.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = InviteMemberCall, prefix = "/fn", endpoint = "invite_member", protocol = Acts<InviteMember>)]
pub async fn invite_member(input: InviteMember) -> Result<IssuedLink, AppError> {
    let (request, role) = (context(), domain::tenant::chosen_role(input.role)?);
    let issued = request.services.invitations().invite(request.actor()?, &input.email, role).await?;
    let link = domain::Secret::new(format!("{}/invitations/{}", request.public_url, issued.secret.expose()));
    Ok(IssuedLink { link, is_mailed: issued.is_mailed })
}

/// Returns the tenant's open invitations.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListInvitationsCall, prefix = "/fn", endpoint = "invitations", protocol = Reads<ListInvitations>)]
pub async fn list_invitations(input: ListInvitations) -> Result<Vec<Invitation>, AppError> {
    let ListInvitations {} = input;
    let request = context();
    Ok(request.services.invitations().list(request.actor()?).await?)
}

/// Cancels an invitation.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CancelInvitationCall, prefix = "/fn", endpoint = "cancel_invitation", protocol = Acts<CancelInvitation>)]
pub async fn cancel_invitation(input: CancelInvitation) -> Result<Done, AppError> {
    let request = context();
    request.services.invitations().cancel(request.actor()?, input.invitation).await?;
    Ok(Done {})
}
