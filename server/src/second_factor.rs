//! A person's second factor, and its recovery codes.

use axum::{extract::State, response::Response};
use service::Services;
use tower_sessions::Session;

use crate::form::{Form, revealed};

/// `POST /user/second-factor/begin`. The page that follows shows the secret.
pub(crate) async fn begin(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.redirect_after("/user/second-factor/enable", "second-factor-begun", async |form| {
        let actor = form.confirm(&services, &session).await?;
        Ok(services.second_factors().begin(&actor).await.map(drop)?)
    })
    .await
}

/// `POST /user/second-factor/enable`. The answer shows the recovery codes, only this once.
pub(crate) async fn enable(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.reveal_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        Ok(revealed(services.second_factors().enable(&actor, form.get("code")).await?))
    })
    .await
}

/// `POST /user/second-factor/codes`. The answer shows the new recovery codes, only this once.
pub(crate) async fn renew_codes(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.reveal_after(async |form| {
        let actor = form.confirm(&services, &session).await?;
        Ok(revealed(services.second_factors().renew_codes(&actor).await?))
    })
    .await
}

/// `POST /user/second-factor/disable`.
pub(crate) async fn disable(State(services): State<Services>, session: Session, form: Form) -> Response {
    form.redirect_after("/user/profile", "second-factor-disabled", async |form| {
        let actor = form.confirm(&services, &session).await?;
        Ok(services.second_factors().disable(&actor).await?)
    })
    .await
}
