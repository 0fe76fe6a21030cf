//! The field that selects a role, with a description of each role.

use domain::{ApiError, Role};
use leptos::prelude::*;

use super::field::FieldError;
use crate::words::{labels, members as words};

/// The hint at the fields that confirm the person's identity, where only a higher role requires them.
pub const TO_RAISE: &str = words::confirm_to_raise();

/// Radio buttons for all roles, each with what it allows. Without a `value` none is selected, and the browser requires a
/// choice.
#[component]
pub fn RoleField(
    /// The code of the selected role, such as `TENANT_ADMIN`.
    #[prop(optional, into)]
    value: String,
    /// The form's error.
    #[prop(optional, into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let chosen: Option<Role> = value.parse().ok();
    let is_wrong = move || error.get().and_then(|error| error.at("role").map(|_| "true"));
    let cards = Role::ALL.map(|role| {
        let (name, meaning) = (format!("role-{}", role.as_str()), format!("meaning-{}", role.as_str()));
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="role"
                    value=role.as_str()
                    checked=chosen == Some(role)
                    required
                    aria-labelledby=name.clone()
                    aria-describedby=format!("{meaning} error-role")
                    aria-invalid=is_wrong
                />
                <span>
                    <strong id=name>{role.label()}</strong>
                    <span class="sub" id=meaning>
                        {role.meaning()}
                    </span>
                </span>
            </label>
        }
    });
    view! {
        <fieldset class="field roles">
            <legend>{labels::role()}</legend>
            <div class="choices">{cards.into_iter().collect_view()}</div>
            <FieldError id="error-role".to_owned() name="role" error />
        </fieldset>
    }
}
