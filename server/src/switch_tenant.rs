//! Switching the session to another of the person's tenants.

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, ErrorCode};
use service::Services;
use tower_sessions::Session;

use crate::{
    form::{Fields, START, own_path, redirect_with_notice},
    middleware::{authenticate::Caller, sessions},
    problem,
};

/// Pages that every tenant has. From the pages below them, which are about one thing of a tenant, the switch leads here too.
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

/// `POST /switch-tenant`. Redirects to the same page of the other tenant.
pub(crate) async fn switch_tenant(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    session: Session,
    fields: Fields,
) -> Response {
    let page = kept_page(own_path(fields.get("return_to")));
    let switched = async {
        let to = fields.get("tenant_id").parse().map_err(|_| ApiError::not_found())?;
        let tenant = services.users().switch_tenant(caller.require()?, to).await?;
        sessions::select_tenant(&session, tenant).await
    };
    match switched.await {
        Ok(()) => Redirect::to(page).into_response(),
        Err(error) if error.code == ErrorCode::NotFound => redirect_with_notice(page, "not-there"),
        Err(error) => problem::of(&error),
    }
}

fn kept_page(path: &str) -> &'static str {
    KEPT_PAGES.into_iter().find(|page| path.starts_with(page)).unwrap_or(START)
}
