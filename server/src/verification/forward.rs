//! Forward authentication: proxies ask for every request whether it may pass (nginx `auth_request`, Caddy and Traefik
//! `forward_auth`, Envoy `ext_authz`).

use axum::{body::Body, response::Response};
use domain::{ApiError, Endpoint, ErrorCode, Scope, audit::Channel, scope::Missing};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use service::{Authorized, Services, VerifiedKey};

use super::{credential::Credential, demand, facts::rfc3339};
use crate::{
    config::Site,
    middleware::{authenticate, limits::ReadRequest},
    problem, rest,
};

/// What a name keeps in a header: the unreserved characters of RFC 3986.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How many scopes a header lists. More would not fit into the buffers of proxies.
pub(crate) const MAX_LISTED: usize = domain::scope::MAX_SCOPES;

pub(crate) const SUBJECT: HeaderName = HeaderName::from_static("x-latchkey-subject");
pub(crate) const KIND: HeaderName = HeaderName::from_static("x-latchkey-kind");
pub(crate) const KEY_ID: HeaderName = HeaderName::from_static("x-latchkey-key-id");
pub(crate) const KEY_NAME: HeaderName = HeaderName::from_static("x-latchkey-key-name");
pub(crate) const TENANT_ID: HeaderName = HeaderName::from_static("x-latchkey-tenant-id");
pub(crate) const TENANT: HeaderName = HeaderName::from_static("x-latchkey-tenant");
pub(crate) const ROLE: HeaderName = HeaderName::from_static("x-latchkey-role");
pub(crate) const SCOPES: HeaderName = HeaderName::from_static("x-latchkey-scopes");
pub(crate) const EXPIRES_AT: HeaderName = HeaderName::from_static("x-latchkey-expires-at");

/// `ANY /auth/forward`: demands are in the query and in a header that the proxy sets.
pub(super) async fn forward(services: &Services, site: &Site, request: ReadRequest) -> Response {
    let demanded = demand::of_query(request.uri().query().unwrap_or_default(), request.extensions());
    decide(services, site, Endpoint::Forward, &request.into_parts().0, demanded).await
}

/// `ANY /auth/envoy/…`: the rest of the path and the query are the client's, so demands are only in headers.
pub(super) async fn envoy(services: &Services, site: &Site, request: ReadRequest) -> Response {
    decide(services, site, Endpoint::Envoy, &request.into_parts().0, Ok(Vec::new())).await
}

/// Decides whether the request with a head may pass. `demanded`: the scopes, apart from those of headers.
pub(super) async fn decide(
    services: &Services,
    site: &Site,
    endpoint: Endpoint,
    request: &Parts,
    demanded: Result<Vec<Scope>, String>,
) -> Response {
    // Envoy asks with the method of the client's request.
    let is_safe = match endpoint {
        Endpoint::Envoy | Endpoint::EnvoyGrpc => request.method.is_safe(),
        _ => demand::is_safe(&request.extensions),
    };
    let demanded = demanded.and_then(|mut demanded| {
        demand::add_headers(&request.headers, is_safe, &mut demanded)?;
        Ok(demanded)
    });
    let token = match Credential::find(&request.headers, &site.key_header) {
        Credential::None => return rest::missing_key(),
        Credential::Unusable => return rest::invalid_key(),
        Credential::Token(token) => token,
    };
    // Not 400, which nginx would make an error of its own.
    let demanded = match demanded {
        Ok(demanded) => demanded,
        Err(detail) => return problem::of(&ApiError::new(ErrorCode::Forbidden, detail)),
    };
    let client = authenticate::client(&request.headers, &request.extensions, Channel::Rest).at(endpoint);
    match services.verification().authorize(&token, &demanded, None, &client).await.map_err(ApiError::from) {
        Ok(Authorized::Granted(key)) => {
            match services.verification().effective_scopes(&key).await.map_err(ApiError::from) {
                Ok(scopes) => granted(&key, scopes, &demanded),
                Err(error) => problem::of(&error),
            }
        }
        Ok(Authorized::Lacks(_, missing)) => insufficient(&missing),
        Ok(Authorized::Refused) => rest::invalid_key(),
        Ok(Authorized::RateLimited(wait)) => rate_limited(wait),
        Err(error) => problem::of(&error),
    }
}

/// Builds the response for a request that may pass: every identity header, empty if it has no value, so that the proxy
/// replaces what the client itself sent.
fn granted(key: &VerifiedKey, effective: Vec<Scope>, demanded: &[Scope]) -> Response {
    let listed = if effective.len() > MAX_LISTED { demanded } else { &effective };
    let listed = listed.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(SUBJECT, text(key.owner().to_string()));
    headers.insert(KIND, HeaderValue::from_static(key.owner().kind().as_str()));
    headers.insert(KEY_ID, text(key.key_id().to_string()));
    headers.insert(KEY_NAME, text(utf8_percent_encode(key.name().as_str(), ENCODED).to_string()));
    headers.insert(TENANT_ID, text(key.tenant_id().to_string()));
    headers.insert(TENANT, text(key.tenant_slug().as_str().to_owned()));
    headers.insert(ROLE, HeaderValue::from_static(key.role().as_str()));
    headers.insert(SCOPES, text(listed));
    headers.insert(EXPIRES_AT, text(key.expires_at().map(rfc3339).unwrap_or_default()));
    response
}

/// Builds the response for a key that has reached its rate limit. Not 429, which nginx would make an error of its own.
fn rate_limited(wait: u32) -> Response {
    let error = ApiError::key_rate_limited(wait);
    let mut response = problem::answer(StatusCode::FORBIDDEN, &error.message);
    problem::set_retry_after(&mut response, error.retry_after);
    response
}

/// Builds the response for a valid key that lacks a scope (RFC 6750 §3.1).
pub(crate) fn insufficient(missing: &Missing) -> Response {
    let mut response = problem::answer(StatusCode::FORBIDDEN, &missing.to_string());
    let challenge = format!("Bearer realm=\"Latchkey\", error=\"insufficient_scope\", scope=\"{}\"", missing.text());
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
