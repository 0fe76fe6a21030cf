//! Plain HTML forms: what the pages do without JavaScript. A success is a redirect, except where a token must be shown;
//! a failure is the same page again, with what was typed and what was wrong.

use std::collections::HashMap;

use app::{list_url::is_own_path, request::FormOutcome};
use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, Secret, audit::Channel};
use http::{HeaderValue, StatusCode, header, request::Parts};
use service::{Actor, SetUpInput};
use tower_sessions::Session;

use crate::{
    middleware::{
        authenticate::{Caller, client},
        limits::MOST_BYTES,
        sessions,
    },
    pages, problem,
    router::Doors,
};

/// Pages that stay when the tenant is switched; all others lead to one's own keys.
const KEPT_PAGES: [&str; 8] = [
    "/team/service-accounts",
    "/team/members",
    "/team/settings",
    "/team/keys",
    "/team/audit-log",
    "/user/profile",
    "/user/sessions",
    "/graphiql",
];

/// A form's fields, the last of each name.
pub(crate) struct Fields(pub(crate) HashMap<String, String>);

impl Fields {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// What was typed, to show again. Never a password.
    fn typed(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(name, _)| !name.ends_with("password") && !name.ends_with("code"))
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

/// The same for a form of a signed-in person, who must still stand in the tenant where its page was opened: another window
/// may have switched meanwhile. Then the page comes again, in the present tenant, and says so.
pub(crate) async fn read_in_place(doors: &Doors, request: Request) -> Result<(Parts, Fields), Response> {
    let (parts, fields) = read(request).await?;
    let actor = parts.extensions.get::<Caller>().and_then(Caller::actor);
    let place = fields.get(app::components::place::FIELD);
    if place.is_empty() || actor.is_none_or(|actor| actor.tenant_id().to_string() == place) {
        return Ok((parts, fields));
    }
    let message =
        "You stand in another tenant than when this page was opened. Nothing was changed: look again before you go on.";
    let error = ApiError::new(domain::ErrorCode::Conflict, message);
    let is_for_dialog = parts.headers.contains_key(FOR_DIALOG);
    let mut page = again(doors, parts, &fields, error).await;
    if page.status() != StatusCode::CONFLICT {
        // What the form was about isn't in the present tenant.
        return Err(done("/user/api-keys", "elsewhere"));
    }
    if is_for_dialog {
        // The page's script leaves for the page itself, which says it then.
        tell(&mut page, "elsewhere");
    }
    Err(page)
}

/// The page again, at the error's status.
pub(crate) async fn again(doors: &Doors, parts: Parts, fields: &Fields, error: ApiError) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let form = FormOutcome { values: fields.typed(), error: Some(error.clone()), ..FormOutcome::default() };
    let mut response = pages::render_with(doors, Request::from_parts(parts, Body::empty()), form, status).await;
    problem::retry_after(&mut response, &error);
    response
}

/// Does what a form asks, and leads on with a word on what was done; or shows the page again with what was wrong.
pub(crate) async fn handle(
    doors: &Doors,
    request: Request,
    then: (&str, &'static str),
    act: impl AsyncFnOnce(&mut Parts, &Fields) -> Result<(), ApiError>,
) -> Response {
    let (mut parts, fields) = match read_in_place(doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match act(&mut parts, &fields).await {
        Ok(()) => done(then.0, then.1),
        Err(error) => again(doors, parts, &fields, error).await,
    }
}

/// Does what a form asks, and shows what came of it, this once; or the page again with what was wrong.
pub(crate) async fn reveal(
    doors: &Doors,
    request: Request,
    act: impl AsyncFnOnce(&mut Parts, &Fields) -> Result<FormOutcome, ApiError>,
) -> Response {
    let (mut parts, fields) = match read_in_place(doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match act(&mut parts, &fields).await {
        Ok(form) => pages::render_with(doors, Request::from_parts(parts, Body::empty()), form, StatusCode::OK).await,
        Err(error) => again(doors, parts, &fields, error).await,
    }
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
    tell(&mut response, notice);
    response
}

/// Lets the next page say a notice.
fn tell(response: &mut Response, notice: &'static str) {
    let cookie = format!("notice={notice}; Path=/; Max-Age=60; SameSite=Lax; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A path of our own to go back to, or the start.
pub(crate) fn own_path(text: &str) -> &str {
    if is_own_path(text) { text } else { "/user/api-keys" }
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
    let (now, next) = (doors.services.now(), own_path(fields.get("next")));
    let begun = match outcome {
        Ok(signed_in) if signed_in.needs_code => {
            let to = format!("/sign-in/code?next={}", app::list_url::encode(next));
            sessions::await_code(&session, signed_in, now).await.map(|()| to)
        }
        Ok(signed_in) => sessions::begin(&session, signed_in, &client, now).await.map(|()| next.to_owned()),
        Err(error) => Err(error),
    };
    match begun {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// `GET /sign-in/code`: for who has given the password a moment ago.
pub(crate) async fn code_page(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    match sessions::awaits_code(&session, doors.services.now()).await {
        Ok(Some(_)) => pages::render(State(doors), request).await,
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(error) => problem::of(&error),
    }
}

/// `POST /sign-in/code`.
pub(crate) async fn sign_in_code(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let client = client(&parts.headers, &parts.extensions, Channel::Browser);
    let now = doors.services.now();
    let signed_in = match sessions::awaits_code(&session, now).await {
        Ok(Some(pending)) => pending,
        Ok(None) => return Redirect::to("/sign-in").into_response(),
        Err(error) => return problem::of(&error),
    };
    let checked = async {
        let signed_in = doors.services.sessions().check_code(signed_in, fields.get("code"), &client).await?;
        sessions::begin(&session, signed_in, &client, now).await
    };
    match checked.await {
        Ok(()) => Redirect::to(own_path(fields.get("next"))).into_response(),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// Lets a person confirm, in a form that makes or reveals what lasts, that it is them: where the form holds a password, it
/// is checked first, and the rest of the request knows it.
pub(crate) async fn confirm(
    doors: &Doors,
    session: &Session,
    parts: &mut Parts,
    fields: &Fields,
) -> Result<Actor, ApiError> {
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
    let actor = caller.require()?;
    if fields.get("confirm_password").is_empty() {
        return Ok(actor.clone());
    }
    let password = Secret::new(fields.get("confirm_password"));
    let actor = doors.services.users().confirm(actor, &password, fields.get("confirm_code")).await?;
    sessions::confirm(session, doors.services.now()).await?;
    parts.extensions.insert(Caller::Known(Box::new(actor.clone())));
    Ok(actor)
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
    let client = client(&parts.headers, &parts.extensions, Channel::Browser);
    let outcome = doors.services.set_up().complete(&token, &input).await.map_err(ApiError::from);
    let begun = match outcome {
        Ok(signed_in) => sessions::begin(&session, signed_in, &client, doors.services.now()).await,
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
        Err(error) if error.code == domain::ErrorCode::NotFound => done(list, "not-there"),
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
