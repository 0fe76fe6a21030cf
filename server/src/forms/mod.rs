//! Plain HTML forms: what the pages do without JavaScript. A success is a redirect, except where a token must be shown;
//! a failure is the same page again, with what was typed and what was wrong.

pub(crate) mod accounts;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod profile;

use std::collections::HashMap;

use app::request::FormOutcome;
use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, Secret, audit::Channel};
use http::{HeaderValue, StatusCode, header, request::Parts};
use service::SetUpInput;
use tower_sessions::Session;

use crate::{
    middleware::{
        authenticate::{Caller, client},
        limits::MOST_BYTES,
        sessions,
    },
    pages,
    rest::problem,
    router::Doors,
};

/// Pages that stay when the tenant is switched; all others lead to one's own keys.
const KEPT_PAGES: [&str; 4] = ["/team/service-accounts", "/team/members", "/user/profile", "/graphiql"];

/// A form's fields, the last of each name.
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// What was typed, to show again. Never a password.
    fn typed(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(name, _)| !name.ends_with("password"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Splits a form's request into its head and its fields.
pub(crate) async fn read(request: Request) -> Result<(Parts, Fields), Response> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/x-www-form-urlencoded."));
    }
    let too_large = |_| problem::answer(StatusCode::PAYLOAD_TOO_LARGE, "The form is larger than 64 KiB.");
    let bytes = axum::body::to_bytes(body, MOST_BYTES).await.map_err(too_large)?;
    let damaged = |_| problem::answer(StatusCode::BAD_REQUEST, "The form is damaged.");
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes).map_err(damaged)?;
    Ok((parts, Fields(pairs.into_iter().collect())))
}

/// The page again, at the error's status.
pub(crate) async fn again(doors: &Doors, parts: Parts, fields: &Fields, error: ApiError) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let form = FormOutcome { values: fields.typed(), error: Some(error.clone()), issued: None };
    let mut response = pages::render_with(doors, Request::from_parts(parts, Body::empty()), form, status).await;
    problem::retry_after(&mut response, &error);
    response
}

/// Says that the answer is for a dialog over a page.
const FOR_DIALOG: &str = "x-latchkey-dialog";

/// To the page's script a redirect is told instead of done: it knows what it shows, and the page where the form leads is
/// asked for once, with its word on what was done.
pub(crate) async fn for_dialogs(request: Request, next: Next) -> Response {
    let is_for_dialog = request.headers().contains_key(FOR_DIALOG);
    let mut response = next.run(request).await;
    if is_for_dialog
        && response.status().is_redirection()
        && let Some(to) = response.headers_mut().remove(header::LOCATION)
    {
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert("x-latchkey-to", to);
    }
    response
}

/// On to a page, which says what was done.
pub(crate) fn done(to: &str, notice: &'static str) -> Response {
    let mut response = Redirect::to(to).into_response();
    let cookie = format!("notice={notice}; Path=/; Max-Age=60; SameSite=Lax; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A path of our own to go back to, or the start: never another site (CWE-601).
pub(crate) fn own_path(text: &str) -> &str {
    let own = text.starts_with('/')
        && !text.starts_with("//")
        && !text.chars().any(|c| c == '\\' || c.is_control() || c.is_whitespace());
    if own { text } else { "/user/api-keys" }
}

/// `GET /sign-in`: one who is signed in needs none.
pub(crate) async fn sign_in_page(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    if caller.actor().is_some() {
        return Redirect::to(own_path(query.get("next").map_or("", String::as_str))).into_response();
    }
    pages::render(State(doors), request).await
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let client = client(&parts.headers, &parts.extensions, Channel::Browser);
    let password = Secret::new(fields.get("password"));
    let outcome =
        doors.services.sessions().sign_in(fields.get("email"), &password, &client).await.map_err(ApiError::from);
    let begun = match outcome {
        Ok(signed_in) => sessions::begin(&session, signed_in, doors.services.now()).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(()) => Redirect::to(own_path(fields.get("next"))).into_response(),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(session: Session) -> Response {
    match sessions::end(&session).await {
        Ok(()) => done("/sign-in", "signed-out"),
        Err(error) => problem::of(&error),
    }
}

/// `POST /set-up/{token}`.
pub(crate) async fn set_up(
    State(doors): State<Doors>,
    Path(token): Path<String>,
    session: Session,
    request: Request,
) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let input = SetUpInput {
        tenant_name: fields.get("tenant_name").to_owned(),
        slug: fields.get("slug").to_owned(),
        name: fields.get("name").to_owned(),
        email: fields.get("email").to_owned(),
        password: Secret::new(fields.get("password")),
    };
    let outcome = doors.services.set_up().complete(&token, &input).await.map_err(ApiError::from);
    let begun = match outcome {
        Ok(signed_in) => sessions::begin(&session, signed_in, doors.services.now()).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(()) => Redirect::to("/user/api-keys").into_response(),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// `POST /switch-tenant`: the page stays, the tenant changes. An id in the path belongs to the old tenant, so a page
/// about one thing gives way to its list.
pub(crate) async fn switch_tenant(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    session: Session,
    request: Request,
) -> Response {
    let (_, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let back = own_path(fields.get("return_to"));
    // The same page in the other tenant; what it was about is in this one.
    let list = KEPT_PAGES.into_iter().find(|page| back.starts_with(page)).unwrap_or("/user/api-keys");
    let switched = async {
        let to = fields.get("tenant_id").parse().map_err(|_| ApiError::not_found())?;
        let tenant = doors.services.users().switch_tenant(caller.require()?, to).await?;
        sessions::stand_in(&session, tenant).await
    };
    match switched.await {
        Ok(()) => Redirect::to(list).into_response(),
        Err(error) => problem::of(&error),
    }
}

/// `POST /preferences/theme`: kept in a cookie for a year, so that the server sends the right colours at once.
pub(crate) async fn theme(request: Request) -> Response {
    let (_, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let theme = app::request::Theme::from_word(fields.get("theme"));
    let mut response = Redirect::to(own_path(fields.get("return_to"))).into_response();
    let cookie = format!("theme={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", theme.word());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_our_own_are_gone_back_to() {
        assert_eq!(own_path("/team/service-accounts?q=a"), "/team/service-accounts?q=a");
        for foreign in ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "evil", "", "/a b"] {
            assert_eq!(own_path(foreign), "/user/api-keys", "{foreign}");
        }
    }
}
