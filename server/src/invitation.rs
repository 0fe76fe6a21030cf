//! Accepting an invitation.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{ApiError, Invitation, Notice, Operation, UserId};
use service::{AcceptSignedOut, Services};
use tower_sessions::Session;

use crate::{
    form::{Form, START, redirect_with_notice},
    middleware::{browsers, sessions},
};

/// `POST /invitations/{token}`. A signed-in user joins with their account. Anyone else signs in with their account, if
/// it has no tenant left, or creates a new one.
pub(crate) async fn accept(
    State(services): State<Services>,
    Path(token): Path<String>,
    session: Session,
    form: Form,
) -> Response {
    match join(&services, &token, &session, &form).await {
        Ok((invitation, user)) => {
            let notice = Notice::named(Operation::AcceptInvitation, invitation.tenant_name.to_string());
            browsers::remember(redirect_with_notice(START, &notice), user)
        }
        Err(error) => form.show_again(error).await,
    }
}

/// Accepts the invitation, and selects its tenant in the session. Also returns the user, if they have signed in by this.
async fn join(
    services: &Services,
    token: &str,
    session: &Session,
    form: &Form,
) -> Result<(Invitation, Option<UserId>), ApiError> {
    if let Some(actor) = form.find_actor() {
        let invitation = services.invitations().accept(actor, token).await?;
        sessions::select_tenant(session, invitation.tenant_id).await?;
        return Ok((invitation, None));
    }
    let client = form.client();
    let typed = AcceptSignedOut { name: form.get("name"), password: form.secret("password"), code: form.get("code") };
    let (signed_in, invitation) = services.invitations().accept_signed_out(token, &typed, &client).await?;
    sessions::begin(session, signed_in, &client, services.now()).await?;
    Ok((invitation, Some(signed_in.user_id)))
}
