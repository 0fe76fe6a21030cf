//! The REST door: verification and health. Errors are problem details (RFC 9457).

pub(crate) mod audit_log;
pub(crate) mod calendar;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{ApiError, OwnerKind, audit::Channel};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use service::VerifiedKey;

use crate::{middleware::authenticate::client, pages::is_json, problem, router::Doors};

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

#[derive(Serialize)]
struct VerifyAnswer {
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

/// An instant on the wire: UTC, whole seconds, with `Z`.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `POST /api/v1/verify`: is this token good, and for what? A refused one is told "not valid", never why.
pub(crate) async fn verify(State(doors): State<Doors>, request: Request) -> Response {
    if !is_json(request.headers()) {
        return problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/json.");
    }
    let client = client(request.headers(), request.extensions(), Channel::Rest);
    let Ok(body) = axum::body::to_bytes(request.into_body(), crate::middleware::limits::MOST_BYTES).await else {
        return problem::answer(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than 64 KiB.");
    };
    let Some(asked) = read_object::<VerifyRequest>(&body) else {
        return problem::answer(StatusCode::BAD_REQUEST, "Send a JSON object with the member \"token\", a string.");
    };
    match doors.services.verification().verify(&asked.token, &client).await {
        Ok(verified) => {
            Json(VerifyAnswer { valid: verified.is_some(), facts: verified.map(Facts::from) }).into_response()
        }
        Err(error) => problem::of(&ApiError::from(error)),
    }
}

/// A JSON object. Not an array: those would be read as an object's members in their order.
pub(crate) fn read_object<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
}

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health/ready`: and so does the database.
pub(crate) async fn ready(State(doors): State<Doors>) -> Response {
    if doors.services.is_healthy().await {
        return "ok\n".into_response();
    }
    problem::answer(StatusCode::SERVICE_UNAVAILABLE, "The database does not answer.")
}

/// Any other path below `/api/`.
pub(crate) async fn not_found() -> Response {
    problem::of(&ApiError::not_found())
}
