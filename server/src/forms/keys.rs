//! The forms about keys.

use app::{
    expiry_choice::{ExpiryChoice, utc_date},
    request::FormOutcome,
};
use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use domain::{ApiError, IssuedKey, KeyId, Owner, ServiceAccountId};
use http::StatusCode;
use service::{Actor, CreateApiKey};

use super::{Fields, again, done, read};
use crate::{middleware::authenticate::Caller, pages, router::Doors};

/// `POST /user/api-keys/new`.
pub(crate) async fn create_own(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let owner = caller.require().map(Actor::owner);
    create(&doors, &caller, owner, request).await
}

/// `POST /team/service-accounts/{account}/keys/new`.
pub(crate) async fn create_of_account(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    let owner = account.parse::<ServiceAccountId>().map(Owner::ServiceAccount).map_err(|_| ApiError::not_found());
    create(&doors, &caller, owner, request).await
}

/// The answer shows the token, so it is no redirect: 200, not stored, not compressed.
async fn create(doors: &Doors, caller: &Caller, owner: Result<Owner, ApiError>, request: Request) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match issue(doors, caller, owner, &fields).await {
        Ok(issued) => {
            let form = FormOutcome { issued: Some(issued), ..FormOutcome::default() };
            pages::render_with(doors, Request::from_parts(parts, Body::empty()), form, StatusCode::OK).await
        }
        Err(error) => again(doors, parts, &fields, error).await,
    }
}

async fn issue(
    doors: &Doors,
    caller: &Caller,
    owner: Result<Owner, ApiError>,
    fields: &Fields,
) -> Result<IssuedKey, ApiError> {
    let tenant = Some(fields.get("tenant_id")).filter(|text| !text.is_empty());
    let choice = ExpiryChoice::from_word(fields.get("expiry"));
    let input = CreateApiKey {
        owner: owner?,
        tenant_id: tenant
            .map(|text| text.parse().map_err(|_| ApiError::field("tenant_id", "Choose a tenant.")))
            .transpose()?,
        name: fields.get("name").to_owned(),
        expires_at: choice
            .expires_at(utc_date(fields.get("date")), doors.services.now())
            .map_err(|error| ApiError::field("expires_at", error.to_string()))?,
        idempotency_key: Some(fields.get("idempotency_key").to_owned()),
    };
    Ok(doors.services.api_keys().create(caller.require()?, &input).await?)
}

/// `POST /user/api-keys/{key}/revoke`.
pub(crate) async fn revoke_own(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    revoke(&doors, &caller, &key, "/user/api-keys", request).await
}

/// `POST /team/service-accounts/{account}/keys/{key}/revoke`.
pub(crate) async fn revoke_of_account(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path((account, key)): Path<(String, String)>,
    request: Request,
) -> Response {
    let list = match account.parse::<ServiceAccountId>() {
        Ok(account) => format!("/team/service-accounts/{account}"),
        Err(_) => "/team/service-accounts".to_owned(),
    };
    revoke(&doors, &caller, &key, &list, request).await
}

async fn revoke(doors: &Doors, caller: &Caller, key: &str, list: &str, request: Request) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let revoked = async {
        let id: KeyId = key.parse().map_err(|_| ApiError::not_found())?;
        doors.services.api_keys().revoke(caller.require()?, id).await.map_err(ApiError::from)
    };
    match revoked.await {
        Ok(_) => done(list, "key-revoked"),
        Err(error) => again(doors, parts, &fields, error).await,
    }
}
