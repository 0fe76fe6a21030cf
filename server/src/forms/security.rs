//! The forms about a person's sessions and calendar feed.

use std::sync::Arc;

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
    form::{Form, revealed},
    middleware::{authenticate::Caller, sessions},
};

const SESSIONS: &str = "/user/sessions";
const PROFILE: &str = "/user/profile";

/// `POST /user/sessions/{session}/end`.
pub(crate) async fn end(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    form: Form,
) -> Response {
    form.redirect_after(SESSIONS, "session-ended", async |_| {
        let id = id.parse().map_err(|_| ApiError::not_found())?;
        Ok(services.users().end_session(caller.require()?, id).await?)
    })
    .await
}

/// `POST /user/sessions/end-others`.
pub(crate) async fn end_others(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    session: Session,
    form: Form,
) -> Response {
    form.redirect_after(SESSIONS, "sessions-ended", async |_| {
        let this = sessions::digest_of(&session)?;
        Ok(services.users().end_other_sessions(caller.require()?, this).await?)
    })
    .await
}

/// `POST /user/calendar/create`: the answer shows the link, this once.
pub(crate) async fn create_calendar(
    State(services): State<Services>,
    State(site): State<Arc<Site>>,
    session: Session,
    form: Form,
) -> Response {
    form.reveal_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        let secret = services.calendar().create(&actor).await?;
        let link = format!("{}/calendar/{}.ics", site.public_url, secret.expose());
        Ok(revealed(vec![Secret::new(link)]))
    })
    .await
}

/// `POST /user/calendar/revoke`.
pub(crate) async fn revoke_calendar(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Response {
    form.redirect_after(PROFILE, "calendar-revoked", async |_| {
        Ok(services.calendar().revoke(caller.require()?).await?)
    })
    .await
}
