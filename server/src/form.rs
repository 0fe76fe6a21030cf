//! HTML forms without script: reading them, and the responses that they share. A form that succeeds redirects, unless
//! it shows a secret; one that fails shows its page again, with the input and the errors.

use std::collections::{HashMap, hash_map::Entry};

use app::{
    api::{
        path_of,
        wire::{LISTS, field},
    },
    list_url::is_own_path,
    request::FormOutcome,
};
use axum::{
    extract::{FromRef, FromRequest, Request},
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, ErrorCode, Notice, Operation, Secret, audit::Channel, outcome::Reveal, user::input::confirm};
use http::{StatusCode, request::Parts};
use service::{Actor, Client, Services};
use tower_sessions::Session;

use crate::{
    body, headers,
    middleware::{
        authenticate::{Caller, client},
        sessions,
    },
    pages::PageRenderer,
    problem,
};

/// Leads to the first page after sign-in.
pub(crate) const START: &str = "/";

/// A form's fields; the last one counts if a name occurs twice, except in [`LISTS`]. An extractor, for forms without a page of their own.
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    /// Returns a field's text; empty if it wasn't sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Returns a field's text, if it was sent.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the input, to be shown again; never a password, a code or a token.
    fn typed(&self) -> Vec<(String, String)> {
        let is_secret = |name: &str| ["password", "code", "token"].iter().any(|kind| name.ends_with(kind));
        let shown = self.0.iter().filter(|(name, _)| !is_secret(name));
        shown.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    async fn split(request: Request) -> Result<(Parts, Self), Response> {
        let (parts, body) = request.into_parts();
        if !headers::is_form(&parts.headers) {
            let detail = "Content-Type must be application/x-www-form-urlencoded.";
            return Err(problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = body::bytes(body).await;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes)
            .map_err(|_| problem::answer(StatusCode::BAD_REQUEST, "The form data is malformed."))?;
        let mut fields = HashMap::new();
        for (name, value) in pairs {
            match fields.entry(name) {
                Entry::Occupied(mut earlier) if LISTS.contains(&earlier.key().as_str()) => {
                    let joined: &mut String = earlier.get_mut();
                    joined.push(' ');
                    joined.push_str(&value);
                }
                Entry::Occupied(mut earlier) => drop(earlier.insert(value)),
                Entry::Vacant(new) => drop(new.insert(value)),
            }
        }
        Ok((parts, Self(fields)))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        Ok(Self::split(request).await?.1)
    }
}

/// A form, and the page that shows it: the one at the form's own URL, unless the form names another. An extractor.
pub(crate) struct Form {
    fields: Fields,
    parts: Parts,
    renderer: PageRenderer,
}

impl<S: Send + Sync> FromRequest<S> for Form
where
    PageRenderer: FromRef<S>,
{
    type Rejection = Response;

    /// Rejects a form whose page was opened in a tenant other than the selected one.
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = Self::read(request, PageRenderer::from_ref(state)).await?;
        match form.check_tenant() {
            Ok(()) => Ok(form),
            Err(error) => Err(form.show_again(error).await),
        }
    }
}

impl Form {
    /// Reads a form's request.
    ///
    /// # Errors
    /// The response, if the body isn't a form's.
    pub(crate) async fn read(request: Request, renderer: PageRenderer) -> Result<Self, Response> {
        let (parts, fields) = Fields::split(request).await?;
        Ok(Self { fields, parts, renderer })
    }

    /// Returns the request, without its body.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns a server function's arguments, URL-encoded: all fields but those of the form itself and the
    /// confirmation.
    pub(crate) fn arguments(&self) -> String {
        let beside = [field::PAGE, field::THEN, field::TENANT, confirm::PASSWORD, confirm::CODE];
        let arguments: Vec<_> = self.fields.0.iter().filter(|(name, _)| !beside.contains(&name.as_str())).collect();
        serde_urlencoded::to_string(arguments).unwrap_or_default()
    }

    /// Returns whether a browser sent the form itself, and not a script.
    pub(crate) fn wants_page(&self) -> bool {
        headers::wants_page(&self.parts.headers)
    }

    /// Returns the path of the page that follows a success.
    pub(crate) fn then(&self) -> &str {
        own_path(self.get(field::THEN))
    }

    /// Returns whether the form was sent to an operation's server function.
    pub(crate) fn is_of(&self, operation: Operation) -> bool {
        self.parts.uri.path() == path_of(operation)
    }

    /// Returns the path of the page that shows the form.
    pub(crate) fn page(&self) -> &str {
        let own = || self.parts.uri.path_and_query().map_or(START, http::uri::PathAndQuery::as_str);
        self.fields.find(field::PAGE).map_or_else(own, own_path)
    }

    /// Returns the path of the page that shows the form, with the input in its query, except secrets. The input is left
    /// out if a browser or a proxy might refuse the URL as too long.
    pub(crate) fn page_with_input(&self) -> String {
        const MAX_BYTES: usize = 2_000;
        let page = self.page();
        // The page gets a new idempotency key.
        let beside = [field::PAGE, field::THEN, field::TENANT, "idempotency_key"];
        let mut typed = self.fields.typed();
        typed.retain(|(name, text)| !text.is_empty() && !beside.contains(&name.as_str()));
        typed.sort();
        let input = serde_urlencoded::to_string(typed).unwrap_or_default();
        if input.is_empty() || page.len() + input.len() > MAX_BYTES {
            return page.to_owned();
        }
        let mark = if page.contains('?') { '&' } else { '?' };
        format!("{page}{mark}{input}")
    }

    /// Returns a field's text; empty if it wasn't sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.get(name)
    }

    /// Returns a field's text, as a secret.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }

    /// Returns the client that sent the form.
    pub(crate) fn client(&self) -> Client {
        client(&self.parts.headers, &self.parts.extensions, Channel::Browser)
    }

    /// Returns the signed-in user.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in.
    pub(crate) fn actor(&self) -> Result<&Actor, ApiError> {
        self.parts.extensions.get::<Caller>().ok_or_else(ApiError::unauthenticated)?.require()
    }

    /// Returns the user, if one is signed in.
    pub(crate) fn find_actor(&self) -> Option<&Actor> {
        self.parts.extensions.get::<Caller>().and_then(Caller::actor)
    }

    /// Returns the signed-in user. If the form contains a password, checks it first and marks the session as freshly
    /// confirmed, for this and later requests.
    ///
    /// # Errors
    /// When nobody is signed in, or the password or code is wrong.
    pub(crate) async fn confirm(&mut self, services: &Services, session: &Session) -> Result<Actor, ApiError> {
        if self.get(confirm::PASSWORD).is_empty() {
            return self.actor().cloned();
        }
        let password = self.secret(confirm::PASSWORD);
        let actor = services.users().confirm(self.actor()?, &password, self.get(confirm::CODE)).await?;
        sessions::record_confirmation(session, services.now()).await?;
        self.parts.extensions.insert(Caller::Known(Box::new(actor.clone())));
        Ok(actor)
    }

    /// Runs `act`, then redirects to `path`, which shows the notice; on an error, shows the form again.
    pub(crate) async fn redirect_after(
        mut self,
        path: &str,
        notice: &Notice,
        act: impl AsyncFnOnce(&mut Self) -> Result<(), ApiError>,
    ) -> Response {
        match act(&mut self).await {
            Ok(()) => redirect_with_notice(path, notice),
            Err(error) => self.show_again(error).await,
        }
    }

    /// Runs `act`, then shows its recovery codes on the form's page, which is the only time that they are shown; on an
    /// error, shows the form again.
    pub(crate) async fn show_codes_after(
        mut self,
        act: impl AsyncFnOnce(&mut Self) -> Result<Vec<Secret>, ApiError>,
    ) -> Response {
        match act(&mut self).await {
            Ok(recovery_codes) => {
                self.show(FormOutcome { recovery_codes, ..FormOutcome::default() }, StatusCode::OK).await
            }
            Err(error) => self.show_again(error).await,
        }
    }

    /// Shows the form's page with the new secret, which is the only time that it is shown.
    pub(crate) async fn show_reveal(self, reveal: Reveal) -> Response {
        self.show(FormOutcome { reveal: Some(reveal), ..FormOutcome::default() }, StatusCode::OK).await
    }

    /// Shows the form's page with the response of the verification endpoint, as JSON.
    pub(crate) async fn show_verification(self, answer: String) -> Response {
        self.show(FormOutcome { verification: Some(answer), ..FormOutcome::default() }, StatusCode::OK).await
    }

    /// Shows the form's page again, with the input and the error, at the error's status.
    pub(crate) async fn show_again(self, error: ApiError) -> Response {
        let (status, retry_after) = (problem::status_of(&error), error.retry_after);
        let outcome = FormOutcome { values: self.fields.typed(), error: Some(error), ..FormOutcome::default() };
        let mut response = self.show(outcome, status).await;
        problem::set_retry_after(&mut response, retry_after);
        response
    }

    async fn show(self, outcome: FormOutcome, status: StatusCode) -> Response {
        let page = self.page().to_owned();
        self.renderer.show_form(self.parts, &page, outcome, status).await
    }

    /// Like [`Form::check_tenant`], for the forms of server functions. See [`require_tenant`].
    ///
    /// # Errors
    /// `CONFLICT`, `BAD_USER_INPUT`.
    pub(crate) fn require_tenant(&self) -> Result<(), ApiError> {
        require_tenant(&self.parts, self.get(field::TENANT))
    }

    /// Checks that no other window has selected another tenant since the form's page was opened.
    ///
    /// # Errors
    /// `CONFLICT`.
    pub(crate) fn check_tenant(&self) -> Result<(), ApiError> {
        check_tenant(&self.parts, self.get(field::TENANT))
    }
}

/// Checks that the tenant in which a page was opened is still selected.
///
/// # Errors
/// `CONFLICT`.
pub(crate) fn check_tenant(parts: &Parts, opened_in: &str) -> Result<(), ApiError> {
    let selected = parts.extensions.get::<Caller>().and_then(Caller::actor).map(|actor| actor.tenant_id().to_string());
    if opened_in.is_empty() || selected.is_none_or(|selected| selected == opened_in) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Conflict, "You switched tenants in another tab, so nothing was changed."))
}

/// Like [`check_tenant`], for the forms of server functions, which all say where they were opened.
///
/// # Errors
/// `CONFLICT`; `BAD_USER_INPUT` for a form that doesn't say it.
pub(crate) fn require_tenant(parts: &Parts, opened_in: &str) -> Result<(), ApiError> {
    if opened_in.is_empty() {
        return Err(ApiError::new(ErrorCode::BadUserInput, "This form has expired. Reload and try again."));
    }
    check_tenant(parts, opened_in)
}

/// Redirects to a page that shows a notice.
pub(crate) fn redirect_with_notice(path: &str, notice: &Notice) -> Response {
    let mut response = Redirect::to(path).into_response();
    headers::set_notice(&mut response, notice);
    response
}

/// Returns a path of this site, or [`START`] if the text isn't one.
pub(crate) fn own_path(text: &str) -> &str {
    if is_own_path(text) { text } else { START }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_redirected_to() {
        assert_eq!(own_path("/team/service-accounts?q=a"), "/team/service-accounts?q=a");
        for foreign in ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "evil", "", "/a b"] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
    }
}
