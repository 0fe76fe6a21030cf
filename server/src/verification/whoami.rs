//! `GET /api/v1/whoami`: what a key is, for whoever has it.

use axum::response::Response;
use domain::{ApiError, Endpoint, audit::Channel};
use http::StatusCode;
use service::{Authorized, Services};

use super::{credential::Credential, demand, facts::Facts, forward, verify::json};
use crate::{
    config::Site,
    middleware::{authenticate, limits::ReadRequest},
    problem, rest,
};

/// Answers with the facts of the key that the request carries.
pub(super) async fn whoami(services: &Services, site: &Site, request: ReadRequest) -> Response {
    let demanded = match demand::of_query(request.uri().query().unwrap_or_default(), request.extensions()) {
        Ok(demanded) => demanded,
        Err(detail) => return problem::answer(StatusCode::BAD_REQUEST, &detail),
    };
    let token = match Credential::find(request.headers(), &site.key_header) {
        Credential::None => return rest::missing_key(),
        Credential::Unusable => return rest::invalid_key(),
        Credential::Token(token) => token,
    };
    let client = authenticate::client(request.headers(), request.extensions(), Channel::Rest).at(Endpoint::Whoami);
    match services.verification().authorize(&token, &demanded, None, &client).await.map_err(ApiError::from) {
        Ok(Authorized::Granted(key)) => json(&Facts::from(&key)),
        Ok(Authorized::Lacks(_, missing)) => forward::insufficient(&missing),
        Ok(Authorized::Refused) => rest::invalid_key(),
        Ok(Authorized::RateLimited(wait)) => problem::of(&ApiError::key_rate_limited(wait)),
        Err(error) => problem::of(&error),
    }
}
