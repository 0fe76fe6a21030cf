//! Verification of API keys, for the services that accept them.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{ApiError, OwnerKind, audit::Channel};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use service::{Client, Services, VerifiedKey};

use crate::{body, headers, middleware::authenticate::client, problem};

#[derive(Deserialize)]
struct VerifyRequest {
    token: String,
}

#[derive(Serialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct OwnerAnswer {
    kind: OwnerKind,
    id: String,
    name: String,
}

#[derive(Serialize)]
struct TenantAnswer {
    id: String,
    slug: String,
}

/// The response.
#[derive(Serialize)]
pub(crate) struct VerifyAnswer {
    valid: bool,
    #[serde(flatten)]
    facts: Option<Facts>,
}

#[derive(Serialize)]
struct Facts {
    key: Named,
    owner: OwnerAnswer,
    tenant: TenantAnswer,
    role: domain::Role,
    expires_at: Option<String>,
}

impl From<VerifiedKey> for Facts {
    fn from(key: VerifiedKey) -> Self {
        Self {
            key: Named { id: key.key_id.to_string(), name: key.name.to_string() },
            owner: OwnerAnswer { kind: key.owner.kind(), id: key.owner.to_string(), name: key.owner_name },
            tenant: TenantAnswer { id: key.tenant_id.to_string(), slug: key.tenant_slug.as_str().to_owned() },
            role: key.role,
            expires_at: key.expires_at.map(rfc3339),
        }
    }
}

/// Formats a time as RFC 3339 in UTC, to the second, with `Z`.
fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `POST /api/v1/verify`: whether a token is valid and, if so, whose it is. Never says why a token is invalid.
pub(crate) async fn verify(State(services): State<Services>, request: Request) -> Response {
    if !headers::is_json(request.headers()) {
        return problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.");
    }
    let client = client(request.headers(), request.extensions(), Channel::Rest);
    let Some(input) = body::json_object::<VerifyRequest>(&body::bytes(request.into_body()).await) else {
        return problem::answer(StatusCode::BAD_REQUEST, "The body must be a JSON object with \"token\", a string.");
    };
    match answer(&services, &input.token, &client).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => problem::of(&error),
    }
}

/// Verifies a token for `client`, and records the request as usage of its key.
///
/// # Errors
/// When the token can't be checked.
pub(crate) async fn answer(services: &Services, token: &str, client: &Client) -> Result<VerifyAnswer, ApiError> {
    let verified = services.verification().verify(token, client).await?;
    Ok(VerifyAnswer { valid: verified.is_some(), facts: verified.map(Facts::from) })
}
