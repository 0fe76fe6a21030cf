//! A user's two-factor authentication, and its recovery codes.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{ApiError, Notice, Operation};
use service::Services;
use tower_sessions::Session;

use crate::{form::Form, middleware::sessions};

/// `POST /user/second-factor/{act}`.
pub(crate) async fn act(
    State(services): State<Services>,
    Path(act): Path<String>,
    session: Session,
    form: Form,
) -> Response {
    match act.as_str() {
        "begin" => begin(services, session, form).await,
        "enable" => enable(services, session, form).await,
        "codes" => renew_codes(services, session, form).await,
        "disable" => disable(services, session, form).await,
        _ => form.show_again(ApiError::not_found()).await,
    }
}

/// `POST /user/second-factor/begin`. The next page shows the secret.
async fn begin(services: Services, session: Session, form: Form) -> Response {
    form.redirect_after("/user/second-factor/enable", &Notice::of(Operation::BeginSecondFactor), async |form| {
        let actor = form.confirm(&services, &session).await?;
        Ok(services.second_factors().begin(&actor).await.map(drop)?)
    })
    .await
}

/// `POST /user/second-factor/enable`. The response shows the recovery codes, only this once.
async fn enable(services: Services, session: Session, form: Form) -> Response {
    form.show_codes_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        let this = sessions::digest_of(&session)?;
        let only_session = (form.get("end_others") == "true").then_some(this);
        let codes = services.second_factors().enable(&actor, form.get("code"), only_session).await?;
        sessions::renew(&session).await?;
        Ok(codes)
    })
    .await
}

/// `POST /user/second-factor/codes`. The response shows the new recovery codes, only this once.
async fn renew_codes(services: Services, session: Session, form: Form) -> Response {
    form.show_codes_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        let codes = services.second_factors().renew_codes(&actor).await?;
        sessions::renew(&session).await?;
        Ok(codes)
    })
    .await
}

/// `POST /user/second-factor/disable`.
async fn disable(services: Services, session: Session, form: Form) -> Response {
    form.redirect_after("/user/profile", &Notice::of(Operation::DisableSecondFactor), async |form| {
        let actor = form.confirm(&services, &session).await?;
        services.second_factors().disable(&actor).await?;
        sessions::renew(&session).await
    })
    .await
}
