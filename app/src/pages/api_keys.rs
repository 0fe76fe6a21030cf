//! User > API Keys, and the pages that its buttons open. With JavaScript these pages are shown in a dialog.

use domain::{
    ApiError, KeyFilter, KeyPolicy, KeyQuery, Operation, Owner, Page, PolicyKind, ServiceAccount,
    api_key::{
        expiry::{ExpiryChoice, utc_date},
        input::{CreateKey, ListKeyPolicies, ListKeys},
        policy::Bounds,
    },
};
use leptos::prelude::*;
use service::{Actor, offers, offers_in};

use super::{
    empty_list::{EmptyList, no_keys},
    list_params,
    toolbar::{Pager, Toolbar},
};
use crate::{
    api::{list_api_keys, list_key_policies},
    as_code::{AsCode, CodeContext, Elsewhere},
    components::{
        act_form::act_form,
        alerts::AlertBanners,
        as_code::CodeFold,
        card::unfit_card,
        confirm_fields::confirm_fields,
        icon::{Icon, Picture},
        key_form::{KeyFields, TenantChoice, Typed},
        key_table::KeyTable,
        reveal::{reveal_card, reveal_template, suspended_account},
    },
    list_url::ListChoice,
    request::RequestContext,
};

const PATH: &str = "/user/api-keys";

/// `/user/api-keys`.
pub async fn own_keys(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, query) = (request.actor()?, list_params(&request).to_keys());
    let keys = list_api_keys(ListKeys { owner: None, query: query.clone() }).await?;
    let (alerts, now) = (request.services.api_keys().alerts(actor).await?, request.services.now());
    let may_create = !tenants(&request)?.is_empty();
    let list = KeyList { path: PATH.to_owned(), base: PATH.to_owned(), owner: None, may_create };
    let accounts = if offers(actor, Operation::ListServiceAccounts) {
        view! { <a href="/team/service-accounts">"service account"</a> }.into_any()
    } else {
        "service account".into_any()
    };
    Ok(view! {
        <h1>"API Keys"</h1>
        <p class="lead">
            "Personal keys act with your permissions in a tenant. For CI and other automation, use a " {accounts} "."
        </p>
        <AlertBanners alerts own=actor.user_id() now />
        {key_list(&request, list, &query, keys)}
    }
    .into_any())
}

/// The differences between a person's list of keys and a service account's.
pub struct KeyList {
    /// The path of the list.
    pub path: String,
    /// The path that precedes a key's id in the paths of its pages.
    pub base: String,
    /// The owner of the keys; `None` for the signed-in person.
    pub owner: Option<Owner>,
    /// Whether to show the button that creates a key.
    pub may_create: bool,
}

/// A list of keys with its toolbar, its button and the links to other pages.
pub fn key_list(request: &RequestContext, list: KeyList, query: &KeyQuery, keys: Page<domain::ApiKey>) -> AnyView {
    let choice = ListChoice::of_keys(list.path, query);
    let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let is_first_run = list.may_create && query.filter == KeyFilter::All;
    let hint = if is_first_run { "Create your first API key." } else { "" };
    let (bar, empty, head) = (choice.clone(), choice.clone(), choice.clone());
    let show_tenant = list.owner.is_none();
    let (is_empty, now, base) = (keys.items.is_empty(), request.services.now(), list.base);
    let new = list.may_create.then(|| {
        let href = format!("{base}/new");
        view! {
            <a class="button primary board-action" href=href data-dialog="">
                <Picture icon=Icon::Plus />
                "Create an API key"
            </a>
        }
    });
    let rows = if is_empty {
        let (default_state, reason) = (KeyFilter::Active.as_str(), no_keys(&empty, query.filter));
        view! { <EmptyList choice=empty default_state reason hint show_all="Show all keys" /> }.into_any()
    } else {
        let actor = request.actor.clone();
        view! { <KeyTable keys=keys.items actor choice=head base show_tenant now /> }.into_any()
    };
    view! {
        <div class="board">
            {new} <Toolbar choice=bar states label="Search keys" /> <div class="table-place">{rows}</div>
        </div>
        <Pager choice previous=keys.previous next=keys.next />
    }
    .into_any()
}

/// The tenants in which the person may create keys. The one in the form is chosen; by default the selected tenant.
fn tenants(request: &RequestContext) -> Result<Vec<TenantChoice>, ApiError> {
    let (actor, viewer) = (request.actor()?, request.viewer()?);
    let asked = request.typed("tenant_id");
    let may = viewer.memberships.iter().filter(|there| offers_in(actor, there, Operation::CreateApiKey));
    Ok(may
        .map(|membership| {
            let id = membership.tenant.id;
            let chosen = if asked.is_empty() { id == viewer.tenant_id } else { asked == id.to_string() };
            let (name, slug) = (membership.tenant.name.to_string(), membership.tenant.slug.as_str().to_owned());
            TenantChoice { id, name, slug, chosen }
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

/// The chosen expiry and the offered ones: those that `bounds` allow or, if `has_others`, all of them, because another
/// tenant may allow more. `typed`: the value from the submitted form, which stays chosen; empty for a new form.
fn expiries(typed: &str, bounds: Bounds, has_others: bool) -> (ExpiryChoice, Vec<ExpiryChoice>) {
    let chosen = if typed.is_empty() { ExpiryChoice::first(bounds) } else { ExpiryChoice::from_code(typed) };
    let is_offered = |choice: &ExpiryChoice| has_others || *choice == chosen || choice.fits(bounds);
    (chosen, ExpiryChoice::ALL.into_iter().filter(is_offered).collect())
}

/// The page with the form or, if the form has just created a key, with its token. `account`: the service account that
/// will own the key; `None` for the signed-in person.
pub async fn new_key_page(
    request: &RequestContext,
    back: &str,
    tenants: Vec<TenantChoice>,
    account: Option<&ServiceAccount>,
    code: CodeContext,
) -> Result<AnyView, ApiError> {
    if let Some(created) = request.form.created_key() {
        return Ok(reveal_card(created, &request.public_url, back));
    }
    let (actor, policies) = (request.actor()?, policies(request, &tenants).await?);
    let has_others = tenants.iter().any(|tenant| tenant.id != actor.tenant_id());
    let no_own = policies.iter().find(|policy| policy.kind == PolicyKind::ServiceAccountsOnly);
    if let Some(policy) = no_own.filter(|_| account.is_none() && !has_others) {
        return Ok(unfit_card(request, "Create an API key".to_owned(), policy.refusal(), (back, "Back")));
    }
    let value = |name: &str| request.typed(name);
    let bounds = Bounds::of(&policies, request.services.now());
    let (chosen, choices) = expiries(&value("expiry"), bounds, has_others);
    let typed = Typed { name: value("name"), expiry: chosen.code().to_owned(), date: value("date") };
    let error = Signal::stored(request.form.error.clone());
    let expires_at = chosen.expires_at(utc_date(&typed.date), request.services.now());
    let elsewhere = elsewhere(actor, &tenants);
    let example = AsCode::create_key(&code, &typed.name, expires_at.ok().flatten().as_deref(), elsewhere.as_ref());
    let confirm = confirm_fields(request).await?;
    let is_suspended = account.is_some_and(|account| account.suspended_at.is_some());
    let suspended = is_suspended.then(suspended_account);
    let owner = account.map_or_else(|| actor.require_owner(), |account| Ok(Owner::ServiceAccount(account.id)))?;
    let rules = policies.iter().map(|policy| view! { <li>{policy.sentence()}</li> }).collect_view();
    let rules = (!rules.is_empty()).then(|| view! { <ul class="plain-list muted">{rules}</ul> });
    let hidden = [("owner", String::from(owner)), ("idempotency_key", request.idempotency_key())];
    let contents = view! {
        <KeyFields typed choices tenants error />
        {confirm}
        <div class="buttons">
            <a class="button" href=back.to_owned() data-close="">
                "Cancel"
            </a>
            <button type="submit" class="button primary">
                "Create"
            </button>
        </div>
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Create an API key"</h1>
            {suspended}
            {rules}
            {act_form::<CreateKey>(request, back, &hidden, contents.into_any())}
            {reveal_template(false, is_suspended, &request.public_url, back)}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}
