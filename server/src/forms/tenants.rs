//! The forms about tenants as a whole, and invitations.

use app::request::FormOutcome;
use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use domain::{ApiError, Secret, audit::Channel};
use service::AcceptSignedOut;
use tower_sessions::Session;

use crate::form::{confirm, handle, reveal};
use crate::{
    middleware::{
        authenticate::{Caller, client},
        sessions,
    },
    router::Doors,
};

const MEMBERS: &str = "/team/members";
const SETTINGS: &str = "/team/settings";
const OWN_KEYS: &str = "/user/api-keys";

/// `POST /team/members/invite`: the answer shows the link, this once.
pub(crate) async fn invite(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    reveal(&doors, request, async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        let issued = doors.services.invitations().invite(&actor, fields.get("email"), fields.get("role")).await?;
        let link = format!("{}/invitations/{}", doors.site.public_url, issued.secret.expose());
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
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(&doors, request, (MEMBERS, "invitation-cancelled"), async |_, _| {
        let id = id.parse().map_err(|_| ApiError::not_found())?;
        Ok(doors.services.invitations().cancel(caller.require()?, id).await?)
    })
    .await
}

/// `POST /invitations/{token}`: by who is signed in, as themselves; by who has an account and no tenant, with its password; by
/// anyone else, with a new account.
pub(crate) async fn accept(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(secret): Path<String>,
    session: Session,
    request: Request,
) -> Response {
    handle(&doors, request, (OWN_KEYS, "joined"), async |parts, fields| {
        let invitations = doors.services.invitations();
        if let Some(actor) = caller.actor() {
            let tenant = invitations.accept(actor, &secret).await?;
            return sessions::stand_in(&session, tenant).await;
        }
        let client = client(&parts.headers, &parts.extensions, Channel::Browser);
        let password = Secret::new(fields.get("password"));
        let typed = AcceptSignedOut { name: fields.get("name"), password, code: fields.get("code") };
        let signed_in = invitations.accept_signed_out(&secret, &typed, &client).await?;
        sessions::begin(&session, signed_in, &client, doors.services.now()).await
    })
    .await
}

/// `POST /team/settings/rename`.
pub(crate) async fn rename(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    handle(&doors, request, (SETTINGS, "tenant-renamed"), async |_, fields| {
        Ok(doors.services.tenants().rename(caller.require()?, fields.get("name")).await.map(drop)?)
    })
    .await
}

/// `POST /tenants/new`: the session stands in the new tenant.
pub(crate) async fn create(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    handle(&doors, request, (OWN_KEYS, "tenant-created"), async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        let tenants = doors.services.tenants();
        let tenant = tenants.create(&actor, fields.get("name"), fields.get("slug")).await?;
        sessions::stand_in(&session, tenant.id).await
    })
    .await
}
