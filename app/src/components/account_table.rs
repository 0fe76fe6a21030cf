//! The table of service accounts.

use chrono::{DateTime, Utc};
use domain::{AccountAct, ServiceAccount};
use leptos::prelude::*;

use super::{
    last_use::LastUsed,
    row_menu::RowMenu,
    sort_header::{SortHeader, SortMenu},
    status::AccountStatus,
    time::Moment,
    trash_link::TrashLink,
};
use crate::{
    list_url::ListChoice,
    words::{accounts as words, labels},
};

/// The columns that the list can be sorted by, with their labels.
const SORTED: [(&str, &str); 2] = [("name", labels::name()), ("created", labels::created())];

/// The table. `base`: the path that precedes an account's id in the paths of its pages.
#[component]
pub fn AccountTable(
    accounts: Vec<ServiceAccount>,
    choice: ListChoice,
    base: &'static str,
    now: DateTime<Utc>,
) -> impl IntoView {
    let rows = accounts.into_iter().map(|account| view! { <AccountRow account base now /> }).collect_view();
    view! {
        <SortMenu choice=choice.clone() columns=&SORTED />
        <table class="table account-table" aria-label=labels::service_accounts()>
            <thead>
                <tr>
                    <SortHeader choice=choice.clone() column="name" label=labels::name() />
                    <th scope="col">{labels::role()}</th>
                    <th scope="col">{labels::status()}</th>
                    <th scope="col">{words::keys()}</th>
                    <th scope="col">{labels::last_used()}</th>
                    <SortHeader choice column="created" label=labels::created() />
                    <th scope="col">
                        <span class="visually-hidden">{labels::actions()}</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

/// The menu of an account that isn't deleted: path and label of each act, without Delete. `path`: of the account's
/// page.
pub fn account_menu(path: &str, account: &ServiceAccount) -> Vec<(String, &'static str)> {
    // Delete has a button of its own.
    let offered = |act: &AccountAct| *act != AccountAct::Delete && act.fits(account).is_ok();
    AccountAct::ALL.iter().copied().filter(offered).map(|act| (format!("{path}/{}", act.code()), act.label())).collect()
}

#[component]
fn AccountRow(account: ServiceAccount, base: &'static str, now: DateTime<Utc>) -> impl IntoView {
    let is_over = account.deleted_at.is_some();
    let path = format!("{base}/{}", account.id);
    let trash = (!is_over).then(|| {
        let (href, label) = (format!("{path}/delete"), words::delete_service_account(&account.name));
        view! { <TrashLink href label /> }
    });
    let mut items = vec![(path.clone(), labels::details())];
    if !is_over {
        items.extend(account_menu(&path, &account));
    }
    let menu = view! { <RowMenu label=labels::more_for(&account.name) items /> };
    let (keys, creator) = (format!("{} / {}", account.active_keys, account.all_keys), labels::by(&account.created_by));
    view! {
        <tr id=format!("row-{}", account.id) class:row-over=is_over>
            <th scope="row" data-label=labels::name()>
                <a class="name" href=path data-cell="name" dir="auto" translate="no">
                    {account.name.to_string()}
                </a>
            </th>
            <td data-label=labels::role()>{account.role.label()}</td>
            <td data-label=labels::status()>
                <span data-cell="status">
                    <AccountStatus state=account.state() />
                </span>
            </td>
            <td data-label=words::keys_active_all()>{keys}</td>
            <td data-label=labels::last_used()>
                <LastUsed last=account.last_used.clone() now />
            </td>
            <td data-label=labels::created() class="col-created">
                <Moment at=account.created_at now />
                <span class="sub">{creator}</span>
            </td>
            <td class="actions">{menu}{trash}</td>
        </tr>
    }
}
