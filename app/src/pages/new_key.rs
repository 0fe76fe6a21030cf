//! The page that creates a key and shows its token, for a person and for a service account. With JavaScript it is shown
//! in a dialog.

use domain::{
    ApiError, KeyLimits, KeyPolicy, Operation, Owner, ScopeSet, ServiceAccount,
    api_key::{
        expiry::{ExpiryChoice, local_input_text, suggested_date, utc_date},
        input::{CreateKey, ListKeyPolicies},
        policy::{Bounds, closing_to_people},
    },
    scope::{ListScopes, ScopeOption},
};
use leptos::prelude::*;
use service::{Actor, offers_in};

use crate::{
    api::{list_key_policies, list_scopes},
    as_code::{AsCode, CodeContext, Elsewhere},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::unfit_card,
        confirm_fields::confirm_fields,
        form_buttons::FormButtons,
        key_form::{KeyFields, TenantChoice, Typed},
        limit_fields::TypedLimits,
        reveal::{KeyHome, reveal_card, reveal_template, suspended_account},
        scope_field::ScopeTick,
    },
    request::RequestContext,
    words::{keys as words, labels},
};

const PATH: &str = "/user/api-keys";

/// The tenants in which the person may create keys. The one in the form is chosen; by default the selected tenant.
pub(super) fn tenants(request: &RequestContext) -> Result<Vec<TenantChoice>, ApiError> {
    let (actor, viewer) = (request.actor()?, request.viewer()?);
    let asked = request.typed("tenant_id");
    let may = viewer.memberships.iter().filter(|there| offers_in(actor, there, Operation::CreateApiKey));
    Ok(may
        .map(|membership| {
            let id = membership.tenant.id;
            let chosen = if asked.is_empty() { id == viewer.tenant_id } else { asked == id.to_string() };
            let (name, slug) = (membership.tenant.name.to_string(), membership.tenant.slug.as_str().to_owned());
            TenantChoice { id, name, slug, chosen, forbids: Vec::new() }
        })
        .collect())
}

/// The tenant chosen in the form, if it isn't the selected one.
fn elsewhere(actor: &Actor, tenants: &[TenantChoice]) -> Option<Elsewhere> {
    let chosen = tenants.iter().find(|tenant| tenant.chosen && tenant.id != actor.tenant_id())?;
    Some(Elsewhere { tenant_id: chosen.id.to_string(), slug: chosen.slug.clone() })
}

/// `/user/api-keys/new`.
pub async fn new_own_key(request: RequestContext) -> Result<AnyView, ApiError> {
    let tenants = tenants(&request)?;
    if tenants.is_empty() {
        // Returns the use case's own error to a person who may not create keys in any tenant.
        request.services.api_keys().check_may_create(request.actor()?).await?;
    }
    let code = request.code(None)?;
    new_key_page(&request, PATH, tenants, None, code).await
}

/// The key policies in effect for new keys in the selected tenant; empty if the person may create keys only in other
/// tenants.
async fn policies(request: &RequestContext, tenants: &[TenantChoice]) -> Result<Vec<KeyPolicy>, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    if !tenants.is_empty() && tenants.iter().all(|tenant| tenant.id != actor.tenant_id()) {
        return Ok(Vec::new());
    }
    let mut policies = list_key_policies(ListKeyPolicies {}).await?;
    policies.retain(|policy| policy.is_in_effect(now));
    Ok(policies)
}

/// Adds the expiries that each tenant's key policies forbid, and leaves out tenants in which people can't have keys,
/// unless that are all. Returns the limits of the tenants, in the same order.
async fn bound(request: &RequestContext, tenants: &mut Vec<TenantChoice>) -> Result<Vec<Bounds>, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    let mut bound = Vec::new();
    for mut tenant in std::mem::take(tenants) {
        let mut policies = request.services.tenant_policies().list_in(actor, tenant.id).await?;
        policies.retain(|policy| policy.is_in_effect(now));
        let bounds = Bounds::of(&policies, now);
        tenant.forbids = ExpiryChoice::ALL.into_iter().filter(|choice| !choice.fits(bounds)).collect();
        bound.push((tenant, bounds, closing_to_people(&policies, now).is_some()));
    }
    if bound.iter().any(|(_, _, is_closed)| !is_closed) {
        bound.retain(|(_, _, is_closed)| !is_closed);
    }
    if bound.iter().all(|(tenant, _, _)| !tenant.chosen)
        && let Some((first, _, _)) = bound.first_mut()
    {
        first.chosen = true;
    }
    let (choices, bounds) = bound.into_iter().map(|(tenant, bounds, _)| (tenant, bounds)).unzip();
    *tenants = choices;
    Ok(bounds)
}

/// The chosen expiry and the offered ones: those that the limits of any tenant allow. `bounds`: the limits of the tenant
/// that the form opens with; `others`: those of all tenants. `typed`: the value from the submitted form, which stays
/// chosen; empty for a new form.
fn expiries(typed: &str, bounds: Bounds, others: &[Bounds]) -> (ExpiryChoice, Vec<ExpiryChoice>) {
    let chosen = if typed.is_empty() { ExpiryChoice::first(bounds) } else { ExpiryChoice::from_code(typed) };
    let fits = |choice: &ExpiryChoice| choice.fits(bounds) || others.iter().any(|bounds| choice.fits(*bounds));
    let is_offered = |choice: &ExpiryChoice| *choice == chosen || fits(choice);
    (chosen, ExpiryChoice::ALL.into_iter().filter(is_offered).collect())
}

/// The page with the form or, if the form has just created a key, with its token. `account`: the service account that
/// will own the key; `None` for the signed-in person.
pub async fn new_key_page(
    request: &RequestContext,
    back: &str,
    mut tenants: Vec<TenantChoice>,
    account: Option<&ServiceAccount>,
    code: CodeContext,
) -> Result<AnyView, ApiError> {
    let base = account.map_or_else(|| back.to_owned(), |_| format!("{back}/keys"));
    let home = KeyHome { base: &base, list: back, public_url: &request.public_url };
    if let Some(account) = account {
        request.set_title(&words::create_a_key_for(&account.name));
    }
    if let Some(created) = request.form.created_key() {
        return Ok(reveal_card(created, home));
    }
    let (actor, policies) = (request.actor()?, policies(request, &tenants).await?);
    let all_bounds = bound(request, &mut tenants).await?;
    let has_others = tenants.iter().any(|tenant| tenant.id != actor.tenant_id());
    let now = request.services.now();
    if let Some(policy) = closing_to_people(&policies, now).filter(|_| account.is_none() && !has_others) {
        return Ok(unfit_card(
            request,
            labels::create_an_api_key().to_owned(),
            policy.refusal(),
            (back, labels::back()),
        ));
    }
    let value = |name: &str| request.typed(name);
    let opens_with = tenants.iter().zip(&all_bounds).find(|(tenant, _)| tenant.chosen).map(|(_, bounds)| *bounds);
    let bounds = opens_with.unwrap_or_else(|| Bounds::of(&policies, now));
    let (chosen, choices) = expiries(&value("expiry"), bounds, &all_bounds);
    let date = Some(value("date")).filter(|date| !date.is_empty());
    let date = date.unwrap_or_else(|| local_input_text(suggested_date(bounds, now)));
    let access = ScopeOption::from_code(&value("access")).unwrap_or(ScopeOption::Full);
    let limits = TypedLimits::of(request, &KeyLimits::default())?;
    let given_limits = limits.limits();
    let typed = Typed { name: value("name"), expiry: chosen.code().to_owned(), date, access, limits };
    let catalogue = list_scopes(ListScopes {}).await?;
    let role = account.map_or_else(|| actor.role(), |account| account.role);
    let ticked = ScopeSet::parse(&request.typed_list("scopes")).unwrap_or_default();
    let scopes = ScopeTick::all(catalogue.of_role(role), &ticked);
    let given = match access {
        ScopeOption::Full => None,
        ScopeOption::ReadOnly => catalogue.read_only(role).ok(),
        ScopeOption::Chosen => Some(ticked),
    };
    let error = Signal::stored(request.form.error.clone());
    let expires_at = chosen.expires_at(utc_date(&typed.date), now);
    let elsewhere = elsewhere(actor, &tenants);
    let expires_at = expires_at.ok().flatten();
    let may = (given.as_ref(), &given_limits);
    let example = AsCode::create_key(&code, &typed.name, expires_at.as_deref(), may, elsewhere.as_ref());
    let confirm = confirm_fields(request).await?;
    let is_suspended = account.is_some_and(|account| account.suspended_at.is_some());
    let suspended = is_suspended.then(suspended_account);
    let owner = account.map_or_else(|| actor.require_owner(), |account| Ok(Owner::ServiceAccount(account.id)))?;
    let rules = policies.iter().map(|policy| view! { <li>{policy.sentence()}</li> }).collect_view();
    let rules = (!rules.is_empty()).then(|| view! { <ul class="plain-list muted">{rules}</ul> });
    let hidden = [("owner", String::from(owner)), ("idempotency_key", request.idempotency_key())];
    let contents = view! {
        <KeyFields typed scopes choices tenants now error />
        {confirm}
        <FormButtons cancel=back label=labels::create() busy=labels::creating() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::create_an_api_key()}</h1>
            {suspended}
            {rules}
            {act_form::<CreateKey>(request, back, &hidden, contents.into_any())}
            {reveal_template(false, is_suspended, home)}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}
