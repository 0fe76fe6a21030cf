//! "Confirm it's you": the fields that confirm the person's identity before access is created, restored or shown.

use domain::{ApiError, ErrorCode, user::input::confirm};
use leptos::prelude::*;

use super::{field::Field, password_field::PasswordField};
use crate::{
    request::RequestContext,
    words::{labels, profile as words},
};

/// The fields; nothing while the sign-in is recent, unless the submitted form had errors in them.
///
/// # Errors
/// When the database fails.
pub async fn confirm_fields(request: &RequestContext) -> Result<AnyView, ApiError> {
    fields(request, None).await
}

/// Like [`confirm_fields`], for a form that requires them only for some of its values. `when`: the hint that says for
/// which ones.
///
/// # Errors
/// When the database fails.
pub async fn confirm_fields_when(request: &RequestContext, when: &'static str) -> Result<AnyView, ApiError> {
    let was_required = request.form.error.as_ref().is_some_and(|error| error.code == ErrorCode::ConfirmationRequired);
    fields(request, (!was_required).then_some(when)).await
}

async fn fields(request: &RequestContext, when: Option<&'static str>) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    let (is_fresh, error) = (request.services.is_fresh(actor), request.form.error.clone());
    let is_wrong = error.as_ref().is_some_and(|error| confirm::FIELDS.iter().any(|field| error.at(field).is_some()));
    if is_fresh && !is_wrong {
        return Ok(().into_any());
    }
    let hint = match when {
        _ if is_fresh => words::confirm_is_optional(),
        Some(when) => when,
        None => words::enter_your_password_again(),
    };
    let required = !is_fresh && when.is_none();
    let has_second_factor = request.services.second_factors().state(actor).await?.enabled_at.is_some();
    let error = Signal::stored(error);
    let code = has_second_factor.then(|| {
        view! {
            <Field
                name=confirm::CODE
                label=labels::two_factor_code()
                hint=words::confirm_code_hint()
                inputmode="numeric"
                autocomplete="one-time-code"
                required=required
                error
            />
        }
    });
    Ok(view! {
        <fieldset class="confirm">
            <legend>{words::confirm_its_you()}</legend>
            <PasswordField name=confirm::PASSWORD label=words::your_password() hint required error />
            {code}
        </fieldset>
    }
    .into_any())
}
