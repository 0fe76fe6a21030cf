//! The field for a new password.

use domain::ApiError;
use leptos::prelude::*;
use service::MIN_PASSWORD_CHARS;

use super::password_field::PasswordField;
use crate::words::{labels, profile as words};

/// A new password, with its rule as the hint, and below it how long it is so far.
#[component]
pub fn NewPassword(
    /// The label above the input.
    #[prop(default = labels::password())]
    label: &'static str,
    /// A further sentence of the hint; empty for none.
    #[prop(optional)]
    then: &'static str,
    /// The form's error; shown if it concerns this field.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let rule = words::password_rule(&MIN_PASSWORD_CHARS, &then);
    view! {
        <PasswordField
            name="password"
            label
            hint=rule.trim_end()
            autocomplete="new-password"
            minlength=MIN_PASSWORD_CHARS
            error
        />
        <p class="hint script-only" data-counts="field-password" />
    }
}
