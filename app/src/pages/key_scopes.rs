//! What one key may do: the page that changes it, and the lines about it on the key's page.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, KeyAct, Owner, Role, ScopeGrant, ScopeSet, Usage,
    api_key::act::ChangeKeyScopes,
    api_key::input::GetKeyUsage,
    scope::{Catalogue, ListScopes, ScopeOption, demand},
    service_account::input::GetAccount,
    usage::{ScopeUse, used_scopes},
    user::input::confirm,
};
use leptos::prelude::*;

use crate::{
    api::{get_account, get_api_key_usage, list_scopes},
    as_code::{AsCode, CodeContext},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        confirm_fields::confirm_fields_when,
        field::FormError,
        revoke_key::subject,
        scope_field::{ScopeField, ScopeTick},
        time::Distance,
    },
    list_url::encode,
    request::RequestContext,
    words::{labels, scopes as words},
};

/// How many clients are named.
const NAMED: usize = 5;

/// The page that changes what a key may do. `back`: the page after Cancel or success.
pub async fn scopes_page(
    request: &RequestContext,
    key: &ApiKey,
    back: &str,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
    let now = request.services.now();
    let catalogue = list_scopes(ListScopes {}).await?;
    let usage = get_api_key_usage(GetKeyUsage { key: key.id }).await?;
    let option = ScopeOption::from_code(&request.typed("access"));
    let option = option.unwrap_or_else(|| key.scopes.set().map_or(ScopeOption::Full, |_| ScopeOption::Chosen));
    let is_typed = request.form.error.is_some() || request.query_all("scopes").next().is_some();
    let ticked = if is_typed { ScopeSet::parse(&request.typed_list("scopes")).unwrap_or_default() } else { held(key) };
    let role = owners_role(request, key).await?;
    let is_offered = |entry: &&domain::scope::CatalogueScope| {
        entry.least_role <= role || key.scopes.set().is_some_and(|set| set.contains(&entry.scope))
    };
    let mut ticks = ScopeTick::all(catalogue.iter().filter(is_offered), &ticked);
    for tick in &mut ticks {
        tick.usage = Some(usage_of(&usage, &tick.entry.scope, now));
    }
    let narrowed = (!request.query("narrow").is_empty()).then(|| view! { <p>{words::used_scopes_are_ticked()}</p> });
    let confirm = confirm_fields_when(request, words::more_scopes_ask_for_a_password()).await?;
    let error = Signal::stored(request.form.error.clone());
    let id = key.id.to_string();
    let wanted = (option != ScopeOption::Full).then_some(&ticked);
    let hidden = [("key", id.clone()), ("before", key.scopes.text())];
    let contents = view! {
        <FormError error fields=&["scopes", confirm::PASSWORD, confirm::CODE] />
        <ScopeField option ticks error />
        {confirm}
        <div class="buttons">
            <a class="button" href=back.to_owned() data-close="">
                {labels::cancel()}
            </a>
            <button type="submit" class="button primary">
                {KeyAct::Scopes.label()}
            </button>
        </div>
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{KeyAct::Scopes.title(key.name.as_str())}</h1>
            {subject(key)}
            {narrowed}
            {act_form::<ChangeKeyScopes>(request, back, &hidden, contents.into_any())}
            <CodeFold code=AsCode::change_scopes(code, &id, wanted) public_url=code.public_url.clone() />
        </div>
    }
    .into_any())
}

fn held(key: &ApiKey) -> ScopeSet {
    key.scopes.set().cloned().unwrap_or_default()
}

/// The current role of a key's owner; for a person whose key an administrator views, the highest that could matter.
async fn owners_role(request: &RequestContext, key: &ApiKey) -> Result<Role, ApiError> {
    let actor = request.actor()?;
    match key.owner {
        Owner::ServiceAccount(account) => Ok(get_account(GetAccount { account }).await?.role),
        Owner::User(_) if Some(key.owner) == actor.owner() => Ok(actor.role()),
        Owner::User(_) => Ok(Role::TenantAdmin),
    }
}

/// How a scope was used, and which clients a key without it would have rejected. The stylesheet shows the clients while the
/// scope isn't selected.
fn usage_of(usage: &Usage, scope: &domain::Scope, now: DateTime<Utc>) -> AnyView {
    let mut demands: Vec<&ScopeUse> =
        usage.scopes.iter().filter(|one| one.scope == *scope && one.last_used_at.is_some()).collect();
    demands.sort_by_key(|one| std::cmp::Reverse(one.last_used_at));
    let Some(last) = demands.first().and_then(|one| one.last_used_at) else {
        return view! { <p class="sub used">{words::not_used_in_90_days()}</p> }.into_any();
    };
    let count = demands.iter().map(|one| one.use_count).sum();
    let named = demands.iter().take(NAMED).map(|one| view! { <li>{client(one)}</li> }).collect_view();
    let more = demands.len().checked_sub(NAMED).filter(|rest| *rest > 0);
    let more = more.map(|rest| view! { <li>{words::and_more_clients(rest)}</li> });
    view! {
        <p class="sub used">{words::used(count, view! { <Distance at=last now /> })}</p>
        <div class="rejects">
            <p class="error">{words::would_have_rejected(demands.len())}</p>
            <ul class="plain-list sub">{named} {more}</ul>
        </div>
    }
    .into_any()
}

/// The address and the user agent of a client.
fn client(one: &ScopeUse) -> String {
    let parts = [one.address.as_deref(), one.user_agent.as_deref()];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { words::unknown_client().to_owned() } else { parts.join(" · ") }
}

/// The scopes of a key on its page: which it holds, which of them it can't use and why, how many were used, and the link
/// that keeps only those. `path`: the key's page.
pub async fn scopes_fact(
    request: &RequestContext,
    key: &ApiKey,
    usage: &Usage,
    path: &str,
    may_change: bool,
) -> Result<AnyView, ApiError> {
    let catalogue = list_scopes(ListScopes {}).await?;
    let role = owners_role(request, key).await?;
    let used = used_scopes(&usage.scopes);
    let (list, line) = match &key.scopes {
        ScopeGrant::Unscoped => {
            let line = (!used.is_empty()).then(|| words::used_of_everything(used.len()));
            (words::everything_its_owner_may_do().into_any(), line)
        }
        ScopeGrant::Set(set) if set.is_empty() => (words::none().into_any(), None),
        ScopeGrant::Set(set) => {
            let used = used.iter().filter(|scope| set.contains(scope)).count();
            (codes(set, &catalogue, role), Some(words::holds_and_used(set.len(), used)))
        }
    };
    let narrowed = match &key.scopes {
        ScopeGrant::Unscoped => used.clone(),
        ScopeGrant::Set(set) => set.without(&set.without(&used)),
    };
    let is_narrower = match &key.scopes {
        ScopeGrant::Unscoped => !narrowed.is_empty(),
        ScopeGrant::Set(set) => narrowed != *set,
    };
    let narrow = (may_change && is_narrower).then(|| {
        let scopes: Vec<String> = narrowed.iter().map(|scope| encode(scope.as_str())).collect();
        let scopes = format!("&scopes={}", scopes.join("&scopes="));
        let href = format!("{path}/{}?access=chosen&narrow=yes{scopes}", KeyAct::Scopes.code());
        view! {
            " "
            <a href=href data-dialog="">
                {words::narrow_to_what_is_used()}
            </a>
        }
    });
    Ok(view! {
        {list}
        {(line.is_some() || narrow.is_some()).then(|| view! { <p class="sub">{line}{narrow}</p> })}
    }
    .into_any())
}

/// The scopes that a key holds. Those that it can't use now say why.
fn codes(set: &ScopeSet, catalogue: &Catalogue, role: Role) -> AnyView {
    let codes = set.iter().map(|scope| {
        let lack = demand(&ScopeGrant::Unscoped, role, catalogue, [scope]).err();
        let why = lack.map(|_| match catalogue.find(scope) {
            None => words::not_in_the_catalogue().to_owned(),
            Some(entry) => words::requires_the_role(&entry.least_role.label()),
        });
        view! {
            <span>
                <code translate="no">{scope.to_string()}</code>
                {why.map(|why| view! { <span class="sub">{why}</span> })}
            </span>
        }
    });
    view! { <span class="scope-codes">{codes.collect_view()}</span> }.into_any()
}
