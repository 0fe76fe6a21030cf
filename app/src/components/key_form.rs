//! The fields that make a key.

use domain::{ApiError, TenantId, api_key::expiry::ExpiryChoice, user::input::confirm};
use leptos::prelude::*;

use super::{
    expiry_field::ExpiryField,
    field::{Field, FieldError, FormError},
};

/// A tenant to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantChoice {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub slug: String,
    /// Whether it is chosen at first.
    pub chosen: bool,
}

/// What was typed before, or is chosen at first.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The name.
    pub name: String,
    /// The expiry's word.
    pub expiry: String,
    /// The date.
    pub date: String,
}

/// The fields. `choices`: of the expiry. `tenants`: empty where there is no choice.
#[component]
pub fn KeyFields(
    #[prop(optional)] typed: Typed,
    choices: Vec<ExpiryChoice>,
    tenants: Vec<TenantChoice>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let choose = (!tenants.is_empty()).then(|| {
        let options = tenants.into_iter().map(|tenant| view! { <option value=tenant.id.to_string() selected=tenant.chosen>{tenant.name}</option> });
        view! {
            <div class="field">
                <label for="field-tenant_id">"Tenant"</label>
                <select id="field-tenant_id" name="tenant_id" aria-describedby="error-tenant_id">{options.collect_view()}</select>
                <FieldError id="error-tenant_id".to_owned() name="tenant_id" error=error />
            </div>
        }
    });
    view! {
        <FormError error fields=&["name", "expires_at", "tenant_id", confirm::PASSWORD, confirm::CODE] />
        <Field name="name" label="Name" value=typed.name hint="For example “GitHub Actions, production”." autofocus=true error />
        <ExpiryField choices choice=typed.expiry date=typed.date error />
        {choose}
    }
}
