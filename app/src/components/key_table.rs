//! The table of keys, and the menu of a key.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyAct, KeyState, Owner};
use leptos::prelude::*;
use service::{Actor, ApiKeys, Namesakes};

use super::{
    last_use::LastUsed,
    row_menu::RowMenu,
    sort_header::{SortHeader, SortMenu},
    status::{KeyPolicyViolations, exposed_mark, imported_mark, key_status},
    time::{Date, Moment},
    trash_link::TrashLink,
};
use crate::{
    list_url::ListChoice,
    words::{keys as words, labels},
};

/// The columns that the list can be sorted by, with their labels.
const SORTED: [(&str, &str); 4] = [
    ("name", labels::name()),
    ("created", labels::created()),
    ("expires", labels::expires()),
    ("last_used", labels::last_used()),
];

/// The table. `actor`: who views it. `sparks`: for each key in its order, the picture of its requests. `is_inventory`:
/// whether keys of several owners are listed, with their owners and with boxes to select them. `namesakes`: what to show
/// beside names that are easily mistaken for others. `is_closed`: whether a key policy forbids new keys of people, and so
/// their rotation.
#[component]
pub fn KeyTable(
    keys: Vec<ApiKey>,
    actor: Option<Actor>,
    choice: ListChoice,
    sparks: Vec<AnyView>,
    is_inventory: bool,
    namesakes: Namesakes,
    is_closed: bool,
    now: DateTime<Utc>,
) -> impl IntoView {
    let view = KeysView { actor: actor.as_ref(), is_inventory, namesakes: &namesakes, is_closed, now };
    let rows = keys.into_iter().zip(sparks).map(|(key, spark)| row(&key, spark, view));
    let rows = rows.collect_view();
    let select = is_inventory.then(|| {
        view! {
            <th scope="col" class="choose">
                <input type="checkbox" class="script-only" data-select-all="" aria-label=words::select_all_keys() />
                <span class="visually-hidden without-script">{words::select()}</span>
            </th>
        }
    });
    let header = |column: &'static str, label: &'static str| {
        view! { <SortHeader choice=choice.clone() column label /> }.into_any()
    };
    let [name, created, expires, last_used] = SORTED.map(|(column, label)| header(column, label));
    view! {
        <SortMenu choice=choice.clone() columns=&SORTED />
        <table class="table key-table" aria-label=if is_inventory { labels::all_keys() } else { labels::api_keys() }>
            <thead>
                <tr>
                    {select} {name} {is_inventory.then(|| view! { <th scope="col">{labels::owner()}</th> })}
                    <th scope="col">{labels::status()}</th> <th scope="col" class="col-spark">
                        {words::thirty_days()}
                    </th> {created} {expires} {last_used} <th scope="col">
                        <span class="visually-hidden">{labels::actions()}</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

/// The menu of a key: path and label of each act that fits the key's state and that the actor may do, without Revoke.
/// `base`: the path that precedes a key's id in the paths of its pages.
pub fn key_menu(actor: Option<&Actor>, base: &str, key: &ApiKey, now: DateTime<Utc>) -> Vec<(String, &'static str)> {
    let may = |act: KeyAct| actor.is_some_and(|actor| ApiKeys::may(actor, act.operation(), key));
    // Revoke has a button of its own.
    let offered = |act: &KeyAct| *act != KeyAct::Revoke && act.is_offered(key, now) && may(*act);
    let path = |act: KeyAct| format!("{base}/{}/{}", key.id, act.code());
    KeyAct::ALL.iter().copied().filter(offered).map(|act| (path(act), act.label())).collect()
}

/// Who views the table, and how.
#[derive(Clone, Copy)]
struct KeysView<'a> {
    actor: Option<&'a Actor>,
    is_inventory: bool,
    namesakes: &'a Namesakes,
    is_closed: bool,
    now: DateTime<Utc>,
}

/// The owner of a key, and whether it is a person or a service account.
fn owner_cell(key: &ApiKey, namesakes: &Namesakes) -> AnyView {
    let kind = match (key.owner, namesakes.beside_owner(key)) {
        (Owner::User(_), Some(address)) => address.to_owned(),
        (Owner::User(_), None) => words::person().to_owned(),
        (Owner::ServiceAccount(_), _) => labels::service_account().to_owned(),
    };
    view! {
        <td data-label=labels::owner()>
            <bdi translate="no">{key.owner_name.clone()}</bdi>
            <span class="sub">{kind}</span>
        </td>
    }
    .into_any()
}

fn row(key: &ApiKey, spark: AnyView, view: KeysView<'_>) -> AnyView {
    let KeysView { actor, is_inventory, namesakes, is_closed, now } = view;
    let state = key.state(now);
    let is_revoked = matches!(state, KeyState::Revoked { .. });
    let is_over = is_revoked || matches!(state, KeyState::Expired { .. });
    let path = key.page_path();
    let base = path.rsplit_once('/').map(|(base, _)| base.to_owned()).unwrap_or_default();
    let select = is_inventory.then(|| {
        let checkbox = (!is_revoked).then(|| {
            let label = words::select_name(&key.name);
            view! { <input type="checkbox" name="key" value=key.id.to_string() aria-label=label /> }
        });
        view! { <td class="choose">{checkbox}</td> }
    });
    let owner = is_inventory.then(|| owner_cell(key, namesakes));
    // Nothing to learn on one's own rows.
    let address = namesakes.beside_creator(key);
    let is_shown = address.is_some() || key.created_by != key.owner_name;
    let creator = is_shown.then(|| labels::by(&labels::with_address(&key.created_by, address)));
    let creator = creator.map(|words| view! { <span class="sub">{words}</span> });
    let mut items = vec![(path.clone(), labels::details())];
    let roll = format!("{path}/{}", KeyAct::Roll.code());
    let is_forbidden = |path: &str| is_closed && matches!(key.owner, Owner::User(_)) && path == roll;
    items.extend(key_menu(actor, &base, key, now).into_iter().filter(|(path, _)| !is_forbidden(path)));
    let may_revoke = !is_revoked && actor.is_some_and(|actor| ApiKeys::may(actor, KeyAct::Revoke.operation(), key));
    let trash = may_revoke.then(|| {
        let (href, label) = (format!("{path}/{}", KeyAct::Revoke.code()), labels::revoke_api_key(&key.name));
        view! { <TrashLink href label /> }
    });
    view! {
        <tr id=format!("row-{}", key.id) class:row-over=is_over>
            {select}
            <th scope="row" data-label=labels::name()>
                <a class="name" href=path.clone() data-cell="name" dir="auto" translate="no">
                    {key.name.to_string()}
                </a>
                <code class="sub" translate="no">
                    {key.hint.clone()}
                    "…"
                </code>
            </th>
            {owner}
            <td data-label=labels::status()>
                <span data-cell="status">{key_status(state)}</span>
                {exposed_mark(key)}
                {imported_mark(key)}
                {replacement(key, now)}
                <KeyPolicyViolations policies=key.violations.clone() now />
            </td>
            <td class="col-spark" data-label=words::thirty_days()>
                {spark}
            </td>
            <td data-label=labels::created() class="col-created">
                <Moment at=key.created_at now />
                {creator}
            </td>
            <td data-label=labels::expires()>{end(key, now)}</td>
            <td data-label=labels::last_used()>
                <LastUsed last=key.last_used.clone() now />
            </td>
            <td class="actions">
                <RowMenu label=labels::more_for(&key.name) items />
                {trash}
            </td>
        </tr>
    }
    .into_any()
}

/// By which key the key is or was replaced.
fn replacement(key: &ApiKey, now: DateTime<Utc>) -> Option<AnyView> {
    let new = key.replaced_by.as_ref()?;
    let hint = view! { <code translate="no">{new.hint.clone()}"…"</code> };
    let text = words::replaced_by(hint, key.overlap_until(now).is_some());
    Some(view! { <span class="sub">{text}</span> }.into_any())
}

/// When the key stops working, or stopped. The expiry of a revoked key no longer matters.
fn end(key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    match (key.state(now), key.expires_at) {
        (KeyState::Revoked { at, by, .. }, _) => view! {
            {words::revoked(view! { <Date at /> })}
            <span class="sub">{labels::by(&by)}</span>
        }
        .into_any(),
        (_, Some(at)) => view! { <Moment at now /> }.into_any(),
        (_, None) => view! { <span class="never">{labels::never()}</span> }.into_any(),
    }
}
