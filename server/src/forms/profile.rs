//! The forms of a person about themselves.

use axum::{Extension, extract::State, response::Response};
use service::Services;

use crate::{form::Form, middleware::authenticate::Caller};

const PATH: &str = "/user/profile";

/// `POST /user/profile/name`.
pub(crate) async fn name(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Response {
    form.redirect_after(PATH, "profile-changed", async |form| {
        Ok(services.users().rename(caller.require()?, form.get("name")).await?)
    })
    .await
}
