//! The choice of a role, with what each means.

use domain::Role;
use leptos::prelude::*;

/// A select of roles; Administrator unless something else was chosen before.
#[component]
pub fn RoleField(#[prop(optional, into)] value: String) -> impl IntoView {
    let chosen = value.parse().unwrap_or(Role::TenantAdmin);
    let options =
        Role::ALL.map(|role| view! { <option value=role.as_str() selected=role == chosen>{role.label()}</option> });
    let meanings = Role::ALL.map(|role| view! { <li><strong>{role.label()}</strong>" — "{role.meaning()}</li> });
    view! {
        <div class="field">
            <label for="field-role">"Role"</label>
            <select id="field-role" name="role" aria-describedby="hint-role">{options.into_iter().collect_view()}</select>
            <ul class="hint" id="hint-role">{meanings.into_iter().collect_view()}</ul>
        </div>
    }
}
