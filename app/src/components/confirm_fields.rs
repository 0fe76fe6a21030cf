//! "Confirm that it is you": where something is made or revealed that lasts, and the sign-in is old.

use domain::ApiError;
use leptos::prelude::*;

use super::field::Field;
use crate::request::RequestContext;

/// The names of the fields, for those who show what is wrong at none of them.
pub const CONFIRM_FIELDS: [&str; 2] = ["confirm_password", "confirm_code"];

/// The fields; nothing while the sign-in is fresh.
///
/// # Errors
/// When the database fails.
pub async fn confirm_fields(request: &RequestContext) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    if request.services.is_fresh(actor) {
        return Ok(().into_any());
    }
    let has_second_factor = request.services.second_factors().state(actor).await?.enabled_at.is_some();
    let error = Signal::stored(request.form.error.clone());
    let code = has_second_factor.then(|| {
        view! { <Field name="confirm_code" label="Code of your second factor" hint="From the app, or a recovery code." autocomplete="one-time-code" error /> }
    });
    Ok(view! {
        <fieldset class="confirm">
            <legend>"Confirm that it is you"</legend>
            <Field name="confirm_password" label="Your password" kind="password" hint="Your last sign-in was too long ago for this." autocomplete="current-password" error />
            {code}
        </fieldset>
    }
    .into_any())
}
