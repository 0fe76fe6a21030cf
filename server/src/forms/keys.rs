//! The forms about keys.

use app::{
    expiry_choice::{ExpiryChoice, roll_deadline, utc_date},
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
use http::{StatusCode, request::Parts};
use service::{Actor, CreateApiKey, RollApiKey};
use tower_sessions::Session;

use crate::form::{Fields, again, confirm, done, read_in_place};
use crate::{middleware::authenticate::Caller, pages, router::Doors};

/// `POST /user/api-keys/new`.
pub(crate) async fn create_own(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    session: Session,
    request: Request,
) -> Response {
    let owner = caller.require().and_then(Actor::require_owner);
    create(&doors, &session, owner, request).await
}

/// `POST /team/service-accounts/{account}/keys/new`.
pub(crate) async fn create_of_account(
    State(doors): State<Doors>,
    session: Session,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    let owner = account.parse::<ServiceAccountId>().map(Owner::ServiceAccount).map_err(|_| ApiError::not_found());
    create(&doors, &session, owner, request).await
}

/// The answer shows the token, so it is no redirect: 200, not stored, not compressed.
async fn create(doors: &Doors, session: &Session, owner: Result<Owner, ApiError>, request: Request) -> Response {
    let (mut parts, fields) = match read_in_place(doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let issued = async {
        let actor = confirm(doors, session, &mut parts, &fields).await?;
        issue(doors, &actor, owner, &fields).await
    };
    let issued = issued.await;
    answer(doors, parts, &fields, issued).await
}

async fn answer(doors: &Doors, parts: Parts, fields: &Fields, issued: Result<IssuedKey, ApiError>) -> Response {
    match issued {
        Ok(issued) => {
            let form = FormOutcome { issued: Some(issued), ..FormOutcome::default() };
            pages::render_with(doors, Request::from_parts(parts, Body::empty()), form, StatusCode::OK).await
        }
        Err(error) => again(doors, parts, fields, error).await,
    }
}

async fn issue(
    doors: &Doors,
    actor: &Actor,
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
    Ok(doors.services.api_keys().create(actor, &input).await?)
}

/// `POST /user/api-keys/{key}/roll`.
pub(crate) async fn roll_own(
    State(doors): State<Doors>,
    session: Session,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    roll(&doors, &session, &key, request).await
}

/// `POST /team/service-accounts/{account}/keys/{key}/roll`.
pub(crate) async fn roll_of_account(
    State(doors): State<Doors>,
    session: Session,
    Path((_, key)): Path<(String, String)>,
    request: Request,
) -> Response {
    roll(&doors, &session, &key, request).await
}

/// The answer shows the new token, as that of [`create`].
async fn roll(doors: &Doors, session: &Session, key: &str, request: Request) -> Response {
    let (mut parts, fields) = match read_in_place(doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let rolled = async {
        let input = RollApiKey {
            key: key.parse().map_err(|_| ApiError::not_found())?,
            overlap: fields.get("overlap").to_owned(),
            deadline: Some(roll_deadline(fields.get("wait"), doors.services.now())),
            idempotency_key: Some(fields.get("idempotency_key").to_owned()),
        };
        let actor = confirm(doors, session, &mut parts, &fields).await?;
        doors.services.rolls().roll(&actor, &input).await.map_err(ApiError::from)
    };
    let rolled = rolled.await;
    answer(doors, parts, &fields, rolled).await
}

/// What a form does with one key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyAct {
    Revoke,
    Rename,
    Suspend,
    Resume,
    FinishRoll,
    ExtendRoll,
    CancelRoll,
}

impl KeyAct {
    async fn act(self, doors: &Doors, actor: &Actor, key: &str, fields: &Fields) -> Result<&'static str, ApiError> {
        let keys = doors.services.api_keys();
        let id: KeyId = key.parse().map_err(|_| ApiError::not_found())?;
        Ok(match self {
            Self::Revoke => {
                keys.revoke_with(actor, id, fields.get("and_created") == "yes").await.map(|_| "key-revoked")
            }
            Self::FinishRoll => doors.services.rolls().finish(actor, id).await.map(|_| "roll-finished"),
            Self::ExtendRoll => {
                doors.services.rolls().extend(actor, id, fields.get("overlap")).await.map(|_| "roll-extended")
            }
            Self::CancelRoll => doors.services.rolls().cancel(actor, id).await.map(|_| "roll-cancelled"),
            Self::Rename => keys.rename(actor, id, fields.get("name")).await.map(|_| "key-renamed"),
            Self::Suspend => keys.suspend(actor, id).await.map(|_| "key-suspended"),
            Self::Resume => keys.resume(actor, id).await.map(|_| "key-resumed"),
        }?)
    }
}

/// `POST /user/api-keys/{key}/…`.
pub(crate) fn own(act: KeyAct) -> MethodRouter<Doors> {
    post(async move |State(doors): State<Doors>, session: Session, Path(key): Path<String>, request: Request| {
        change(act, &doors, &session, &key, "/user/api-keys", request).await
    })
}

/// `POST /team/service-accounts/{account}/keys/{key}/…`.
pub(crate) fn of_account(act: KeyAct) -> MethodRouter<Doors> {
    post(
        async move |State(doors): State<Doors>,
                    session: Session,
                    Path((account, key)): Path<(String, String)>,
                    request: Request| {
            // Only an id becomes part of where the answer leads.
            let list = match account.parse::<ServiceAccountId>() {
                Ok(account) => format!("/team/service-accounts/{account}"),
                Err(_) => "/team/service-accounts".to_owned(),
            };
            change(act, &doors, &session, &key, &list, request).await
        },
    )
}

async fn change(act: KeyAct, doors: &Doors, session: &Session, key: &str, list: &str, request: Request) -> Response {
    let (mut parts, fields) = match read_in_place(doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let changed = async {
        let actor = confirm(doors, session, &mut parts, &fields).await?;
        act.act(doors, &actor, key, &fields).await
    };
    let changed = changed.await;
    match changed {
        Ok(notice) => done(list, notice),
        Err(error) => again(doors, parts, &fields, error).await,
    }
}
