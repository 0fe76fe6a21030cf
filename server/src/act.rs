//! Calls the server functions, in two ways: as a script's typed call, or as a browser's plain form. Both run the same
//! function once; a form's outcome becomes a page.

use app::api::{
    PREFIX,
    protocol::{Answer, AsPage},
    wire::TENANT_HEADER,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::{ApiError, ErrorCode, Notice, Operation, Outcome};
use http::{HeaderMap, Method, Uri, header, request::Parts};
use leptos::{prelude::provide_context, server_fn::axum::server_fn_paths};
use tower_sessions::Session;

use crate::{
    compression::Uncompressed,
    form::{Form, START, redirect_with_notice, require_tenant},
    headers,
    middleware::{
        authenticate::{self, Caller},
        sessions,
    },
    pages::PageRenderer,
    problem,
};

/// Returns the names of the registered server functions; for the parity test.
pub fn functions() -> impl Iterator<Item = &'static str> {
    server_fn_paths().filter_map(|(path, _)| path.strip_prefix(PREFIX)?.strip_prefix('/'))
}

/// `POST /fn/{operation}`. Any other path is not found: Leptos's own handler would respond with advice for developers.
pub(crate) async fn call(State(renderer): State<PageRenderer>, session: Session, request: Request) -> Response {
    if !server_fn_paths().any(|(path, _)| path == request.uri().path()) {
        return problem::of(&ApiError::not_found());
    }
    if is_of_script(request.headers()) {
        from_script(&renderer, &session, request).await
    } else {
        from_form(&renderer, &session, request).await
    }
}

/// Whether a script calls, and not a form. A client that sends no `Accept` accepts a page (RFC 9110 §12.5.1).
fn is_of_script(headers: &HeaderMap) -> bool {
    let wants_json = || headers::text(headers, header::ACCEPT).is_some_and(|kinds| kinds.contains("application/json"));
    !headers::wants_page(headers) && (headers.contains_key(TENANT_HEADER) || wants_json())
}

/// Handles a script's call: responds with the function's own JSON.
async fn from_script(renderer: &PageRenderer, session: &Session, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = check_caller(&parts) {
        return problem::json(&error);
    }
    let mut response = run(renderer, &parts, body, None).await;
    if let Some(Answer(Ok(outcome))) = response.extensions_mut().remove::<Answer>() {
        if let Err(error) = select(session, &outcome).await {
            return problem::json(&error);
        }
        // The script may load another page next, which shows the notice.
        headers::set_notice(&mut response, &outcome.notice);
    }
    response.extensions_mut().insert(Uncompressed);
    response
}

/// Checks that a user is signed in, and that the tenant of the script's page is still selected.
fn check_caller(parts: &Parts) -> Result<(), ApiError> {
    parts.extensions.get::<Caller>().ok_or_else(ApiError::unauthenticated)?.require()?;
    let Some(opened_in) = headers::text(&parts.headers, TENANT_HEADER).filter(|tenant| !tenant.is_empty()) else {
        let message = format!(
            "The header {TENANT_HEADER} is missing. This address is for the pages of the dashboard; other programs use the \
             GraphQL API."
        );
        return Err(ApiError::new(ErrorCode::BadUserInput, message));
    };
    require_tenant(parts, opened_in)
}

/// Handles a browser's form: responds with a page.
async fn from_form(renderer: &PageRenderer, session: &Session, request: Request) -> Response {
    let mut form = match Form::read(request, renderer.clone()).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    if form.find_actor().is_none() {
        return authenticate::redirect_to_sign_in(renderer.site(), &form.parts().headers, &form.page_with_input());
    }
    if let Err(error) = form.require_tenant() {
        let status = problem::status_of(&error);
        let page = form.show_again(error).await;
        // The form's page may not exist in the selected tenant.
        let is_shown = page.status() == status;
        return if is_shown { page } else { redirect_with_notice(START, &Notice::tenant_switched_elsewhere()) };
    }
    match run_form(renderer, session, &mut form).await {
        Ok(outcome) => respond_to_success(form, outcome).await,
        Err(error) if error.code == ErrorCode::NotFound && form.is_of(Operation::SwitchTenant) => {
            redirect_with_notice(form.then(), &Notice::not_a_member())
        }
        Err(error) => form.show_again(error).await,
    }
}

async fn run_form(renderer: &PageRenderer, session: &Session, form: &mut Form) -> Result<Outcome, ApiError> {
    form.confirm(renderer.services(), session).await?;
    let mut response = run(renderer, form.parts(), Body::from(form.arguments()), Some(AsPage)).await;
    let Answer(outcome) = response.extensions_mut().remove::<Answer>().ok_or_else(ApiError::not_found)?;
    let outcome = outcome?;
    select(session, &outcome).await?;
    Ok(outcome)
}

/// Responds to a success: shows what is shown once on the form's own page, or redirects to where the form leads.
async fn respond_to_success(form: Form, outcome: Outcome) -> Response {
    let Outcome { notice, reveal, created, .. } = outcome;
    if let Some(reveal) = reveal {
        return form.show_reveal(reveal).await;
    }
    let then = form.then();
    let to = created.map_or_else(|| then.to_owned(), |id| format!("{then}/{id}"));
    redirect_with_notice(&to, &notice)
}

/// Runs the function at the request's path.
async fn run(renderer: &PageRenderer, parts: &Parts, body: Body, as_page: Option<AsPage>) -> Response {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::clone(&parts.uri);
    *request.headers_mut() = parts.headers.clone();
    // With this header, Leptos's handler would redirect to the form's page and drop the value.
    request.headers_mut().remove(header::ACCEPT);
    if let Some(mark) = as_page {
        request.extensions_mut().insert(mark);
    }
    let context = renderer.context(parts);
    let provide = move || provide_context(context.clone());
    leptos_axum::handle_server_fns_with_context(provide, request).await.into_response()
}

/// Selects the outcome's tenant in the session, if it has one.
async fn select(session: &Session, outcome: &Outcome) -> Result<(), ApiError> {
    match outcome.selects {
        Some(tenant) => sessions::select_tenant(session, tenant).await,
        None => Ok(()),
    }
}
