//! The field for a password, with a button that shows what was typed.

use domain::ApiError;
use leptos::prelude::*;

use super::field::Field;
use crate::words::{labels, profile as words};

/// A password. The button needs the script, and is hidden without it.
#[component]
pub fn PasswordField(
    /// The field's name in the form and in errors.
    name: &'static str,
    /// The label above the input.
    #[prop(default = labels::password())]
    label: &'static str,
    /// The text below the input; empty for none.
    #[prop(optional, into)]
    hint: String,
    /// The `autocomplete` attribute: `current-password` or `new-password`.
    #[prop(default = "current-password")]
    autocomplete: &'static str,
    /// The shortest value that the browser accepts; 0 for any.
    #[prop(optional)]
    minlength: usize,
    /// Whether the browser requires a value.
    #[prop(default = true)]
    required: bool,
    /// Whether the input has the focus when the page opens.
    #[prop(optional)]
    autofocus: bool,
    /// The form's error; shown if it concerns this field.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let button = view! {
        <button
            type="button"
            class="button script-only"
            data-hide=format!("#field-{name}")
            title=words::shows_or_hides_the_password()
        >
            {words::show()}
        </button>
    };
    view! {
        <Field
            name
            label
            kind="password"
            hint
            autocomplete
            minlength=minlength
            required
            autofocus
            button=button.into_any()
            error
        />
    }
}
