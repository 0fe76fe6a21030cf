//! The field that selects a role, with a description of each role.

use domain::{ApiError, Role};
use leptos::prelude::*;

use super::field::FieldError;

/// A `<select>` of all roles. Without a `value` none is selected, and the browser requires a choice.
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
    let options = Role::ALL.map(|role| {
        view! {
            <option value=role.as_str() selected=chosen == Some(role)>
                {role.label()}
            </option>
        }
    });
    let meanings = Role::ALL.map(|role| {
        view! {
            <li>
                <strong>{role.label()}</strong>
                " — "
                {role.meaning()}
            </li>
        }
    });
    let is_wrong = move || error.get().and_then(|error| error.at("role").map(|_| "true"));
    view! {
        <div class="field">
            <label for="field-role">"Role"</label>
            <select id="field-role" name="role" required aria-describedby="hint-role error-role" aria-invalid=is_wrong>
                <option value="" selected=chosen.is_none()>
                    "Choose a role"
                </option>
                {options.into_iter().collect_view()}
            </select>
            <ul class="hint" id="hint-role">
                {meanings.into_iter().collect_view()}
            </ul>
            <FieldError id="error-role".to_owned() name="role" error />
        </div>
    }
}
