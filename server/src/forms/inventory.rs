//! The forms about many keys at once, and about policies.

use app::{
    expiry_choice::first_instant,
    list_url::{back_to_list, encode},
};
use axum::{
    Extension,
    extract::{FromRef, Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, post},
};
use domain::{ApiError, ErrorCode, KeyId, policy::PolicyKind};
use service::{BulkAct, Services, SetPolicy};

use crate::{
    form::{Fields, Form, redirect_with_notice},
    middleware::authenticate::Caller,
    pages::PageRenderer,
};

const INVENTORY: &str = "/team/keys";
const SETTINGS: &str = "/team/settings";

/// `POST /team/keys/suspend` and `/team/keys/revoke`.
pub(crate) fn bulk<S>(act: BulkAct) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Services: FromRef<S>,
    PageRenderer: FromRef<S>,
{
    post(async move |State(services): State<Services>, Extension(caller): Extension<Caller>, form: Form| {
        match act_on_all(&services, &caller, act, form.get("keys")).await {
            Ok(notice) => redirect_with_notice(back_to_list(INVENTORY, form.get("back")), notice),
            Err(error) => form.show_again(error).await,
        }
    })
}

/// `keys`: ids with commas between them. Gives the word on what was done: not more than was.
async fn act_on_all(services: &Services, caller: &Caller, act: BulkAct, keys: &str) -> Result<&'static str, ApiError> {
    let keys: Result<Vec<KeyId>, _> = keys.split(',').map(str::parse).collect();
    let keys = keys.map_err(|_| ApiError::new(ErrorCode::BadUserInput, "Choose keys in the list."))?;
    let count = services.inventory().act(caller.require()?, act, &keys).await?;
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

/// `POST /team/settings/policies/{policy}`. Values that were typed after the look at what others touch are shown first, and
/// set by the next press.
pub(crate) async fn set_policy(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    Path(policy): Path<String>,
    form: Form,
) -> Response {
    if let Some(kind) = PolicyKind::from_word(&policy)
        && !is_as_seen(form.fields())
    {
        return Redirect::to(&preview_address(kind, form.fields())).into_response();
    }
    let input = SetPolicy { policy, days: form.get("days").trim().parse().ok(), from: first_instant(form.get("from")) };
    match set(&services, &caller, &input).await {
        Ok(()) => redirect_with_notice(SETTINGS, "policy-set"),
        Err(error) => form.show_again(error).await,
    }
}

async fn set(services: &Services, caller: &Caller, input: &SetPolicy) -> Result<(), ApiError> {
    Ok(services.tenant_policies().set(caller.require()?, input).await.map(drop)?)
}

/// Whether the values are those that the page showed the effect of. A form that doesn't say what was shown is taken at its
/// word.
fn is_as_seen(fields: &Fields) -> bool {
    let is_same =
        |typed: &str, seen: &str| fields.find(seen).is_none_or(|seen| seen.trim() == fields.get(typed).trim());
    is_same("days", "seen_days") && is_same("from", "seen_from")
}

/// The page that shows what the typed values touch.
fn preview_address(kind: PolicyKind, fields: &Fields) -> String {
    let [days, from] = ["days", "from"].map(|name| encode(fields.get(name).trim()));
    format!("{SETTINGS}/policies/{}?days={days}&from={from}&preview=yes", kind.as_str())
}

/// `POST /team/settings/policies/{policy}/off`.
pub(crate) async fn clear_policy(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    Path(policy): Path<String>,
    form: Form,
) -> Response {
    form.redirect_after(SETTINGS, "policy-cleared", async |_| {
        Ok(services.tenant_policies().clear(caller.require()?, &policy).await?)
    })
    .await
}
