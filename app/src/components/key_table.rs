//! The table of one owner's keys, and the menu of a key.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyAct, KeyState};
use leptos::{either::Either, prelude::*};
use service::{Actor, ApiKeys};

use super::{
    last_use::LastUsed,
    row_menu::RowMenu,
    sort_header::SortHeader,
    status::{PolicyViolations, key_status},
    time::Moment,
    trash_link::TrashLink,
};
use crate::list_url::ListChoice;

/// The table. `actor`: who views it. `base`: the path that precedes a key's id in the paths of its pages.
#[component]
pub fn KeyTable(
    keys: Vec<ApiKey>,
    actor: Option<Actor>,
    choice: ListChoice,
    base: String,
    show_tenant: bool,
    now: DateTime<Utc>,
) -> impl IntoView {
    let rows = keys.into_iter().map(|key| {
        let menu = key_menu(actor.as_ref(), &base, &key, now);
        view! { <KeyRow key menu base=base.clone() show_tenant now /> }
    });
    let rows = rows.collect_view();
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
                    <th scope="col">
                        <span class="visually-hidden">"Actions"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

/// The menu of a key: path and label of each act that fits the key's state and that the actor may do, without Revoke.
/// `base`: as in [`KeyTable`].
pub fn key_menu(actor: Option<&Actor>, base: &str, key: &ApiKey, now: DateTime<Utc>) -> Vec<(String, &'static str)> {
    let may = |act: KeyAct| actor.is_some_and(|actor| ApiKeys::may(actor, act.operation(), key));
    // Revoke has a button of its own.
    let offered = |act: &KeyAct| *act != KeyAct::Revoke && act.is_offered(key, now) && may(*act);
    let path = |act: KeyAct| format!("{base}/{}/{}", key.id, act.code());
    KeyAct::ALL.iter().copied().filter(offered).map(|act| (path(act), act.label())).collect()
}

#[component]
fn KeyRow(
    key: ApiKey,
    menu: Vec<(String, &'static str)>,
    base: String,
    show_tenant: bool,
    now: DateTime<Utc>,
) -> impl IntoView {
    let state = key.state(now);
    let is_over = matches!(state, KeyState::Revoked { .. });
    let expires = match key.expires_at {
        None => Either::Left(view! { <span class="never">"Never"</span> }),
        Some(at) => Either::Right(view! { <Moment at now /> }),
    };
    let creator = format!("by {}", key.created_by);
    let rolled = key.replaced_by.as_ref().map(|new| {
        let words = if key.overlap_until(now).is_some() { "Being replaced by " } else { "Replaced by " };
        view! { <span class="sub">{words}<code>{new.hint.clone()}"…"</code></span> }
    });
    let trash = (!is_over).then(|| {
        let (href, label) =
            (format!("{base}/{}/{}", key.id, KeyAct::Revoke.code()), format!("Revoke API key {}", key.name));
        view! { <TrashLink href label /> }
    });
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=format!("More for {}", key.name) items=menu /> });
    view! {
        <tr class:row-over=is_over>
            <th scope="row" data-label="Name">
                <a class="name" href=format!("{base}/{}", key.id)>
                    {key.name.to_string()}
                </a>
                <code class="sub">{key.hint.clone()}"…"</code>
            </th>
            {show_tenant.then(|| view! { <td data-label="Tenant">{key.tenant_name.to_string()}</td> })}
            <td data-label="Status">
                {key_status(state)}{rolled}<PolicyViolations policies=key.violations.clone() now />
            </td>
            <td data-label="Created">
                <Moment at=key.created_at now />
                <span class="sub">{creator}</span>
            </td>
            <td data-label="Expires">{expires}</td>
            <td data-label="Last used">
                <LastUsed last=key.last_used.clone() now />
            </td>
            <td class="actions">{menu}{trash}</td>
        </tr>
    }
}
