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
    routing::{MethodRouter, post},
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

/// What a form does with one key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyAct {
    Revoke,
    Rename,
    Suspend,
    Resume,
}

impl KeyAct {
    async fn act(self, doors: &Doors, caller: &Caller, key: &str, fields: &Fields) -> Result<&'static str, ApiError> {
        let (keys, actor) = (doors.services.api_keys(), caller.require()?);
        let id: KeyId = key.parse().map_err(|_| ApiError::not_found())?;
        Ok(match self {
            Self::Revoke => keys.revoke(actor, id).await.map(|_| "key-revoked"),
            Self::Rename => keys.rename(actor, id, fields.get("name")).await.map(|_| "key-renamed"),
            Self::Suspend => keys.suspend(actor, id).await.map(|_| "key-suspended"),
            Self::Resume => keys.resume(actor, id).await.map(|_| "key-resumed"),
        }?)
    }
}

/// `POST /user/api-keys/{key}/…`.
pub(crate) fn own(act: KeyAct) -> MethodRouter<Doors> {
    post(
        async move |State(doors): State<Doors>,
                    Extension(caller): Extension<Caller>,
                    Path(key): Path<String>,
                    request: Request| { change(act, &doors, &caller, &key, "/user/api-keys", request).await },
    )
}

/// `POST /team/service-accounts/{account}/keys/{key}/…`.
pub(crate) fn of_account(act: KeyAct) -> MethodRouter<Doors> {
    post(
        async move |State(doors): State<Doors>,
                    Extension(caller): Extension<Caller>,
                    Path((account, key)): Path<(String, String)>,
                    request: Request| {
            // Only an id becomes part of where the answer leads.
            let list = match account.parse::<ServiceAccountId>() {
                Ok(account) => format!("/team/service-accounts/{account}"),
                Err(_) => "/team/service-accounts".to_owned(),
            };
            change(act, &doors, &caller, &key, &list, request).await
        },
    )
}

async fn change(act: KeyAct, doors: &Doors, caller: &Caller, key: &str, list: &str, request: Request) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match act.act(doors, caller, key, &fields).await {
        Ok(notice) => done(list, notice),
        Err(error) => again(doors, parts, &fields, error).await,
    }
}
