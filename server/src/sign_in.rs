//! Signing in, with a two-factor code if the user has one, and signing out.

use std::collections::HashMap;

use app::list_url::encode;
use axum::{
    Extension,
    extract::{Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, UserId};
use http::{Method, StatusCode};
use service::Services;
use tower_sessions::Session;

use crate::{
    form::{Form, own_path},
    middleware::{authenticate::Caller, browsers, sessions},
    problem,
};

/// Middleware for `GET /sign-in`: redirects a user who is already signed in.
pub(crate) async fn skip_if_signed_in(
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::GET && request.uri().path() == "/sign-in" && caller.actor().is_some() {
        return Redirect::to(own_path(query.get("next").map_or("", String::as_str))).into_response();
    }
    next.run(request).await
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(State(services): State<Services>, session: Session, form: Form) -> Response {
    match check_password(&services, &session, &form).await {
        Ok((to, user)) => browsers::remember(Redirect::to(&to).into_response(), user),
        Err(error) => form.show_again(error).await,
    }
}

/// Begins the session, or makes it await a code. Returns the path of the next page, and the user if the session has
/// begun.
async fn check_password(
    services: &Services,
    session: &Session,
    form: &Form,
) -> Result<(String, Option<UserId>), ApiError> {
    let (client, next) = (form.client(), own_path(form.get("next")));
    let signed_in = services.sessions().sign_in(form.get("email"), &form.secret("password"), &client).await?;
    if signed_in.needs_code {
        sessions::await_code(session, signed_in, services.now()).await?;
        return Ok((format!("/sign-in/code?next={}", encode(next)), None));
    }
    sessions::begin(session, signed_in, &client, services.now()).await?;
    Ok((next.to_owned(), Some(signed_in.user_id)))
}

/// Middleware for `GET /sign-in/code`: redirects a user who hasn't just entered a password.
pub(crate) async fn require_password_first(
    State(services): State<Services>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::GET || request.uri().path() != "/sign-in/code" {
        return next.run(request).await;
    }
    match sessions::find_awaiting_code(&session, services.now()).await {
        Ok(Some(_)) => next.run(request).await,
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
        Ok(()) => {
            let response = Redirect::to(own_path(form.get("next"))).into_response();
            browsers::remember(response, Some(signed_in.user_id))
        }
        Err(error) => form.show_again(error).await,
    }
}

/// `POST /user/confirm`: the script confirms the user's password before it calls a server function. A form without
/// script sends the same fields along with its own. Sent by the page of that path, redirects to where it leads.
pub(crate) async fn confirm(State(services): State<Services>, session: Session, mut form: Form) -> Response {
    match form.confirm(&services, &session).await {
        Ok(_) if form.wants_page() => Redirect::to(form.then()).into_response(),
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) if form.wants_page() => form.show_again(error).await,
        Err(error) => problem::json(&error),
    }
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(session: Session) -> Response {
    match sessions::sign_out(&session).await {
        Ok(ended) => (ended.map(Extension), Redirect::to("/sign-in?signed-out=yes")).into_response(),
        Err(error) => problem::of(&error),
    }
}
