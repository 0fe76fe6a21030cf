//! The forms about service accounts.

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, ServiceAccountId};
use service::CreateServiceAccount;

use super::{again, done, read};
use crate::{middleware::authenticate::Caller, router::Doors};

/// `POST /team/service-accounts/new`.
pub(crate) async fn create(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let (parts, fields) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let input = CreateServiceAccount {
        name: fields.get("name").to_owned(),
        role: Some(fields.get("role").to_owned()),
        idempotency_key: Some(fields.get("idempotency_key").to_owned()),
    };
    let created =
        async { doors.services.service_accounts().create(caller.require()?, &input).await.map_err(ApiError::from) };
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
    let (parts, fields) = match read(request).await {
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
