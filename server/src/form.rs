//! HTML forms without script: reading one, and the answers that all of them share. A form that succeeds redirects, except
//! where a secret must be shown; one that fails shows its page again, with what was typed and what was wrong.

use std::collections::HashMap;

use app::{components::place, list_url::is_own_path, request::FormOutcome};
use axum::{
    extract::{FromRef, FromRequest, Request},
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, ErrorCode, Secret, audit::Channel};
use http::{StatusCode, request::Parts};
use service::{Actor, Client, Services};
use tower_sessions::Session;

use crate::{
    body, headers,
    middleware::{
        authenticate::{Caller, client},
        dialogs, sessions,
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

/// A form that a page at the same address shows. Extracts itself from a request.
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
        let (parts, fields) = Fields::split(request).await?;
        let form = Self { fields, parts, renderer: PageRenderer::from_ref(state) };
        if form.is_in_its_tenant() { Ok(form) } else { Err(form.refuse_other_tenant().await) }
    }
}

impl Form {
    /// All fields.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
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
        if self.get("confirm_password").is_empty() {
            return self.actor().cloned();
        }
        let password = self.secret("confirm_password");
        let actor = services.users().confirm(self.actor()?, &password, self.get("confirm_code")).await?;
        sessions::record_confirmation(session, services.now()).await?;
        self.parts.extensions.insert(Caller::Known(Box::new(actor.clone())));
        Ok(actor)
    }

    /// Does what the form asks, then redirects to `path`, which shows the notice; or shows the form again.
    pub(crate) async fn redirect_after(
        mut self,
        path: &str,
        notice: &'static str,
        act: impl AsyncFnOnce(&mut Self) -> Result<(), ApiError>,
    ) -> Response {
        match act(&mut self).await {
            Ok(()) => redirect_with_notice(path, notice),
            Err(error) => self.show_again(error).await,
        }
    }

    /// Does what the form asks, then shows the outcome on the form's page, which is the only time that it can be seen; or shows
    /// the form again.
    pub(crate) async fn reveal_after(
        mut self,
        act: impl AsyncFnOnce(&mut Self) -> Result<FormOutcome, ApiError>,
    ) -> Response {
        match act(&mut self).await {
            Ok(outcome) => self.renderer.render(self.parts, outcome, StatusCode::OK).await,
            Err(error) => self.show_again(error).await,
        }
    }

    /// The form's page again, with what was typed and the error, at the error's status.
    pub(crate) async fn show_again(self, error: ApiError) -> Response {
        let (status, retry_after) = (problem::status_of(&error), error.retry_after);
        let outcome = FormOutcome { values: self.fields.typed(), error: Some(error), ..FormOutcome::default() };
        let mut response = self.renderer.render(self.parts, outcome, status).await;
        problem::set_retry_after(&mut response, retry_after);
        response
    }

    /// Whether the session is still in the tenant where the form's page was opened: another window may have switched.
    fn is_in_its_tenant(&self) -> bool {
        let opened_in = self.get(place::FIELD);
        opened_in.is_empty() || self.find_actor().is_none_or(|actor| actor.tenant_id().to_string() == opened_in)
    }

    /// The page again, of the present tenant.
    async fn refuse_other_tenant(self) -> Response {
        let message = "You stand in another tenant than when this page was opened. Nothing was changed: look again before you go on.";
        let is_from_dialog = dialogs::is_from_dialog(&self.parts.headers);
        let mut page = self.show_again(ApiError::new(ErrorCode::Conflict, message)).await;
        if page.status() != StatusCode::CONFLICT {
            // The form's subject isn't in the present tenant.
            return redirect_with_notice(START, "elsewhere");
        }
        if is_from_dialog {
            // The script loads the page itself, which then shows the notice.
            headers::set_notice(&mut page, "elsewhere");
        }
        page
    }
}

/// A redirect to a page that shows a notice.
pub(crate) fn redirect_with_notice(path: &str, notice: &'static str) -> Response {
    let mut response = Redirect::to(path).into_response();
    headers::set_notice(&mut response, notice);
    response
}

/// The outcome of a form that shows secrets.
pub(crate) fn revealed(secrets: Vec<Secret>) -> FormOutcome {
    FormOutcome { revealed: secrets, ..FormOutcome::default() }
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
