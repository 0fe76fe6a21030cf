//! The forms about many keys at once, and about policies.

use app::expiry_choice::first_instant;
use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
    routing::{MethodRouter, post},
};
use domain::KeyId;
use service::{BulkAct, SetPolicy};

use super::handle;
use crate::{middleware::authenticate::Caller, router::Doors};

const INVENTORY: &str = "/team/keys";
const SETTINGS: &str = "/team/settings";

/// `POST /team/keys/suspend` and `/team/keys/revoke`.
pub(crate) fn bulk(act: BulkAct) -> MethodRouter<Doors> {
    post(async move |State(doors): State<Doors>, Extension(caller): Extension<Caller>, request: Request| {
        let notice = if act == BulkAct::Revoke { "keys-revoked" } else { "keys-suspended" };
        handle(&doors, request, (INVENTORY, notice), async |_, fields| {
            let keys: Vec<KeyId> = fields.get("keys").split(',').filter_map(|text| text.parse().ok()).collect();
            Ok(doors.services.inventory().act(caller.require()?, act, &keys).await.map(drop)?)
        })
        .await
    })
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
