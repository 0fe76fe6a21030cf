//! Sets up an empty database: the first tenant and its administrator.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, UserId};
use service::{Services, SetUpInput};
use tower_sessions::Session;

use crate::{
    form::{Form, START},
    middleware::{browsers, sessions},
};

/// `POST /set-up/{token}`. Signs the new administrator in.
pub(crate) async fn set_up(
    State(services): State<Services>,
    Path(token): Path<String>,
    session: Session,
    form: Form,
) -> Response {
    match complete(&services, &token, &session, &form).await {
        Ok(user) => browsers::remember(Redirect::to(START).into_response(), Some(user)),
        Err(error) => form.show_again(error).await,
    }
}

async fn complete(services: &Services, token: &str, session: &Session, form: &Form) -> Result<UserId, ApiError> {
    let input = SetUpInput {
        tenant_name: form.get("tenant_name").to_owned(),
        slug: form.get("slug").to_owned(),
        name: form.get("name").to_owned(),
        email: form.get("email").to_owned(),
        password: form.secret("password"),
    };
    let signed_in = services.set_up().complete(token, &input).await?;
    sessions::begin(session, signed_in, &form.client(), services.now()).await?;
    Ok(signed_in.user_id)
}
