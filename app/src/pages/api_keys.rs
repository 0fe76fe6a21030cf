//! User > API Keys, and the pages behind its buttons for those without script.

use domain::{ApiError, IssuedKey, KeyFilter, KeyQuery, Owner, Page, Role};
use leptos::prelude::*;
use service::Actor;

use super::{
    form_id, list_params, page,
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
        let keys = request.services.api_keys().list(actor, actor.owner(), &query).await?;
        let (concerns, now) = (request.services.api_keys().concerns(actor).await?, request.services.now());
        let may_create = !tenants(&request).await?.is_empty();
        let list = KeyList { path: PATH.to_owned(), base: PATH.to_owned(), owner: None, may_create };
        let accounts = if actor.role() == Role::TenantAdmin {
            view! { <a href="/team/service-accounts">"service account"</a> }.into_any()
        } else {
            "service account".into_any()
        };
        Ok(view! {
            <h1>"API Keys"</h1>
            <p class="lead">"Keys that act as you, in one tenant. For CI, agents or anything that outlives your laptop, use a " {accounts} "."</p>
            <ConcernBanners concerns now />
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
    let words =
        if list.may_create { "No API keys yet. Create one to let a program act for you." } else { "No API keys yet." };
    let (bar, empty, head, state_label) = (choice.clone(), choice.clone(), choice.clone(), query.filter.label());
    let show_tenant = list.owner.is_none();
    let (is_empty, now, base) = (keys.items.is_empty(), request.services.now(), list.base);
    let new = list.may_create.then(|| {
        let href = format!("{base}/new");
        view! { <a class="button primary board-action" href=href data-dialog=""><Picture icon=Icon::Plus />"Create an API key"</a> }
    });
    let rows = if is_empty {
        view! { <Empty choice=empty default_state=KeyFilter::Active.as_str() state_label words /> }.into_any()
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
    let viewer = request.services.users().viewer(request.actor()?).await?;
    let asked = request.form.value("tenant_id");
    let may = viewer.memberships.iter().filter(|membership| membership.role >= Role::User);
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
            return Err(ApiError::forbidden(
                "With the role Read only you can't create keys. Ask an administrator of the tenant.",
            ));
        }
        new_key_page(&request, PATH, tenants, request.code(None).await?).await
    })
}

/// The page of the form; or of the token, when the form has made a key.
pub async fn new_key_page(
    request: &RequestContext,
    back: &str,
    tenants: Vec<TenantChoice>,
    code: CodeContext,
) -> Result<AnyView, ApiError> {
    if let Some(issued) = request.form.issued.clone() {
        let title = "Your API key has been created";
        return Ok(reveal_page(title, issued, request.public_url.clone(), back.to_owned()));
    }
    let value = |name: &str| request.form.value(name);
    let typed = Typed { name: value("name"), expiry: value("expiry"), date: value("date") };
    let repeated = value("idempotency_key");
    let form_id = if repeated.is_empty() || is_conflict(request) { form_id() } else { repeated };
    let error = Signal::stored(request.form.error.clone());
    let expires_at = ExpiryChoice::from_word(&typed.expiry).expires_at(utc_date(&typed.date), request.services.now());
    let elsewhere = elsewhere(request.actor()?, &tenants);
    let example = AsCode::create_key(&code, &typed.name, expires_at.ok().flatten().as_deref(), elsewhere.as_ref());
    let confirm = confirm_fields(request).await?;
    let now = request.services.now();
    let policies = request.services.tenant_policies().list(request.actor()?).await?;
    let rules = policies.iter().filter(|policy| policy.holds(now)).map(|policy| view! { <li>{policy.sentence()}</li> });
    let rules = rules.collect_view();
    let rules = (!rules.is_empty()).then(|| view! { <ul class="plain-list muted">{rules}</ul> });
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Create an API key"</h1>
            {rules}
            <form method="post">
                <input type="hidden" name="idempotency_key" value=form_id />
                <KeyFields typed tenants error />
                {confirm}
                <div class="buttons"><a class="button" href=back.to_owned() data-close="">"Cancel"</a><button type="submit" class="button primary">"Create"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// Whether the form did its work already, earlier.
pub fn is_conflict(request: &RequestContext) -> bool {
    request.form.error.as_ref().is_some_and(|error| error.code == domain::ErrorCode::Conflict)
}

/// The token, this once.
pub fn reveal_page(title: &'static str, issued: IssuedKey, public_url: String, back: String) -> AnyView {
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{title}</h1>
            <RevealBody token=issued.token.expose().to_owned() public_url />
            <div class="buttons"><a class="button primary" href=back data-close="">"I have stored it"</a></div>
        </div>
    }
    .into_any()
}
