//! The page of one service account with its keys, and the pages that its buttons open. With JavaScript these are shown
//! in a dialog.

use domain::{
    AccountAct, AgentScope, ApiError, Direction, KeyQuery, KeySort, Owner, Recent, Role, ServiceAccount,
    agent::ListAgents,
    api_key::input::ListKeys,
    service_account::{
        act::AccountUnfit,
        input::{
            ChangeAccountRole, CreateAccount, DeleteAccount, GetAccount, ListAccounts, RenameAccount, ResumeAccount,
            SuspendAccount,
        },
    },
    user::input::confirm,
};
use leptos::prelude::*;

use super::{
    agents::agents,
    api_keys::{KeyList, key_list},
    flow_runs::flow_runs,
    list_params,
    new_key::new_key_page,
};
use crate::{
    api::{get_account, get_agents, list_accounts, list_api_keys},
    as_code::{AsCode, CodeContext},
    components::{
        account_table::account_menu,
        act_form::act_form,
        as_code::CodeFold,
        card::{Card, form_card, unfit_card},
        confirm_fields::{confirm_fields, confirm_fields_when},
        delete_account::{DeleteWords, account_facts},
        field::{Field, FormError},
        form_buttons::FormButtons,
        rename_form::rename_form,
        revoke_key::RoleWords,
        role_field::{RoleField, TO_RAISE},
        row_menu::RowMenu,
        status::AccountStatus,
        trash_link::TrashLink,
    },
    request::RequestContext,
    words::{accounts as words, labels},
};

const PATH: &str = "/team/service-accounts";

/// The account in the request's path.
async fn account_of(request: &RequestContext) -> Result<ServiceAccount, ApiError> {
    Ok(get_account(GetAccount { account: request.id("account")? }).await?)
}

/// States why an act can't be done to the account. `back`: the path of the page that its link leads to.
fn unfit_page(request: &RequestContext, account: &ServiceAccount, unfit: AccountUnfit, back: &str) -> AnyView {
    unfit_card(request, account.name.to_string(), unfit.to_string(), (back, labels::back()))
}

/// `/team/service-accounts/{account}`.
pub async fn one_account(request: RequestContext) -> Result<AnyView, ApiError> {
    let (account, query) = (account_of(&request).await?, list_params(&request).to_keys());
    request.set_title(&words::title(&account.name));
    let owner = Owner::ServiceAccount(account.id);
    let keys = list_api_keys(ListKeys { owner: Some(owner), query: query.clone() }).await?;
    let seen = get_agents(ListAgents { scope: AgentScope::Owner(owner) }).await?;
    let path = format!("{PATH}/{}", account.id);
    let key_base = format!("{path}/keys");
    let runs = flow_runs(&request, AgentScope::Owner(owner), &path, &key_base).await?;
    let exists = account.deleted_at.is_none();
    let list = KeyList { path: path.clone(), owner: Some(owner), may_create: exists };
    let label = words::delete_service_account(&account.name);
    let menu =
        exists.then(|| view! { <RowMenu label=labels::more_for(&account.name) items=account_menu(&path, &account) /> });
    let delete = exists.then(|| {
        view! { <TrashLink href=format!("{path}/{}", AccountAct::Delete.code()) label /> }
    });
    Ok(view! {
        <p class="crumb">
            <a href=PATH>{labels::service_accounts()}</a>
        </p>
        <div class="title-row">
            <h1 translate="no" dir="auto">
                {account.name.to_string()}
            </h1>
            <div class="title-actions">{menu}{delete}</div>
        </div>
        <p class="lead">
            <AccountStatus state=account.state() />
            " · "
            {account.role.label()}
            " · "
            {words::created_by(&account.created_by)}
            " · "
            <code class="whole">{account.id.to_string()}</code>
        </p>
        <section aria-labelledby="keys-title">
            <h2 id="keys-title">{labels::api_keys()}</h2>
            {key_list(&request, list, &query, keys).await?}
        </section>
        {agents(seen, Some(&key_base), request.services.now())}
        {runs}
    }
    .into_any())
}

/// `/team/service-accounts/new`.
pub async fn new_account(request: RequestContext) -> Result<AnyView, ApiError> {
    // Returns the list's own error to people who may not create accounts.
    list_accounts(ListAccounts::default()).await?;
    let (name, role) = (request.typed("name"), request.typed("role"));
    let error = Signal::stored(request.form.error.clone());
    let (code, confirm) = (request.code(None)?, confirm_fields(&request).await?);
    let example = AsCode::create_account(&code, &name, role.parse().unwrap_or(Role::TenantAdmin).as_str());
    let hidden = [("idempotency_key", request.idempotency_key())];
    let contents = view! {
        <FormError error fields=&["name", "role", confirm::PASSWORD, confirm::CODE] />
        <Field name="name" label=labels::name() value=name hint=words::name_hint() autofocus=true error />
        <RoleField value=role error />
        {confirm}
        <FormButtons cancel=PATH label=labels::create() busy=labels::creating() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{words::add_a_service_account()}</h1>
            {act_form::<CreateAccount>(&request, PATH, &hidden, contents.into_any())}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// `/team/service-accounts/{account}/keys/new`.
pub async fn new_key(request: RequestContext) -> Result<AnyView, ApiError> {
    let account = account_of(&request).await?;
    let back = format!("{PATH}/{}", account.id);
    request.set_title(&words::create_a_key_for(&account.name));
    if request.form.reveal.is_none() && account.deleted_at.is_some() {
        return Ok(unfit_page(&request, &account, AccountUnfit::Deleted, &back));
    }
    let code = request.code(Some(account.id))?;
    new_key_page(&request, &back, Vec::new(), Some(&account), code).await
}

/// `/team/service-accounts/{account}/{act}`.
pub async fn act(request: RequestContext) -> Result<AnyView, ApiError> {
    let act = AccountAct::from_code(request.param("act")).ok_or_else(ApiError::not_found)?;
    let account = account_of(&request).await?;
    request.set_title(&words::of_an_account(&act.title(account.name.as_str())));
    if let Err(unfit) = act.fits(&account) {
        return Ok(unfit_page(&request, &account, unfit, PATH));
    }
    let (code, id) = (request.code(None)?, account.id.to_string());
    let owner = Owner::ServiceAccount(account.id);
    let recent = request.services.api_keys().recent_of_owner(request.actor()?, owner).await?;
    let now = request.services.now();
    let hidden = [("account", id.clone())];
    Ok(match act {
        AccountAct::Suspend => Card {
            title: act.question(account.name.as_str()),
            button: Some(act.label()),
            destroys: false,
            code: AsCode::change(&code, act.operation().as_str(), &id, None),
            words: view! {
                {account_facts(&account, recent, now)}
                <p>{words::suspend_words(&account)}</p>
            }
            .into_any(),
            fields: ().into_any(),
        }
        .view::<SuspendAccount>(&request, &hidden, PATH),
        AccountAct::Resume => Card {
            title: act.question(account.name.as_str()),
            button: Some(act.label()),
            destroys: false,
            code: AsCode::change(&code, act.operation().as_str(), &id, None),
            words: view! { <p>{words::resuming_resumes_its_keys()}</p> }.into_any(),
            fields: confirm_fields(&request).await?,
        }
        .view::<ResumeAccount>(&request, &hidden, PATH),
        AccountAct::Rename => {
            let (example, form) = rename_form::<RenameAccount>(&request, &account.name, &hidden[0], PATH, &code);
            form_card(act.title(account.name.as_str()), ().into_any(), form, example, code.public_url.clone())
        }
        AccountAct::ChangeRole => role_page(&request, &account, recent, &code).await?,
        AccountAct::Delete => delete_page(&request, account, recent, &code).await?,
    })
}

/// Asks before an account is deleted. `recent`: the use of its keys in the past 24 hours; if there was any, the
/// account's name has to be typed.
async fn delete_page(
    request: &RequestContext,
    account: ServiceAccount,
    recent: Recent,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
    let (now, error) = (request.services.now(), Signal::stored(request.form.error.clone()));
    let owner = Owner::ServiceAccount(account.id);
    let agents = get_agents(ListAgents { scope: AgentScope::Owner(owner) }).await?;
    let query = KeyQuery { sort: KeySort::LastUsed, direction: Direction::Desc, ..KeyQuery::default() };
    let mut in_use = list_api_keys(ListKeys { owner: Some(owner), query }).await?.items;
    in_use.retain(|key| key.was_used_lately(now));
    let lately = account.was_used_lately(now);
    let hidden = [("account", account.id.to_string())];
    let example = AsCode::delete_account(code, &account.id.to_string());
    let title = AccountAct::Delete.question(account.name.as_str());
    let label = words::type_to_confirm(&account.name);
    let contents = view! {
        {lately.then(|| view! { <Field name="confirmation" label=label autofocus=true error /> })}
        <div class="buttons">
            <a class="button" href=PATH data-close="" autofocus=!lately>
                {labels::cancel()}
            </a>
            <button type="submit" class="button destroy">
                {AccountAct::Delete.label()}
            </button>
        </div>
    };
    let contents = contents.into_any();
    Ok(view! {
        <div class="card" data-light="">
            <h1 id="card-title">{title}</h1>
            <DeleteWords account in_use agents recent now />
            <FormError error fields=&["confirmation"] />
            {act_form::<DeleteAccount>(request, PATH, &hidden, contents)}
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any())
}

/// `recent`: the use of the account's keys in the past 24 hours.
async fn role_page(
    request: &RequestContext,
    account: &ServiceAccount,
    recent: Recent,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
    let typed = request.typed("role");
    let role = if typed.is_empty() { account.role.as_str().to_owned() } else { typed };
    let id = account.id.to_string();
    let example = AsCode::change(code, AccountAct::ChangeRole.operation().as_str(), &id, Some(("role", &role)));
    let (error, now) = (Signal::stored(request.form.error.clone()), request.services.now());
    let may_rise = account.role < Role::TenantAdmin;
    let confirm = if may_rise { confirm_fields_when(request, TO_RAISE).await? } else { ().into_any() };
    let contents = view! {
        <FormError error fields=&["role", confirm::PASSWORD, confirm::CODE] />
        <RoleField value=role error />
        {confirm}
        <FormButtons cancel=PATH label=AccountAct::ChangeRole.label() />
    };
    let words = view! { <RoleWords recent now /> }.into_any();
    let hidden = [("account", id), ("before", account.role.as_str().to_owned())];
    let form = act_form::<ChangeAccountRole>(request, PATH, &hidden, contents.into_any());
    Ok(form_card(words::change_the_role(&account.name), words, form, example, code.public_url.clone()))
}
