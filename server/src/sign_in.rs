//! Signing in, with the second factor's code where there is one, and signing out.

use std::collections::HashMap;

use app::list_url::encode;
use axum::{
    Extension,
    extract::{Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::ApiError;
use service::Services;
use tower_sessions::Session;

use crate::{
    form::{Form, own_path, redirect_with_notice},
    middleware::{authenticate::Caller, sessions},
    pages::{self, PageRenderer},
    problem,
};

/// `GET /sign-in`. Redirects a person who is signed in already.
pub(crate) async fn page(
    State(renderer): State<PageRenderer>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    if caller.actor().is_some() {
        return Redirect::to(own_path(query.get("next").map_or("", String::as_str))).into_response();
    }
    pages::render(State(renderer), request).await
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(State(services): State<Services>, session: Session, form: Form) -> Response {
    match check_password(&services, &session, &form).await {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(error) => form.show_again(error).await,
    }
}

/// Begins the session, or has it wait for a code; the path that follows.
async fn check_password(services: &Services, session: &Session, form: &Form) -> Result<String, ApiError> {
    let (client, next) = (form.client(), own_path(form.get("next")));
    let signed_in = services.sessions().sign_in(form.get("email"), &form.secret("password"), &client).await?;
    if signed_in.needs_code {
        sessions::await_code(session, signed_in, services.now()).await?;
        return Ok(format!("/sign-in/code?next={}", encode(next)));
    }
    sessions::begin(session, signed_in, &client, services.now()).await?;
    Ok(next.to_owned())
}

/// `GET /sign-in/code`. Redirects a person who hasn't just given a password.
pub(crate) async fn code_page(
    State(services): State<Services>,
    State(renderer): State<PageRenderer>,
    session: Session,
    request: Request,
) -> Response {
    match sessions::find_awaiting_code(&session, services.now()).await {
        Ok(Some(_)) => pages::render(State(renderer), request).await,
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(error) => problem::of(&error),
    }
}

/// `POST /sign-in/code`.
pub(crate) async fn check_code(State(services): State<Services>, session: Session, form: Form) -> Response {
    let client = form.client();
    let signed_in = match sessions::find_awaiting_code(&session, services.now()).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => return Redirect::to("/sign-in").into_response(),
        Err(error) => return problem::of(&error),
    };
    let begun = async {
        let signed_in = services.sessions().check_code(signed_in, form.get("code"), &client).await?;
        sessions::begin(&session, signed_in, &client, services.now()).await
    };
    match begun.await {
        Ok(()) => Redirect::to(own_path(form.get("next"))).into_response(),
        Err(error) => form.show_again(error).await,
    }
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(session: Session) -> Response {
    match sessions::end(&session).await {
        Ok(()) => redirect_with_notice("/sign-in", "signed-out"),
        Err(error) => problem::of(&error),
    }
}
