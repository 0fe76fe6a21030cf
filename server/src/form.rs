//! HTML forms without script: reading one, and the answers that all of them share. A form that succeeds redirects, except
//! where a secret must be shown; one that fails shows its page again, with what was typed and what was wrong.

use std::collections::HashMap;

use app::{
    api::{path_of, wire::field},
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

/// Where a signed-in person starts.
pub(crate) const START: &str = "/user/api-keys";

/// A form's fields, the last of each name. Extracts itself from a request, for forms without a page of their own.
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    /// A field's text; empty when it wasn't sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// A field's text, if it was sent.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What was typed, to be shown again. Never a password or a code.
    fn typed(&self) -> Vec<(String, String)> {
        let is_secret = |name: &str| name.ends_with("password") || name.ends_with("code");
        let shown = self.0.iter().filter(|(name, _)| !is_secret(name));
        shown.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    async fn split(request: Request) -> Result<(Parts, Self), Response> {
        let (parts, body) = request.into_parts();
        if !headers::is_form(&parts.headers) {
            let detail = "Send application/x-www-form-urlencoded.";
            return Err(problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = body::bytes(body).await;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes)
            .map_err(|_| problem::answer(StatusCode::BAD_REQUEST, "The form is damaged."))?;
        Ok((parts, Self(pairs.into_iter().collect())))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        Ok(Self::split(request).await?.1)
    }
}

/// A form, and the page that shows it: the one at the form's own address, unless the form names another. Extracts itself from
/// a request.
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

    /// Refuses a form whose page was opened in another tenant than the session's present one.
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
    /// With the answer, when the body isn't a form's.
    pub(crate) async fn read(request: Request, renderer: PageRenderer) -> Result<Self, Response> {
        let (parts, fields) = Fields::split(request).await?;
        Ok(Self { fields, parts, renderer })
    }

    /// The request, without its body.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The arguments of a server function, urlencoded: all fields but those of the form itself and of the confirmation.
    pub(crate) fn arguments(&self) -> String {
        let beside = [field::PAGE, field::THEN, field::TENANT, confirm::PASSWORD, confirm::CODE];
        let arguments: Vec<_> = self.fields.0.iter().filter(|(name, _)| !beside.contains(&name.as_str())).collect();
        serde_urlencoded::to_string(arguments).unwrap_or_default()
    }

    /// Where a success leads.
    pub(crate) fn then(&self) -> &str {
        own_path(self.get(field::THEN))
    }

    /// Whether the form was sent to the function of an operation.
    pub(crate) fn is_of(&self, operation: Operation) -> bool {
        self.parts.uri.path() == path_of(operation)
    }

    /// The page that shows the form.
    pub(crate) fn page(&self) -> &str {
        let own = || self.parts.uri.path_and_query().map_or(START, http::uri::PathAndQuery::as_str);
        self.fields.find(field::PAGE).map_or_else(own, own_path)
    }

    /// A field's text; empty when it wasn't sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.get(name)
    }

    /// A field's text, as a secret.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }

    /// The client that sent the form.
    pub(crate) fn client(&self) -> Client {
        client(&self.parts.headers, &self.parts.extensions, Channel::Browser)
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in.
    pub(crate) fn actor(&self) -> Result<&Actor, ApiError> {
        self.parts.extensions.get::<Caller>().ok_or_else(ApiError::unauthenticated)?.require()
    }

    /// The person, if one is signed in.
    pub(crate) fn find_actor(&self) -> Option<&Actor> {
        self.parts.extensions.get::<Caller>().and_then(Caller::actor)
    }

    /// The signed-in person, whose password is checked first if the form has one: the session then counts as freshly
    /// confirmed, for this request and for those that follow.
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

    /// Does what the form asks, then redirects to `path`, which shows the notice; or shows the form again.
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

    /// Does what the form asks, then shows its recovery codes on the form's page, which is the only time that they can be seen;
    /// or shows the form again.
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

    /// The form's page with what the act reveals, which is the only time that it can be seen.
    pub(crate) async fn show_reveal(self, reveal: Reveal) -> Response {
        self.show(FormOutcome { reveal: Some(reveal), ..FormOutcome::default() }, StatusCode::OK).await
    }

    /// The form's page again, with what was typed and the error, at the error's status.
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

    /// Another window may have selected another tenant since the form's page was opened. Then nothing is done.
    ///
    /// # Errors
    /// `CONFLICT`.
    pub(crate) fn check_tenant(&self) -> Result<(), ApiError> {
        check_tenant(&self.parts, self.get(field::TENANT))
    }
}

/// Whether the tenant that a page was opened in is still the selected one.
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

/// A redirect to a page that shows a notice.
pub(crate) fn redirect_with_notice(path: &str, notice: &Notice) -> Response {
    let mut response = Redirect::to(path).into_response();
    headers::set_notice(&mut response, notice);
    response
}

/// A path of this site to return to, or else the start.
pub(crate) fn own_path(text: &str) -> &str {
    if is_own_path(text) { text } else { START }
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
