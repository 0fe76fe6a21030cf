//! The island of the list of service accounts: table, dialogs, toast.

use chrono::{DateTime, Utc};
use domain::{ApiError, ServiceAccount};
use leptos::{prelude::*, task::spawn_local};

use super::{
    as_code::CodeFold,
    dialog::Modal,
    field::{Field, FormError},
    icon::{Icon, Picture},
    last_use::LastUsed,
    role_field::RoleField,
    sort_header::SortHeader,
    status::AccountStatus,
    time::Moment,
    toast::Toast,
    trash_link::TrashLink,
};
use crate::{
    api::service_accounts::{create_service_account, delete_service_account},
    as_code::{AsCode, CodeContext},
    browser,
    list_url::ListChoice,
};

const PATH: &str = "/team/service-accounts";

/// What a board of accounts begins with.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct AccountsBoardStart {
    /// The rows.
    pub accounts: Vec<ServiceAccount>,
    /// The list's choice, for the links in the table's head.
    pub choice: ListChoice,
    /// The server's instant.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub now: DateTime<Utc>,
    /// For the texts that do the same by program.
    pub code: CodeContext,
    /// What was just done on another page.
    pub notice: Option<String>,
}

/// The board. Its children are the search, the filter and what is said of an empty list.
#[island]
pub fn AccountsBoard(start: AccountsBoardStart, children: Children) -> impl IntoView {
    let accounts = RwSignal::new(start.accounts);
    let (creating, deleting, toast) =
        (RwSignal::new(false), RwSignal::new(None::<ServiceAccount>), RwSignal::new(start.notice));
    let (choice, now) = (start.choice, start.now);
    let deleted = Callback::new(move |account: ServiceAccount| {
        toast.set(Some(format!("The service account {} has been deleted.", account.name)));
        accounts
            .update(|rows| rows.iter_mut().filter(|row| row.id == account.id).for_each(|row| *row = account.clone()));
    });
    let open = move |ev: leptos::ev::MouseEvent| {
        ev.prevent_default();
        creating.set(true);
    };
    view! {
        <div class="board" class:board-empty=move || accounts.with(Vec::is_empty)>
            <a class="button primary board-action" href=format!("{PATH}/new") on:click=open><Picture icon=Icon::Plus />"Add Service Account"</a>
            {children()}
            <div class="table-place">
                <AccountTable accounts choice now on_delete=Callback::new(move |account| deleting.set(Some(account))) />
            </div>
            <CreateAccountDialog is_open=creating context=start.code.clone() />
            <DeleteAccountDialog asked=deleting context=start.code now on_done=deleted />
            <Toast text=toast />
        </div>
    }
}

#[component]
fn AccountTable(
    #[prop(into)] accounts: Signal<Vec<ServiceAccount>>,
    choice: ListChoice,
    now: DateTime<Utc>,
    on_delete: Callback<ServiceAccount>,
) -> impl IntoView {
    view! {
        <table class="table" aria-label="Service accounts">
            <thead>
                <tr>
                    <SortHeader choice=choice.clone() column="name" label="Name" />
                    <th scope="col">"Role"</th>
                    <th scope="col">"Status"</th>
                    <th scope="col">"Keys"</th>
                    <th scope="col">"Last used"</th>
                    <SortHeader choice column="created" label="Created" />
                    <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                </tr>
            </thead>
            <tbody>
                <For each=move || accounts.get() key=|account| (account.id, account.deleted_at) let:account>
                    <AccountRow account now on_delete />
                </For>
            </tbody>
        </table>
    }
}

#[component]
fn AccountRow(account: ServiceAccount, now: DateTime<Utc>, on_delete: Callback<ServiceAccount>) -> impl IntoView {
    let is_over = account.deleted_at.is_some();
    let path = format!("{PATH}/{}", account.id);
    let href = format!("{path}/delete");
    let label = format!("Delete service account {}", account.name);
    let (keys, creator) =
        (format!("{} / {}", account.active_keys, account.all_keys), format!("by {}", account.created_by));
    let subject = account.clone();
    let trash = (!is_over)
        .then(|| view! { <TrashLink href label on_ask=Callback::new(move |()| on_delete.run(subject.clone())) /> });
    view! {
        <tr class:row-over=is_over>
            <th scope="row" data-label="Name"><a class="name" href=path>{account.name.to_string()}</a></th>
            <td data-label="Role">{account.role.label()}</td>
            <td data-label="Status"><AccountStatus state=account.state() /></td>
            <td data-label="Keys (active / all)">{keys}</td>
            <td data-label="Last used"><LastUsed last=account.last_used.clone() now /></td>
            <td data-label="Created"><Moment at=account.created_at now /><span class="sub">{creator}</span></td>
            <td class="actions">{trash}</td>
        </tr>
    }
}

#[component]
fn CreateAccountDialog(is_open: RwSignal<bool>, context: CodeContext) -> impl IntoView {
    let (error, pending) = (RwSignal::new(None::<ApiError>), RwSignal::new(false));
    let form_id = StoredValue::new(String::new());
    Effect::new(move |_| {
        if is_open.get() {
            form_id.set_value(browser::new_form_id());
        }
    });
    let cancel = Callback::new(move |()| {
        if !pending.get_untracked() {
            error.set(None);
            is_open.set(false);
        }
    });
    let create = move |ev: leptos::ev::SubmitEvent| {
        ev.prevent_default();
        if pending.get_untracked() {
            return;
        }
        let (name, role) = (browser::field(&ev, "name"), browser::field(&ev, "role"));
        pending.set(true);
        error.set(None);
        spawn_local(async move {
            match create_service_account(name, role, form_id.get_value()).await {
                Ok(account) => browser::go_to(&format!("{PATH}/{}", account.id)),
                Err(failure) => {
                    error.set(Some(failure.into_api()));
                    pending.set(false);
                }
            }
        });
    };
    let code = RwSignal::new(AsCode::create_account(&context, "", domain::Role::TenantAdmin.as_str()));
    let public_url = context.public_url.clone();
    let write = move |ev: leptos::ev::Event| {
        code.set(AsCode::create_account(&context, &browser::field(&ev, "name"), &browser::field(&ev, "role")));
    };
    let form = move || {
        is_open.get().then(|| {
            let (write, public_url) = (write.clone(), public_url.clone());
            view! {
                <h2 id="create-account-title">"Add a service account"</h2>
                <form on:submit=create on:input=write novalidate>
                    <FormError error fields=&["name"] />
                    <Field name="name" label="Service Account Name" hint="What will act: a deployment, a report, an agent." autofocus=true error />
                    <RoleField />
                    <div class="buttons">
                        <button type="button" class="button" on:click=move |_| cancel.run(())>"Cancel"</button>
                        <button type="submit" class="button primary" disabled=pending>"Create"</button>
                    </div>
                    <CodeFold code public_url />
                </form>
            }
        })
    };
    view! { <Modal label="create-account-title" is_open on_cancel=cancel contents=form /> }
}

/// What deleting an account will stop.
#[component]
pub fn DeleteWords(account: ServiceAccount, now: DateTime<Utc>) -> impl IntoView {
    let keys = match account.active_keys {
        1 => "its API key".to_owned(),
        count => format!("its {count} API keys"),
    };
    let used = account.last_used.map(|last| {
        let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
        view! { <p>"Last used " <strong><Moment at=last.at now /></strong>{address}"."</p> }
    });
    view! {
        <p>{format!("{} and {keys} will stop working at once. Agents and flows that use them fail to authenticate and must be started with a new key.", account.name)}</p>
        {used}
        <p>"This can't be undone."</p>
    }
}

#[component]
fn DeleteAccountDialog(
    asked: RwSignal<Option<ServiceAccount>>,
    context: CodeContext,
    now: DateTime<Utc>,
    on_done: Callback<ServiceAccount>,
) -> impl IntoView {
    let (error, pending, typed) = (RwSignal::new(None::<ApiError>), RwSignal::new(false), RwSignal::new(String::new()));
    let cancel = Callback::new(move |()| {
        if !pending.get_untracked() {
            error.set(None);
            typed.set(String::new());
            asked.set(None);
        }
    });
    let delete = move |account: &ServiceAccount| {
        let lately = account.was_used_lately(now);
        if lately && typed.get_untracked().trim() != account.name.as_str() {
            return error
                .set(Some(ApiError::field("confirmation", "Type the account's name exactly as it stands above.")));
        }
        if pending.get_untracked() {
            return;
        }
        let id = account.id;
        pending.set(true);
        error.set(None);
        spawn_local(async move {
            match delete_service_account(id).await {
                Ok(account) => {
                    typed.set(String::new());
                    asked.set(None);
                    on_done.run(account);
                }
                Err(failure) => error.set(Some(failure.into_api())),
            }
            pending.set(false);
        });
    };
    let contents = move || {
        asked.get().map(|account| {
            let (subject, lately) = (account.clone(), account.was_used_lately(now));
            let code = AsCode::delete_account(&context, &account.id.to_string());
            let public_url = context.public_url.clone();
            view! {
                <h2 id="delete-title">{format!("Delete the service account {}?", account.name)}</h2>
                <DeleteWords account now=browser::now().unwrap_or(now) />
                <FormError error fields=&["confirmation"] />
                {lately.then(|| view! {
                    <div on:input=move |ev| typed.set(event_target_value(&ev))>
                        <Field name="confirmation" label="Type the name to confirm" error />
                    </div>
                })}
                <div class="buttons">
                    <button type="button" class="button" autofocus on:click=move |_| cancel.run(())>"Cancel"</button>
                    <button type="button" class="button destroy" disabled=pending on:click=move |_| delete(&subject)>"Delete"</button>
                </div>
                <CodeFold code=Signal::stored(code) public_url />
            }
        })
    };
    view! { <Modal label="delete-title" is_open=Signal::derive(move || asked.get().is_some()) on_cancel=cancel light=true contents=contents /> }
}
