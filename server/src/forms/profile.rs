//! The forms of a person about themselves.

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use domain::{ApiError, Secret};
use tower_sessions::Session;

use super::{again, done, read};
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
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let renamed =
        async { doors.services.users().rename(caller.require()?, fields.get("name")).await.map_err(ApiError::from) };
    match renamed.await {
        Ok(()) => done(PATH, "profile-changed"),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// `POST /user/profile/password`.
pub(crate) async fn password(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    session: Session,
    request: Request,
) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let changed = async {
        let (current, new) = (Secret::new(fields.get("current_password")), Secret::new(fields.get("password")));
        let session = sessions::digest_of(&session)?;
        let users = doors.services.users();
        users.change_password(caller.require()?, &current, &new, session).await.map_err(ApiError::from)
    };
    match changed.await {
        Ok(()) => done(PATH, "password-changed"),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}
