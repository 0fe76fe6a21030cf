//! The forms about service accounts.

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, post},
};
use domain::{ApiError, ServiceAccountId};
use service::CreateServiceAccount;
use tower_sessions::Session;

use crate::form::{Fields, again, confirm, done, read_in_place};
use crate::{middleware::authenticate::Caller, router::Doors};

/// `POST /team/service-accounts/new`.
pub(crate) async fn create(State(doors): State<Doors>, session: Session, request: Request) -> Response {
    let (mut parts, fields) = match read_in_place(&doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let input = CreateServiceAccount {
        name: fields.get("name").to_owned(),
        role: Some(fields.get("role").to_owned()),
        idempotency_key: Some(fields.get("idempotency_key").to_owned()),
    };
    let created = async {
        let actor = confirm(&doors, &session, &mut parts, &fields).await?;
        doors.services.service_accounts().create(&actor, &input).await.map_err(ApiError::from)
    };
    match created.await {
        Ok(account) => Redirect::to(&format!("/team/service-accounts/{}", account.id)).into_response(),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// `POST /team/service-accounts/{account}/delete`. An account that was used in the last day must be named.
pub(crate) async fn delete(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    let (parts, fields) = match read_in_place(&doors, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let deleted = async {
        let actor = caller.require()?;
        let id: ServiceAccountId = account.parse().map_err(|_| ApiError::not_found())?;
        let accounts = doors.services.service_accounts();
        let account = accounts.get(actor, id).await?;
        if account.was_used_lately(doors.services.now()) && fields.get("confirmation").trim() != account.name.as_str() {
            return Err(ApiError::field("confirmation", "Type the account's name exactly as it stands above."));
        }
        accounts.delete(actor, id).await.map_err(ApiError::from)
    };
    match deleted.await {
        Ok(_) => done("/team/service-accounts", "account-deleted"),
        Err(error) => again(&doors, parts, &fields, error).await,
    }
}

/// What a form does with one account, that can be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AccountAct {
    Rename,
    Role,
    Suspend,
    Resume,
}

impl AccountAct {
    async fn act(
        self,
        doors: &Doors,
        caller: &Caller,
        account: &str,
        fields: &Fields,
    ) -> Result<&'static str, ApiError> {
        let (accounts, actor) = (doors.services.service_accounts(), caller.require()?);
        let id: ServiceAccountId = account.parse().map_err(|_| ApiError::not_found())?;
        Ok(match self {
            Self::Rename => accounts.rename(actor, id, fields.get("name")).await.map(|_| "account-changed"),
            Self::Role => accounts.change_role(actor, id, fields.get("role")).await.map(|_| "account-changed"),
            Self::Suspend => accounts.suspend(actor, id).await.map(|_| "account-suspended"),
            Self::Resume => accounts.resume(actor, id).await.map(|_| "account-resumed"),
        }?)
    }
}

/// `POST /team/service-accounts/{account}/…`.
pub(crate) fn change(act: AccountAct) -> MethodRouter<Doors> {
    post(
        async move |State(doors): State<Doors>,
                    Extension(caller): Extension<Caller>,
                    Path(account): Path<String>,
                    request: Request| {
            let (parts, fields) = match read_in_place(&doors, request).await {
                Ok(read) => read,
                Err(refusal) => return refusal,
            };
            match act.act(&doors, &caller, &account, &fields).await {
                Ok(notice) => done("/team/service-accounts", notice),
                Err(error) => again(&doors, parts, &fields, error).await,
            }
        },
    )
}
