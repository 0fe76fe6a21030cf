//! `GET /`: leads to the first page of the person.

use axum::{Extension, response::Redirect};
use domain::Operation;
use service::offers;

use crate::middleware::authenticate::Caller;

/// Redirects an administrator to the tenant's overview, other people to their keys, and everyone else to the sign-in
/// page.
pub(crate) async fn first_page(Extension(caller): Extension<Caller>) -> Redirect {
    Redirect::to(match caller.actor() {
        None => "/sign-in",
        Some(actor) if offers(actor, Operation::GetOverview) => "/team/overview",
        Some(_) => "/user/api-keys",
    })
}
