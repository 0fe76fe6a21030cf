//! User > API Keys, and the pages behind its buttons, which dialogs show where there is script.

use domain::{
    ApiError, IssuedKey, KeyFilter, KeyQuery, Operation, Owner, Page, PolicyKind, ServiceAccount, TenantPolicy,
    policy::Bounds,
};
use leptos::prelude::*;
use service::{Actor, offers, offers_in};

use super::{
    form_id,
    key_acts::unfit_card,
    list_params, page,
    toolbar::{Empty, Pager, Toolbar},
};
use crate::{
    as_code::{AsCode, CodeContext, Elsewhere},
    components::{
        as_code::CodeFold,
        concerns::ConcernBanners,
        confirm_fields::confirm_fields,
        icon::{Icon, Picture},
        key_form::{KeyFields, TenantChoice, Typed},
        key_table::KeyTable,
        reveal::RevealBody,
    },
    expiry_choice::{ExpiryChoice, utc_date},
    list_url::ListChoice,
    request::{RequestContext, context},
};

const PATH: &str = "/user/api-keys";

/// `/user/api-keys`.
#[component]
pub fn OwnKeys() -> impl IntoView {
    let (request, query) = (context(), list_params().to_keys());
    page("API Keys", async move {
        let actor = request.actor()?;
        let keys = request.services.api_keys().list(actor, actor.require_owner()?, &query).await?;
        let (concerns, now) = (request.services.api_keys().alerts(actor).await?, request.services.now());
        let may_create = !tenants(&request).await?.is_empty();
        let list = KeyList { path: PATH.to_owned(), base: PATH.to_owned(), owner: None, may_create };
        let accounts = if offers(actor, Operation::ListServiceAccounts) {
            view! { <a href="/team/service-accounts">"service account"</a> }.into_any()
        } else {
            "service account".into_any()
        };
        Ok(view! {
            <h1>"API Keys"</h1>
            <p class="lead">"Keys that act as you, in one tenant. For CI, agents or anything that outlives your laptop, use a " {accounts} "."</p>
            <ConcernBanners concerns own=request.actor()?.user_id() now />
            {key_list(&request, list, &query, keys)}
        }
        .into_any())
    })
}

/// What differs between the lists of keys.
pub struct KeyList {
    /// The list's own path.
    pub path: String,
    /// The path below which the keys' pages stand.
    pub base: String,
    /// Whose keys; one's own, when `None`.
    pub owner: Option<Owner>,
    /// Whether to offer making one.
    pub may_create: bool,
}

/// A list of keys with all that belongs to it.
pub fn key_list(request: &RequestContext, list: KeyList, query: &KeyQuery, keys: Page<domain::ApiKey>) -> AnyView {
    let choice = ListChoice::of_keys(list.path, query);
    let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let hint = if list.may_create { "Create one to let a program act for you." } else { "" };
    let (bar, empty, head, state_label) = (choice.clone(), choice.clone(), choice.clone(), query.filter.label());
    let show_tenant = list.owner.is_none();
    let (is_empty, now, base) = (keys.items.is_empty(), request.services.now(), list.base);
    let new = list.may_create.then(|| {
        let href = format!("{base}/new");
        view! { <a class="button primary board-action" href=href data-dialog=""><Picture icon=Icon::Plus />"Create an API key"</a> }
    });
    let rows = if is_empty {
        let default_state = KeyFilter::Active.as_str();
        view! { <Empty choice=empty default_state state_label things="API keys" hint /> }.into_any()
    } else {
        let actor = request.actor.clone();
        view! { <KeyTable keys=keys.items actor choice=head base show_tenant now /> }.into_any()
    };
    view! {
        <div class="board">
            {new}
            <Toolbar choice=bar states label="Search keys" />
            <div class="table-place">{rows}</div>
        </div>
        <Pager choice previous=keys.previous next=keys.next />
    }
    .into_any()
}

/// The tenants where the person may make keys, the current one chosen.
async fn tenants(request: &RequestContext) -> Result<Vec<TenantChoice>, ApiError> {
    let actor = request.actor()?;
    let viewer = request.services.users().viewer(actor).await?;
    let asked = request.form.value("tenant_id");
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

/// The chosen tenant, where it isn't the one that the session stands in.
fn elsewhere(actor: &Actor, tenants: &[TenantChoice]) -> Option<Elsewhere> {
    let chosen = tenants.iter().find(|tenant| tenant.chosen && tenant.id != actor.tenant_id())?;
    Some(Elsewhere { tenant_id: chosen.id.to_string(), slug: chosen.slug.clone() })
}

/// `/user/api-keys/new`.
#[component]
pub fn NewOwnKey() -> impl IntoView {
    let request = context();
    page("Create an API key", async move {
        let tenants = tenants(&request).await?;
        if tenants.is_empty() {
            // The refusal's own words, for those who may nowhere.
            request.services.api_keys().check_may_create(request.actor()?).await?;
        }
        new_key_page(&request, PATH, tenants, None, request.code(None).await?).await
    })
}

/// The policies that hold for keys made where the person stands; none, when they may make them in other tenants alone.
async fn policies(request: &RequestContext, tenants: &[TenantChoice]) -> Result<Vec<TenantPolicy>, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    if !tenants.is_empty() && tenants.iter().all(|tenant| tenant.id != actor.tenant_id()) {
        return Ok(Vec::new());
    }
    let mut policies = request.services.tenant_policies().list(actor).await?;
    policies.retain(|policy| policy.holds(now));
    Ok(policies)
}

/// The expiry that is chosen, and those that are offered: what `bounds` allow and, if `has_others`, all, since another tenant
/// may allow them. `typed`: the form's word, which is kept.
fn expiries(typed: &str, bounds: Bounds, has_others: bool) -> (ExpiryChoice, Vec<ExpiryChoice>) {
    let chosen = if typed.is_empty() { ExpiryChoice::first(bounds) } else { ExpiryChoice::from_word(typed) };
    let is_offered = |choice: &ExpiryChoice| has_others || *choice == chosen || choice.fits(bounds);
    (chosen, ExpiryChoice::ALL.into_iter().filter(is_offered).collect())
}

/// The page of the form; or of the token, when the form has made a key. `account`: whose key it is; one's own, when `None`.
pub async fn new_key_page(
    request: &RequestContext,
    back: &str,
    tenants: Vec<TenantChoice>,
    account: Option<&ServiceAccount>,
    code: CodeContext,
) -> Result<AnyView, ApiError> {
    if let Some(issued) = request.form.issued.clone() {
        let title = "Your API key has been created";
        return Ok(reveal_page(title, issued, request.public_url.clone(), back.to_owned()));
    }
    let (actor, policies) = (request.actor()?, policies(request, &tenants).await?);
    let has_others = tenants.iter().any(|tenant| tenant.id != actor.tenant_id());
    let no_own = policies.iter().find(|policy| policy.kind == PolicyKind::ServiceAccountsOnly);
    if let Some(policy) = no_own.filter(|_| account.is_none() && !has_others) {
        return Ok(unfit_card(request, "Create an API key".to_owned(), policy.refusal(), (back, "Back")));
    }
    let value = |name: &str| request.form.value(name);
    let bounds = Bounds::of(&policies, request.services.now());
    let (chosen, choices) = expiries(&value("expiry"), bounds, has_others);
    let typed = Typed { name: value("name"), expiry: chosen.word().to_owned(), date: value("date") };
    let repeated = value("idempotency_key");
    let form_id = if repeated.is_empty() || is_conflict(request) { form_id() } else { repeated };
    let error = Signal::stored(request.form.error.clone());
    let expires_at = chosen.expires_at(utc_date(&typed.date), request.services.now());
    let elsewhere = elsewhere(actor, &tenants);
    let example = AsCode::create_key(&code, &typed.name, expires_at.ok().flatten().as_deref(), elsewhere.as_ref());
    let confirm = confirm_fields(request).await?;
    let suspended = account.filter(|account| account.suspended_at.is_some()).map(|_| suspended_words());
    let rules = policies.iter().map(|policy| view! { <li>{policy.sentence()}</li> }).collect_view();
    let rules = (!rules.is_empty()).then(|| view! { <ul class="plain-list muted">{rules}</ul> });
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Create an API key"</h1>
            {suspended}
            {rules}
            <form method="post">
                <input type="hidden" name="idempotency_key" value=form_id />
                <KeyFields typed choices tenants error />
                {confirm}
                <div class="buttons"><a class="button" href=back.to_owned() data-close="">"Cancel"</a><button type="submit" class="button primary">"Create"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// That a key of a suspended account is no good yet.
fn suspended_words() -> AnyView {
    view! { <p class="concern">"This service account is suspended: its keys are refused until it is resumed."</p> }
        .into_any()
}

/// Whether the form did its work already, earlier.
pub fn is_conflict(request: &RequestContext) -> bool {
    request.form.error.as_ref().is_some_and(|error| error.code == domain::ErrorCode::Conflict)
}

/// The token, this once.
pub fn reveal_page(title: &'static str, issued: IssuedKey, public_url: String, back: String) -> AnyView {
    let suspended = issued.key.owner_suspended_at.map(|_| suspended_words());
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            {suspended}
            <RevealBody token=issued.token.expose().to_owned() public_url />
            <div class="buttons"><a class="button primary" href=back data-close="">"I have stored it"</a></div>
        </div>
    }
    .into_any()
}
