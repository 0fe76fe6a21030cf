//! The table of keys.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyState};
use leptos::{either::Either, prelude::*};

use super::{
    last_use::LastUsed, row_menu::RowMenu, sort_header::SortHeader, status::KeyStatus, time::Moment,
    trash_link::TrashLink,
};
use crate::list_url::ListChoice;

/// Rows of keys. `base`: the path below which a key's own pages stand.
#[component]
pub fn KeyTable(
    keys: Vec<ApiKey>,
    choice: ListChoice,
    base: String,
    show_tenant: bool,
    now: DateTime<Utc>,
) -> impl IntoView {
    let rows = keys.into_iter().map(|key| view! { <KeyRow key base=base.clone() show_tenant now /> }).collect_view();
    view! {
        <table class="table" aria-label="API keys">
            <thead>
                <tr>
                    <SortHeader choice=choice.clone() column="name" label="Name" />
                    {show_tenant.then(|| view! { <th scope="col">"Tenant"</th> })}
                    <th scope="col">"Status"</th>
                    <SortHeader choice=choice.clone() column="created" label="Created" />
                    <SortHeader choice=choice.clone() column="expires" label="Expires" />
                    <SortHeader choice=choice column="last_used" label="Last used" />
                    <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                </tr>
            </thead>
            <tbody>
                {rows}
            </tbody>
        </table>
    }
}

/// What can be done with a key, beside revoking it. `base`: the path below which its own pages stand.
pub fn key_menu(base: &str, key: &ApiKey, now: DateTime<Utc>) -> Vec<(String, &'static str)> {
    let at = |word: &str| format!("{base}/{}/{word}", key.id);
    let state = key.state(now);
    let rename = (!matches!(state, KeyState::Revoked { .. })).then(|| (at("rename"), "Rename"));
    let stop = state.is_good().then(|| (at("suspend"), "Suspend"));
    let is_suspended = matches!(state, KeyState::Suspended { .. }) && key.suspended_at.is_some();
    let start = is_suspended.then(|| (at("resume"), "Resume"));
    [rename, stop, start].into_iter().flatten().collect()
}

#[component]
fn KeyRow(key: ApiKey, base: String, show_tenant: bool, now: DateTime<Utc>) -> impl IntoView {
    let state = key.state(now);
    let is_over = matches!(state, KeyState::Revoked { .. });
    let expires = match key.expires_at {
        None => Either::Left(view! { <span class="never">"Never"</span> }),
        Some(at) => Either::Right(view! { <Moment at now /> }),
    };
    let creator = format!("by {}", key.created_by);
    let trash = (!is_over).then(|| {
        let (href, label) = (format!("{base}/{}/revoke", key.id), format!("Revoke API key {}", key.name));
        view! { <TrashLink href label /> }
    });
    let menu = key_menu(&base, &key, now);
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=format!("More for {}", key.name) items=menu /> });
    view! {
        <tr class:row-over=is_over>
            <th scope="row" data-label="Name"><a class="name" href=format!("{base}/{}", key.id)>{key.name.to_string()}</a><code class="sub">{key.hint.clone()}"…"</code></th>
            {show_tenant.then(|| view! { <td data-label="Tenant">{key.tenant_name.to_string()}</td> })}
            <td data-label="Status"><KeyStatus state /></td>
            <td data-label="Created"><Moment at=key.created_at now /><span class="sub">{creator}</span></td>
            <td data-label="Expires">{expires}</td>
            <td data-label="Last used"><LastUsed last=key.last_used.clone() now /></td>
            <td class="actions">{menu}{trash}</td>
        </tr>
    }
}
