//! The form that tests a key: it verifies a pasted token and shows the response of the verification endpoint. It is a
//! plain form because a token is a secret, and not an operation because it does what anyone can do without a session.

use axum::{extract::State, response::Response};
use service::Services;

use crate::{form::Form, verification::verify};

/// `POST /user/api-keys/test`. Like any other verification, this counts as a request with the key.
pub(crate) async fn test(State(services): State<Services>, form: Form) -> Response {
    match verify::answer(&services, form.get("token").trim(), &[], &form.client(), None).await {
        Ok(answer) => form.show_verification(serde_json::to_string_pretty(&answer).unwrap_or_default()).await,
        Err(error) => form.show_again(error).await,
    }
}
