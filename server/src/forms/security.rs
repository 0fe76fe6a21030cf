//! The forms about a person's sessions and second factor.

use app::request::FormOutcome;
use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use domain::{ApiError, Secret};
use tower_sessions::Session;

use crate::form::{confirm, handle, reveal};
use crate::{
    middleware::{authenticate::Caller, sessions},
    router::Doors,
};

const SESSIONS: &str = "/user/sessions";
const PROFILE: &str = "/user/profile";
const ENABLE: &str = "/user/second-factor/enable";

/// `POST /user/sessions/{session}/end`.
pub(crate) async fn end(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(&doors, request, (SESSIONS, "session-ended"), async |_, _| {
        let id = id.parse().map_err(|_| ApiError::not_found())?;
        Ok(doors.services.users().end_session(caller.require()?, id).await?)
    })
    .await
}

/// `POST /user/sessions/end-others`.
pub(crate) async fn end_others(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    session: Session,
    request: Request,
) -> Response {
    handle(&doors, request, (SESSIONS, "sessions-ended"), async |_, _| {
        let this = sessions::digest_of(&session)?;
        Ok(doors.services.users().end_other_sessions(caller.require()?, this).await?)
    })
    .await
}

/// `POST /user/second-factor/begin`: the secret stands on the page that follows.
pub(crate) async fn begin(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    handle(&doors, request, (ENABLE, "second-factor-begun"), async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        Ok(doors.services.second_factors().begin(&actor).await.map(drop)?)
    })
    .await
}

/// `POST /user/second-factor/enable`: the answer shows the recovery codes, this once.
pub(crate) async fn enable(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    reveal(&doors, request, async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        Ok(shown(doors.services.second_factors().enable(&actor, fields.get("code")).await?))
    })
    .await
}

/// `POST /user/second-factor/codes`: the answer shows the new recovery codes, this once.
pub(crate) async fn renew_codes(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    reveal(&doors, request, async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        Ok(shown(doors.services.second_factors().renew_codes(&actor).await?))
    })
    .await
}

/// `POST /user/second-factor/disable`.
pub(crate) async fn disable(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    handle(&doors, request, (PROFILE, "second-factor-disabled"), async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        Ok(doors.services.second_factors().disable(&actor).await?)
    })
    .await
}

/// `POST /user/calendar/create`: the answer shows the link, this once.
pub(crate) async fn create_calendar(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    reveal(&doors, request, async |parts, fields| {
        let actor = confirm(&doors, &session, parts, fields).await?;
        let secret = doors.services.calendar().create(&actor).await?;
        let link = format!("{}/calendar/{}.ics", doors.site.public_url, secret.expose());
        Ok(shown(vec![Secret::new(link)]))
    })
    .await
}

/// `POST /user/calendar/revoke`.
pub(crate) async fn revoke_calendar(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    handle(&doors, request, (PROFILE, "calendar-revoked"), async |_, _| {
        Ok(doors.services.calendar().revoke(caller.require()?).await?)
    })
    .await
}

fn shown(secrets: Vec<Secret>) -> FormOutcome {
    FormOutcome { revealed: secrets, ..FormOutcome::default() }
}
