//! The forms about many keys at once, and about policies.

use app::expiry_choice::first_instant;
use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
    routing::{MethodRouter, post},
};
use domain::{ApiError, ErrorCode, KeyId};
use service::{BulkAct, SetPolicy};

use super::{again, done, handle, read_in_place};
use crate::{middleware::authenticate::Caller, router::Doors};

const INVENTORY: &str = "/team/keys";
const SETTINGS: &str = "/team/settings";

/// `POST /team/keys/suspend` and `/team/keys/revoke`.
pub(crate) fn bulk(act: BulkAct) -> MethodRouter<Doors> {
    post(async move |State(doors): State<Doors>, Extension(caller): Extension<Caller>, request: Request| {
        let (parts, fields) = match read_in_place(&doors, request).await {
            Ok(read) => read,
            Err(refusal) => return refusal,
        };
        match act_on_all(&doors, &caller, act, fields.get("keys")).await {
            Ok(notice) => done(INVENTORY, notice),
            Err(error) => again(&doors, parts, &fields, error).await,
        }
    })
}

/// `keys`: ids with commas between them. Gives the word on what was done: not more than was.
async fn act_on_all(doors: &Doors, caller: &Caller, act: BulkAct, keys: &str) -> Result<&'static str, ApiError> {
    let keys: Result<Vec<KeyId>, _> = keys.split(',').map(str::parse).collect();
    let keys = keys.map_err(|_| ApiError::new(ErrorCode::BadUserInput, "Choose keys in the list."))?;
    let count = doors.services.inventory().act(caller.require()?, act, &keys).await?;
    match (act, count as usize) {
        (_, 0) => {
            let message =
                "None of the chosen keys was changed: they are stopped or over already, or aren't this tenant's.";
            Err(ApiError::new(ErrorCode::Conflict, message))
        }
        (BulkAct::Revoke, some) if some < keys.len() => Ok("some-keys-revoked"),
        (BulkAct::Suspend, some) if some < keys.len() => Ok("some-keys-suspended"),
        (BulkAct::Revoke, _) => Ok("keys-revoked"),
        (BulkAct::Suspend, _) => Ok("keys-suspended"),
    }
}

/// `POST /team/settings/policies/{policy}`.
pub(crate) async fn set_policy(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(policy): Path<String>,
    request: Request,
) -> Response {
    handle(&doors, request, (SETTINGS, "policy-set"), async |_, fields| {
        let input =
            SetPolicy { policy, days: fields.get("days").trim().parse().ok(), from: first_instant(fields.get("from")) };
        Ok(doors.services.tenant_policies().set(caller.require()?, &input).await.map(drop)?)
    })
    .await
}

/// `POST /team/settings/policies/{policy}/off`.
pub(crate) async fn clear_policy(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(policy): Path<String>,
    request: Request,
) -> Response {
    handle(&doors, request, (SETTINGS, "policy-cleared"), async |_, _| {
        Ok(doors.services.tenant_policies().clear(caller.require()?, &policy).await?)
    })
    .await
}
