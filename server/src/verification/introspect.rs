//! `POST /oauth2/introspect`: token introspection (RFC 7662), for clients that have it built in.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use domain::{ApiError, Endpoint, ErrorCode, Role, Scope, TenantId, audit::Channel, scope::OwnScope};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use service::{Authorized, Client, Services, VerifiedKey};

use super::{credential::Credential, cursor, verify::json};
use crate::{
    config::Site,
    headers,
    middleware::{authenticate, limits::ReadRequest},
    problem,
};

/// The members of RFC 7662 §2.2, and our own after them. Some clients fail on a null, so a missing value is left out.
/// There is no `aud`: some clients take it for the URL of the resource.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "RFC 7662 names the members")]
struct Active<'a> {
    active: bool,
    scope: String,
    client_id: String,
    username: &'a str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    sub: String,
    iss: &'a str,
    key_name: &'a str,
    owner_kind: &'static str,
    tenant_id: TenantId,
    tenant: &'a str,
    role: Role,
}

#[derive(Default, Serialize)]
struct Inactive {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Seconds until a key that has reached its rate limit may be used again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

/// An error of RFC 6749 §5.2.
#[derive(Serialize)]
struct OauthError<'a> {
    error: &'static str,
    error_description: &'a str,
}

/// RFC 8414. Latchkey has no other endpoint of an authorization server.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    response_types_supported: [&'static str; 0],
}

/// `GET /.well-known/oauth-authorization-server`.
pub(super) fn metadata(site: &Site) -> Response {
    json(&Metadata {
        issuer: &site.public_url,
        introspection_endpoint: format!("{}/oauth2/introspect", site.public_url),
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        response_types_supported: [],
    })
}

#[derive(Default)]
struct Form {
    token: Option<String>,
    client_secret: Option<String>,
    client_address: Option<String>,
    client_user_agent: Option<String>,
}

impl Form {
    /// Reads the body. A parameter that occurs twice is an error (RFC 6749 §3.2).
    fn read(body: &[u8]) -> Option<Self> {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            let field = match &*name {
                "token" => &mut form.token,
                "client_secret" => &mut form.client_secret,
                "client_address" => &mut form.client_address,
                "client_user_agent" => &mut form.client_user_agent,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(form)
    }
}

/// Answers about a token of the caller's tenant. The caller authenticates with a key that has the scope
/// `latchkey:verify`: as Bearer, as the password of Basic, or as `client_secret`.
pub(super) async fn introspect(services: &Services, site: &Site, request: ReadRequest) -> Response {
    if !headers::is_form(request.headers()) {
        return invalid_request("Content-Type must be application/x-www-form-urlencoded.");
    }
    let client = authenticate::client(request.headers(), request.extensions(), Channel::Rest).at(Endpoint::Introspect);
    let (parts, body) = request.into_parts();
    let Some(form) = Form::read(&body) else {
        return invalid_request("A parameter occurs more than once.");
    };
    let tenant = match authenticate_caller(services, &parts.headers, &form, &client).await {
        Ok(tenant) => tenant,
        Err(refusal) => return *refusal,
    };
    let Some(token) = form.token.as_deref().map(str::trim).filter(|token| !token.is_empty()) else {
        return invalid_request("The parameter token is missing.");
    };
    let client = match end_client(&form, tenant, client) {
        Ok(client) => client,
        Err(refusal) => return *refusal,
    };
    match answer(services, site, tenant, token, &client).await {
        Ok(response) => response,
        Err(error) => problem::of(&error),
    }
}

async fn answer(
    services: &Services,
    site: &Site,
    tenant: TenantId,
    token: &str,
    client: &Client,
) -> Result<Response, ApiError> {
    let verification = services.verification();
    // Before the answer is looked for, so that the answer includes the changes up to it.
    let cursor = services.changes().cursor(tenant);
    let key = match verification.authorize(token, &[], Some(tenant), client).await? {
        Authorized::Granted(key) => key,
        Authorized::RateLimited(wait) => {
            return Ok(json(&Inactive { active: false, error: Some("rate_limited"), retry_after: Some(wait) }));
        }
        Authorized::Refused | Authorized::Lacks(..) => return Ok(json(&Inactive::default())),
    };
    let scopes = verification.effective_scopes(&key).await?;
    let mut response = json(&active(&key, &scopes, site));
    cursor::add(&mut response, cursor.filter(|_| key.limits().is_none()));
    Ok(response)
}

fn active<'a>(key: &'a VerifiedKey, scopes: &[Scope], site: &'a Site) -> Active<'a> {
    Active {
        active: true,
        scope: scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "),
        client_id: key.key_id().to_string(),
        username: key.owner_name(),
        token_type: "Bearer",
        exp: key.expires_at().map(|at| at.timestamp()),
        sub: key.owner().to_string(),
        iss: &site.public_url,
        key_name: key.name().as_str(),
        owner_kind: key.owner().kind().as_str(),
        tenant_id: key.tenant_id(),
        tenant: key.tenant_slug().as_str(),
        role: key.role(),
    }
}

/// Returns the tenant of the caller's key.
async fn authenticate_caller(
    services: &Services,
    headers: &HeaderMap,
    form: &Form,
    client: &Client,
) -> Result<TenantId, Box<Response>> {
    let in_header = match headers.get(header::AUTHORIZATION).map(|value| value.to_str()) {
        None => Credential::None,
        Some(Ok(value)) => Credential::of_authorization(value),
        Some(Err(_)) => Credential::Unusable,
    };
    let token: Cow<'_, str> = match (in_header, form.client_secret.as_deref()) {
        // RFC 6749 §2.3.1: clients encode the password like a form.
        (Credential::Token(token), None) if is_basic(headers) => {
            percent_decode_str(&token).decode_utf8_lossy().into_owned().into()
        }
        (Credential::Token(token), None) => token,
        (Credential::None, Some(secret)) => secret.trim().into(),
        (Credential::Token(_), Some(_)) => {
            return Err(Box::new(invalid_request("The client authenticates in more than one way.")));
        }
        (Credential::None | Credential::Unusable, _) => return Err(Box::new(invalid_client())),
    };
    match services.verification().caller(&token, client).await.map_err(ApiError::from) {
        Ok(tenant) => Ok(tenant),
        Err(error) if error.code == ErrorCode::Unauthenticated => Err(Box::new(invalid_client())),
        Err(error) if error.code == ErrorCode::Forbidden => {
            Err(Box::new(oauth_error(StatusCode::FORBIDDEN, "insufficient_scope", &error.message)))
        }
        Err(error) => Err(Box::new(problem::of(&error))),
    }
}

/// Whether the header `Authorization` has the scheme Basic.
fn is_basic(headers: &HeaderMap) -> bool {
    let scheme = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().trim_ascii_start().get(..5));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic"))
}

fn end_client(form: &Form, tenant: TenantId, client: Client) -> Result<Client, Box<Response>> {
    let (address, agent) = (form.client_address.as_deref(), form.client_user_agent.as_deref());
    if address.is_none() && agent.is_none() {
        return Ok(client);
    }
    super::verify::end_client(Some(tenant), &client, address, agent)
        .map_err(|_| Box::new(invalid_request("The parameter client_address must be an IP address.")))
}

fn invalid_client() -> Response {
    let needed = format!("Authenticate with a valid API key that has the scope {}.", OwnScope::Verify.as_str());
    let mut response = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", &needed);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Latchkey\""));
    response
}

fn invalid_request(description: &str) -> Response {
    oauth_error(StatusCode::BAD_REQUEST, "invalid_request", description)
}

fn oauth_error(status: StatusCode, error: &'static str, error_description: &str) -> Response {
    (status, json(&OauthError { error, error_description })).into_response()
}
