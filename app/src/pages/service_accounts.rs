//! Team > Service Accounts, one account with its keys, and the pages behind the buttons, which dialogs show where there is script.

use chrono::{DateTime, Utc};
use domain::{
    AccountFilter, AgentScope, ApiError, Direction, KeyQuery, KeySort, Operation, Owner, Recent, Role, ServiceAccount,
    ServiceAccountId,
};
use leptos::prelude::*;
use service::unfit_account;

use super::{
    agents::agents,
    api_keys::{KeyList, key_list, new_key_page},
    form_id,
    key_acts::{Card, unfit_card},
    list_params, page, path_id, path_word,
    toolbar::{Empty, Pager, Toolbar},
};
use crate::{
    as_code::{AsCode, CodeContext},
    components::{
        account_table::{AccountTable, account_menu},
        as_code::CodeFold,
        concerns::ConcernBanners,
        confirm_fields::confirm_fields,
        delete_account::{DeleteWords, keys_words},
        field::{Field, FormError},
        icon::{Icon, Picture},
        place::place_field,
        revoke_key::RoleWords,
        role_field::RoleField,
        row_menu::RowMenu,
        status::AccountStatus,
        trash_link::TrashLink,
    },
    list_url::ListChoice,
    request::{RequestContext, context},
};

const PATH: &str = "/team/service-accounts";

/// `/team/service-accounts`.
#[component]
pub fn Accounts() -> impl IntoView {
    let (request, query) = (context(), list_params().to_accounts());
    page("Service Accounts", async move {
        let accounts = request.services.service_accounts().list(request.actor()?, &query).await?;
        let choice = ListChoice::of_accounts(PATH, &query);
        let states = AccountFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
        let hint = "Add one for each thing that acts by itself: a deployment, a report, an agent.";
        let (bar, empty, head, state_label) = (choice.clone(), choice.clone(), choice.clone(), query.filter.label());
        let (is_empty, now) = (accounts.items.is_empty(), request.services.now());
        let concerns = request.services.api_keys().alerts(request.actor()?).await?;
        let rows = if is_empty {
            let default_state = AccountFilter::Active.as_str();
            view! { <Empty choice=empty default_state state_label things="service accounts" hint /> }.into_any()
        } else {
            view! { <AccountTable accounts=accounts.items choice=head base=PATH now /> }.into_any()
        };
        Ok(view! {
            <h1>"Service Accounts"</h1>
            <p class="lead">"Accounts that belong to the tenant, not to a person. Their keys go on when people leave."</p>
            <ConcernBanners concerns own=request.actor()?.user_id() now />
            <div class="board">
                <a class="button primary board-action" href=format!("{PATH}/new") data-dialog=""><Picture icon=Icon::Plus />"Add Service Account"</a>
                <Toolbar choice=bar states label="Search service accounts" />
                <div class="table-place">{rows}</div>
            </div>
            <Pager choice previous=accounts.previous next=accounts.next />
        }
        .into_any())
    })
}

async fn load(request: &RequestContext, id: Result<ServiceAccountId, ApiError>) -> Result<ServiceAccount, ApiError> {
    Ok(request.services.service_accounts().get(request.actor()?, id?).await?)
}

/// The page that says why another doesn't fit, and leads `back`.
fn unfit_page(request: &RequestContext, account: &ServiceAccount, reason: &str, back: &str) -> AnyView {
    unfit_card(request, format!("The service account {}", account.name), reason.to_owned(), (back, "Back"))
}

/// `/team/service-accounts/{account}`.
#[component]
pub fn OneAccount() -> impl IntoView {
    let (request, id, query) = (context(), path_id("account"), list_params().to_keys());
    page("Service account", async move {
        let account = load(&request, id).await?;
        let owner = Owner::ServiceAccount(account.id);
        let keys = request.services.api_keys().list(request.actor()?, owner, &query).await?;
        let seen = request.services.agents().list(request.actor()?, AgentScope::Owner(owner)).await?;
        let path = format!("{PATH}/{}", account.id);
        let key_base = format!("{path}/keys");
        let living = account.deleted_at.is_none();
        let list = KeyList { base: key_base.clone(), path: path.clone(), owner: Some(owner), may_create: living };
        let label = format!("Delete service account {}", account.name);
        let menu = living.then(
            || view! { <RowMenu label=format!("More for {}", account.name) items=account_menu(&path, &account) /> },
        );
        let delete = living.then(|| {
            view! { <TrashLink href=format!("{path}/delete") label /> }
        });
        Ok(view! {
            <p class="crumb"><a href=PATH>"Service Accounts"</a></p>
            <div class="title-row"><h1>{account.name.to_string()}</h1>{menu}{delete}</div>
            <p class="lead">
                <AccountStatus state=account.state() />" "{account.role.label()}" · made by "{account.created_by.clone()}
                " · " <code>{account.id.to_string()}</code>
            </p>
            <section aria-labelledby="keys-title"><h2 id="keys-title">"API keys"</h2>{key_list(&request, list, &query, keys)}</section>
            {agents(seen, Some(&key_base), request.services.now())}
        }
        .into_any())
    })
}

/// `/team/service-accounts/new`.
#[component]
pub fn NewAccount() -> impl IntoView {
    let request = context();
    page("Add a service account", async move {
        // The list's own refusal, for those who may not.
        request.services.service_accounts().list(request.actor()?, &domain::AccountQuery::default()).await?;
        let value = |name: &str| request.form.value(name);
        let repeated = value("idempotency_key");
        let form_id = if repeated.is_empty() { form_id() } else { repeated };
        let error = Signal::stored(request.form.error.clone());
        let (code, confirm) = (request.code(None).await?, confirm_fields(&request).await?);
        let example =
            AsCode::create_account(&code, &value("name"), value("role").parse().unwrap_or(Role::TenantAdmin).as_str());
        Ok(view! {
            <div class="card">
                <h1 id="card-title">"Add a service account"</h1>
                <form method="post">
                    <input type="hidden" name="idempotency_key" value=form_id />
                    {place_field(&request)}
                    <FormError error fields=&["name", "confirm_password", "confirm_code"] />
                    <Field name="name" label="Service Account Name" value=value("name") hint="What will act: a deployment, a report, an agent." autofocus=true error />
                    <RoleField value=value("role") />
                    {confirm}
                    <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Create"</button></div>
                </form>
                <CodeFold code=example public_url=code.public_url />
            </div>
        }
        .into_any())
    })
}

/// `/team/service-accounts/{account}/delete`.
#[component]
pub fn DeleteAccount() -> impl IntoView {
    let (request, id) = (context(), path_id("account"));
    page("Delete a service account", async move {
        let account = load(&request, id).await?;
        if let Some(reason) = unfit_account(Operation::DeleteServiceAccount, &account) {
            return Ok(unfit_page(&request, &account, reason, PATH));
        }
        let (now, error) = (request.services.now(), Signal::stored(request.form.error.clone()));
        let owner = Owner::ServiceAccount(account.id);
        let agents = request.services.agents().list(request.actor()?, AgentScope::Owner(owner)).await?;
        let newest = KeyQuery { sort: KeySort::LastUsed, direction: Direction::Desc, ..KeyQuery::default() };
        let mut in_use = request.services.api_keys().list(request.actor()?, owner, &newest).await?.items;
        let recent = request.services.api_keys().recent_of_owner(request.actor()?, owner).await?;
        in_use.retain(|key| key.was_used_lately(now));
        let lately = account.was_used_lately(now);
        let title = format!("Delete the service account {}?", account.name);
        let code = request.code(None).await?;
        let example = AsCode::delete_account(&code, &account.id.to_string());
        Ok(view! {
            <div class="card" data-light="">
                <h1 id="card-title">{title}</h1>
                <DeleteWords account in_use agents recent now />
                <FormError error fields=&["confirmation"] />
                <form method="post">
                    {lately.then(|| view! { <Field name="confirmation" label="Type the name to confirm" autofocus=true error /> })}
                    <div class="buttons">
                        <a class="button" href=PATH data-close="" autofocus=!lately>"Cancel"</a>
                        <button type="submit" class="button destroy">"Delete"</button>
                    </div>
                </form>
                <CodeFold code=example public_url=code.public_url />
            </div>
        }
        .into_any())
    })
}

/// `/team/service-accounts/{account}/keys/new`.
#[component]
pub fn NewAccountKey() -> impl IntoView {
    let (request, id) = (context(), path_id("account"));
    page("Create an API key", async move {
        let account = load(&request, id).await?;
        let back = format!("{PATH}/{}", account.id);
        if request.form.issued.is_none()
            && let Some(reason) = unfit_account(Operation::CreateApiKey, &account)
        {
            return Ok(unfit_page(&request, &account, reason, &back));
        }
        let code = request.code(Some(account.id)).await?;
        new_key_page(&request, &back, Vec::new(), Some(&account), code).await
    })
}

/// `/team/service-accounts/{account}/{act}`: rename, role, suspend, resume.
#[component]
pub fn AccountAct() -> impl IntoView {
    let (request, id, act) = (context(), path_id("account"), path_word("act"));
    page("Service account", async move {
        let account = load(&request, id).await?;
        if let Some(reason) = operation_of(&act).and_then(|operation| unfit_account(operation, &account)) {
            return Ok(unfit_page(&request, &account, reason, PATH));
        }
        let (code, id) = (request.code(None).await?, account.id.to_string());
        let owner = Owner::ServiceAccount(account.id);
        let recent = request.services.api_keys().recent_of_owner(request.actor()?, owner).await?;
        let now = request.services.now();
        let url = code.public_url.clone();
        match act.as_str() {
            "suspend" => Ok(Card {
                title: format!("Suspend the service account {}?", account.name),
                button: Some("Suspend"),
                destroys: true,
                code: AsCode::change(&code, "suspend_service_account", &id, None),
                words: suspend_words(&account, recent, now),
                fields: ().into_any(),
            }
            .view(&request, PATH, url)),
            "resume" => Ok(Card {
                title: format!("Resume the service account {}?", account.name),
                button: Some("Resume"),
                destroys: false,
                code: AsCode::change(&code, "resume_service_account", &id, None),
                words: view! { <p>"Its keys work again from the next request on, but those that are suspended by themselves."</p> }.into_any(),
                fields: ().into_any(),
            }
            .view(&request, PATH, url)),
            "rename" => Ok(edit_page(&request, &account, None, &code)),
            "role" => Ok(edit_page(&request, &account, Some(recent), &code)),
            _ => Err(ApiError::not_found()),
        }
    })
}

/// What a page does, by its word.
fn operation_of(act: &str) -> Option<Operation> {
    Some(match act {
        "rename" => Operation::RenameServiceAccount,
        "role" => Operation::ChangeServiceAccountRole,
        "suspend" => Operation::SuspendServiceAccount,
        "resume" => Operation::ResumeServiceAccount,
        _ => return None,
    })
}

fn suspend_words(account: &ServiceAccount, recent: Recent, now: DateTime<Utc>) -> AnyView {
    let what = format!(
        "All its keys ({} active) stop working at once; agents and flows that use them are refused.",
        account.active_keys
    );
    view! { {keys_words(account, recent, now, what)}<p>"It can be resumed later, and its keys work again."</p> }
        .into_any()
}

/// The form for the role or, without `recent`, for the name. `recent`: who used its keys in the last day.
fn edit_page(
    request: &RequestContext,
    account: &ServiceAccount,
    recent: Option<Recent>,
    code: &CodeContext,
) -> AnyView {
    let error = Signal::stored(request.form.error.clone());
    let typed = |name: &str, before: &str| {
        let typed = request.form.value(name);
        if typed.is_empty() { before.to_owned() } else { typed }
    };
    let id = account.id.to_string();
    let (title, field, example) = if let Some(recent) = recent {
        let role = typed("role", account.role.as_str());
        let example = AsCode::change(code, "change_service_account_role", &id, Some(("role", &role)));
        let now = request.services.now();
        let field = view! { <RoleWords keys="Its keys" recent now /><RoleField value=role /> }.into_any();
        ("Change the role of the service account", field, example)
    } else {
        let name = typed("name", account.name.as_str());
        let example = AsCode::change(code, "rename_service_account", &id, Some(("name", &name)));
        let field =
            view! { <Field name="name" label="Service Account Name" value=name autofocus=true error /> }.into_any();
        ("Rename the service account", field, example)
    };
    view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            <p class="subject">{account.name.to_string()}</p>
            <form method="post">
                <FormError error fields=&["name"] />
                {field}
                <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Save"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}
