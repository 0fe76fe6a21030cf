//! Changes the user's own password.

use axum::{extract::State, response::Response};
use domain::{Notice, Operation};
use service::Services;
use tower_sessions::Session;

use crate::{form::Form, middleware::sessions};

/// `POST /user/profile/password`. Ends the user's other sessions.
pub(crate) async fn change(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.redirect_after("/user/profile", &Notice::of(Operation::ChangePassword), async |form| {
        let (current, new) = (form.secret("current_password"), form.secret("password"));
        let this = sessions::digest_of(&session)?;
        let ends_calendars = form.get("end_calendars") == "true";
        let users = services.users();
        let mark = users.change_password(form.actor()?, &current, &new, this, ends_calendars).await?;
        sessions::set_password(&session, mark).await
    })
    .await
}
