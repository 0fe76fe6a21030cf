//! The forms about keys.

use app::{
    expiry_choice::{ExpiryChoice, roll_deadline, utc_date},
    request::FormOutcome,
};
use axum::{
    Extension,
    extract::{FromRef, Path, State},
    response::Response,
    routing::{MethodRouter, post},
};
use domain::{ApiError, IssuedKey, KeyId, Owner, ServiceAccountId};
use service::{Actor, CreateApiKey, RollApiKey, Services};
use tower_sessions::Session;

use crate::{
    form::{Form, redirect_with_notice},
    middleware::authenticate::Caller,
    pages::PageRenderer,
};

/// `POST /user/api-keys/new`.
pub(crate) async fn create_own(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    session: Session,
    form: Form,
) -> Response {
    let owner = caller.require().and_then(Actor::require_owner);
    create(&services, &session, owner, form).await
}

/// `POST /team/service-accounts/{account}/keys/new`.
pub(crate) async fn create_of_account(
    State(services): State<Services>,
    session: Session,
    Path(account): Path<String>,
    form: Form,
) -> Response {
    let owner = account.parse::<ServiceAccountId>().map(Owner::ServiceAccount).map_err(|_| ApiError::not_found());
    create(&services, &session, owner, form).await
}

/// The answer shows the token, so it is no redirect: 200, not stored, not compressed.
async fn create(services: &Services, session: &Session, owner: Result<Owner, ApiError>, form: Form) -> Response {
    form.reveal_after(async |form| {
        let actor = form.confirm(services, session).await?;
        issue(services, &actor, owner, form).await.map(issued)
    })
    .await
}

fn issued(key: IssuedKey) -> FormOutcome {
    FormOutcome { issued: Some(key), ..FormOutcome::default() }
}

async fn issue(
    services: &Services,
    actor: &Actor,
    owner: Result<Owner, ApiError>,
    form: &Form,
) -> Result<IssuedKey, ApiError> {
    let tenant = Some(form.get("tenant_id")).filter(|text| !text.is_empty());
    let choice = ExpiryChoice::from_word(form.get("expiry"));
    let input = CreateApiKey {
        owner: owner?,
        tenant_id: tenant
            .map(|text| text.parse().map_err(|_| ApiError::field("tenant_id", "Choose a tenant.")))
            .transpose()?,
        name: form.get("name").to_owned(),
        expires_at: choice
            .expires_at(utc_date(form.get("date")), services.now())
            .map_err(|error| ApiError::field("expires_at", error.to_string()))?,
        idempotency_key: Some(form.get("idempotency_key").to_owned()),
    };
    Ok(services.api_keys().create(actor, &input).await?)
}

/// `POST /user/api-keys/{key}/roll`.
pub(crate) async fn roll_own(
    State(services): State<Services>,
    session: Session,
    Path(key): Path<String>,
    form: Form,
) -> Response {
    roll(&services, &session, &key, form).await
}

/// `POST /team/service-accounts/{account}/keys/{key}/roll`.
pub(crate) async fn roll_of_account(
    State(services): State<Services>,
    session: Session,
    Path((_, key)): Path<(String, String)>,
    form: Form,
) -> Response {
    roll(&services, &session, &key, form).await
}

/// The answer shows the new token, as that of [`create`].
async fn roll(services: &Services, session: &Session, key: &str, form: Form) -> Response {
    form.reveal_after(async |form| {
        let input = RollApiKey {
            key: key.parse().map_err(|_| ApiError::not_found())?,
            overlap: form.get("overlap").to_owned(),
            deadline: Some(roll_deadline(form.get("wait"), services.now())),
            idempotency_key: Some(form.get("idempotency_key").to_owned()),
        };
        let actor = form.confirm(services, session).await?;
        Ok(issued(services.rolls().roll(&actor, &input).await?))
    })
    .await
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
    async fn act(self, services: &Services, actor: &Actor, key: &str, form: &Form) -> Result<&'static str, ApiError> {
        let keys = services.api_keys();
        let id: KeyId = key.parse().map_err(|_| ApiError::not_found())?;
        Ok(match self {
            Self::Revoke => keys.revoke_with(actor, id, form.get("and_created") == "yes").await.map(|_| "key-revoked"),
            Self::FinishRoll => services.rolls().finish(actor, id).await.map(|_| "roll-finished"),
            Self::ExtendRoll => services.rolls().extend(actor, id, form.get("overlap")).await.map(|_| "roll-extended"),
            Self::CancelRoll => services.rolls().cancel(actor, id).await.map(|_| "roll-cancelled"),
            Self::Rename => keys.rename(actor, id, form.get("name")).await.map(|_| "key-renamed"),
            Self::Suspend => keys.suspend(actor, id).await.map(|_| "key-suspended"),
            Self::Resume => keys.resume(actor, id).await.map(|_| "key-resumed"),
        }?)
    }
}

/// `POST /user/api-keys/{key}/…`.
pub(crate) fn own<S>(act: KeyAct) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Services: FromRef<S>,
    PageRenderer: FromRef<S>,
{
    post(async move |State(services): State<Services>, session: Session, Path(key): Path<String>, form: Form| {
        change(act, &services, &session, &key, "/user/api-keys", form).await
    })
}

/// `POST /team/service-accounts/{account}/keys/{key}/…`.
pub(crate) fn of_account<S>(act: KeyAct) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Services: FromRef<S>,
    PageRenderer: FromRef<S>,
{
    post(
        async move |State(services): State<Services>,
                    session: Session,
                    Path((account, key)): Path<(String, String)>,
                    form: Form| {
            // Only an id becomes part of where the answer leads.
            let list = match account.parse::<ServiceAccountId>() {
                Ok(account) => format!("/team/service-accounts/{account}"),
                Err(_) => "/team/service-accounts".to_owned(),
            };
            change(act, &services, &session, &key, &list, form).await
        },
    )
}

async fn change(
    act: KeyAct,
    services: &Services,
    session: &Session,
    key: &str,
    list: &str,
    mut form: Form,
) -> Response {
    let changed = async {
        let actor = form.confirm(services, session).await?;
        act.act(services, &actor, key, &form).await
    };
    let changed = changed.await;
    match changed {
        Ok(notice) => redirect_with_notice(list, notice),
        Err(error) => form.show_again(error).await,
    }
}
