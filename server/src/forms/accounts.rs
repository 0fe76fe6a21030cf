//! The forms about service accounts.

use axum::{
    Extension,
    extract::{FromRef, Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, post},
};
use domain::{ApiError, ServiceAccountId};
use service::{CreateServiceAccount, Services};
use tower_sessions::Session;

use crate::{
    form::{Form, redirect_with_notice},
    middleware::authenticate::Caller,
    pages::PageRenderer,
};

/// `POST /team/service-accounts/new`.
pub(crate) async fn create(State(services): State<Services>, session: Session, mut form: Form) -> Response {
    let input = CreateServiceAccount {
        name: form.get("name").to_owned(),
        role: Some(form.get("role").to_owned()),
        idempotency_key: Some(form.get("idempotency_key").to_owned()),
    };
    let created = async {
        let actor = form.confirm(&services, &session).await?;
        services.service_accounts().create(&actor, &input).await.map_err(ApiError::from)
    };
    let created = created.await;
    match created {
        Ok(account) => Redirect::to(&format!("/team/service-accounts/{}", account.id)).into_response(),
        Err(error) => form.show_again(error).await,
    }
}

/// `POST /team/service-accounts/{account}/delete`. An account that was used in the last day must be named.
pub(crate) async fn delete(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    form: Form,
) -> Response {
    let deleted = async {
        let actor = caller.require()?;
        let id: ServiceAccountId = account.parse().map_err(|_| ApiError::not_found())?;
        let accounts = services.service_accounts();
        let account = accounts.get(actor, id).await?;
        if account.was_used_lately(services.now()) && form.get("confirmation").trim() != account.name.as_str() {
            return Err(ApiError::field("confirmation", "Type the account's name exactly as it stands above."));
        }
        accounts.delete(actor, id).await.map_err(ApiError::from)
    };
    match deleted.await {
        Ok(_) => redirect_with_notice("/team/service-accounts", "account-deleted"),
        Err(error) => form.show_again(error).await,
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
        services: &Services,
        caller: &Caller,
        account: &str,
        form: &Form,
    ) -> Result<&'static str, ApiError> {
        let (accounts, actor) = (services.service_accounts(), caller.require()?);
        let id: ServiceAccountId = account.parse().map_err(|_| ApiError::not_found())?;
        Ok(match self {
            Self::Rename => accounts.rename(actor, id, form.get("name")).await.map(|_| "account-changed"),
            Self::Role => accounts.change_role(actor, id, form.get("role")).await.map(|_| "account-changed"),
            Self::Suspend => accounts.suspend(actor, id).await.map(|_| "account-suspended"),
            Self::Resume => accounts.resume(actor, id).await.map(|_| "account-resumed"),
        }?)
    }
}

/// `POST /team/service-accounts/{account}/…`.
pub(crate) fn change<S>(act: AccountAct) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Services: FromRef<S>,
    PageRenderer: FromRef<S>,
{
    post(
        async move |State(services): State<Services>,
                    Extension(caller): Extension<Caller>,
                    Path(account): Path<String>,
                    form: Form| {
            match act.act(&services, &caller, &account, &form).await {
                Ok(notice) => redirect_with_notice("/team/service-accounts", notice),
                Err(error) => form.show_again(error).await,
            }
        },
    )
}
