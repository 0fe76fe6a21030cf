//! The fields of the form that creates a key.

use chrono::{DateTime, Utc};
use domain::{ApiError, TenantId, api_key::expiry::ExpiryChoice, scope::ScopeOption, user::input::confirm};
use leptos::prelude::*;

use super::{
    expiry_field::ExpiryField,
    field::{Field, FieldError, FormError},
    limit_fields::{LimitFields, TypedLimits},
    scope_field::{ScopeField, ScopeTick},
};
use crate::words::{keys as words, labels, limits as limits_words};

/// A tenant in which the person may create a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantChoice {
    /// The tenant's id.
    pub id: TenantId,
    /// The tenant's name.
    pub name: String,
    /// The tenant's slug.
    pub slug: String,
    /// Whether it is selected when the form opens.
    pub chosen: bool,
    /// The expiries that its key policies forbid. The stylesheet hides them while the tenant is selected.
    pub forbids: Vec<ExpiryChoice>,
}

/// The initial values: those of a rejected submission, or the defaults.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The key's name.
    pub name: String,
    /// The code of the chosen expiry, see [`ExpiryChoice::code`].
    pub expiry: String,
    /// The custom expiry date, as typed.
    pub date: String,
    /// What the key may do.
    pub access: ScopeOption,
    /// From which addresses and how often it may be used.
    pub limits: TypedLimits,
}

/// The fields. `scopes`: the offered scopes. `choices`: the offered expiries. `tenants`: the tenants to choose from. If there is only one, the field is
/// hidden; if there is none, it is left out. `now`: the time from which the expiries count.
#[component]
pub fn KeyFields(
    typed: Typed,
    scopes: Vec<ScopeTick>,
    choices: Vec<ExpiryChoice>,
    tenants: Vec<TenantChoice>,
    now: DateTime<Utc>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    const FIELDS: &[&str] = &[
        "name",
        "expires_at",
        "scopes",
        "allowed_addresses",
        "rate_limit",
        "allow_lockout",
        "tenant_id",
        confirm::PASSWORD,
        confirm::CODE,
    ];
    let has_limits = typed.limits.is_filled();
    view! {
        <FormError error fields=FIELDS />
        <Field name="name" label=labels::name() value=typed.name hint=words::name_hint() autofocus=true error />
        <ExpiryField choices choice=typed.expiry date=typed.date now error />
        <ScopeField option=typed.access ticks=scopes error />
        <details class="field" open=has_limits>
            <summary>{limits_words::limits()}</summary>
            <LimitFields typed=typed.limits error />
        </details>
        {tenant_field(tenants, error)}
    }
}

fn tenant_field(tenants: Vec<TenantChoice>, error: Signal<Option<ApiError>>) -> Option<AnyView> {
    if let [only] = tenants.as_slice() {
        let id = only.id.to_string();
        return Some(view! { <input type="hidden" name="tenant_id" value=id /> }.into_any());
    }
    if tenants.is_empty() {
        return None;
    }
    let options = tenants.into_iter().map(|tenant| {
        let forbids = tenant.forbids.iter().map(|choice| choice.code()).collect::<Vec<_>>().join(" ");
        view! {
            <option value=tenant.id.to_string() selected=tenant.chosen data-forbids=forbids>
                {tenant.name}
            </option>
        }
    });
    Some(
        view! {
            <div class="field">
                <label for="field-tenant_id">{labels::tenant()}</label>
                <select id="field-tenant_id" name="tenant_id" aria-describedby="error-tenant_id">
                    {options.collect_view()}
                </select>
                <FieldError id="error-tenant_id".to_owned() name="tenant_id" error=error />
            </div>
        }
        .into_any(),
    )
}
