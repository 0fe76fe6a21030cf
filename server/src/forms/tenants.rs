//! The forms about tenants as a whole, and invitations.

use std::sync::Arc;

use app::request::FormOutcome;
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use domain::{ApiError, Secret};
use service::Services;
use tower_sessions::Session;

use crate::{
    config::Site,
    form::{Form, START},
    middleware::{authenticate::Caller, sessions},
};

const MEMBERS: &str = "/team/members";
const SETTINGS: &str = "/team/settings";

/// `POST /team/members/invite`: the answer shows the link, this once.
pub(crate) async fn invite(
    State(services): State<Services>,
    State(site): State<Arc<Site>>,
    session: Session,
    form: Form,
) -> Response {
    form.reveal_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        let issued = services.invitations().invite(&actor, form.get("email"), form.get("role")).await?;
        let link = format!("{}/invitations/{}", site.public_url, issued.secret.expose());
        let mailed = issued.is_mailed.then(|| ("mailed".to_owned(), "yes".to_owned()));
        Ok(FormOutcome {
            revealed: vec![Secret::new(link)],
            values: mailed.into_iter().collect(),
            ..FormOutcome::default()
        })
    })
    .await
}

/// `POST /team/members/invitations/{invitation}/cancel`.
pub(crate) async fn cancel_invitation(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    form: Form,
) -> Response {
    form.redirect_after(MEMBERS, "invitation-cancelled", async |_| {
        let id = id.parse().map_err(|_| ApiError::not_found())?;
        Ok(services.invitations().cancel(caller.require()?, id).await?)
    })
    .await
}

/// `POST /team/settings/rename`.
pub(crate) async fn rename(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Response {
    form.redirect_after(SETTINGS, "tenant-renamed", async |form| {
        Ok(services.tenants().rename(caller.require()?, form.get("name")).await.map(drop)?)
    })
    .await
}

/// `POST /tenants/new`: the session stands in the new tenant.
pub(crate) async fn create(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.redirect_after(START, "tenant-created", async |form| {
        let actor = form.confirm(&services, &session).await?;
        let tenants = services.tenants();
        let tenant = tenants.create(&actor, form.get("name"), form.get("slug")).await?;
        sessions::select_tenant(&session, tenant.id).await
    })
    .await
}
