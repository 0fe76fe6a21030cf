//! Accepting an invitation.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{ApiError, Notice, Operation};
use service::{AcceptSignedOut, Services};
use tower_sessions::Session;

use crate::{
    form::{Form, START},
    middleware::sessions,
};

/// `POST /invitations/{token}`. A signed-in user joins with their account. Anyone else signs in with their account, if
/// it has no tenant left, or creates a new one.
pub(crate) async fn accept(
    State(services): State<Services>,
    Path(token): Path<String>,
    session: Session,
    form: Form,
) -> Response {
    let found = services.invitations().find(&token).await;
    let tenant_name = found.map(|(invitation, _)| invitation.tenant_name.to_string()).unwrap_or_default();
    let notice = Notice::named(Operation::AcceptInvitation, tenant_name);
    form.redirect_after(START, &notice, async |form| match form.find_actor() {
        Some(actor) => {
            let tenant = services.invitations().accept(actor, &token).await?;
            sessions::select_tenant(&session, tenant).await
        }
        None => accept_signed_out(&services, &token, &session, form).await,
    })
    .await
}

async fn accept_signed_out(services: &Services, token: &str, session: &Session, form: &Form) -> Result<(), ApiError> {
    let client = form.client();
    let typed = AcceptSignedOut { name: form.get("name"), password: form.secret("password"), code: form.get("code") };
    let signed_in = services.invitations().accept_signed_out(token, &typed, &client).await?;
    sessions::begin(session, signed_in, &client, services.now()).await
}
