//! The forms of a person about themselves.

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use domain::Secret;
use tower_sessions::Session;

use crate::form::handle;
use crate::{
    middleware::{authenticate::Caller, sessions},
    router::Doors,
};

const PATH: &str = "/user/profile";

/// `POST /user/profile/name`.
pub(crate) async fn name(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    handle(&doors, request, (PATH, "profile-changed"), async |_, fields| {
        Ok(doors.services.users().rename(caller.require()?, fields.get("name")).await?)
    })
    .await
}

/// `POST /user/profile/password`.
pub(crate) async fn password(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    session: Session,
    request: Request,
) -> Response {
    handle(&doors, request, (PATH, "password-changed"), async |_, fields| {
        let (current, new) = (Secret::new(fields.get("current_password")), Secret::new(fields.get("password")));
        let session = sessions::digest_of(&session)?;
        Ok(doors.services.users().change_password(caller.require()?, &current, &new, session).await?)
    })
    .await
}
