//! The field for a new password.

use domain::ApiError;
use leptos::prelude::*;

use super::field::Field;

/// A new password, with its rule as the hint.
#[component]
pub fn NewPassword(#[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    view! {
        <Field
            name="password"
            label="Password"
            kind="password"
            hint="At least 15 characters. Tip: use several unrelated words."
            autocomplete="new-password"
            error
        />
    }
}
