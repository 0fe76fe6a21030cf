//! Team > All keys: the inventory of a tenant's keys, and the page that suspends or revokes several of them.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, InventoryFilter, InventoryQuery, KeyAct, KeyFilter, KeyId, KeyState, Operation, Owner, OwnerKind,
    api_key::input::{ListTenantKeys, RevokeKeys, SuspendKeys},
};
use leptos::prelude::*;
use service::Actor;

use super::{
    empty_list::{EmptyList, no_keys},
    list_params,
    toolbar::{Pager, Toolbar},
};
use crate::{
    api::list_tenant_keys,
    as_code::AsCode,
    components::{
        act_form::act_form,
        address::from_address,
        alerts::key_path,
        as_code::CodeFold,
        field::FormError,
        key_table::key_menu,
        last_use::LastUsed,
        row_menu::RowMenu,
        sort_header::SortHeader,
        status::{PolicyViolations, key_status},
        time::Moment,
        trash_link::TrashLink,
    },
    list_url::{ListChoice, back_to_list},
    request::RequestContext,
};

const PATH: &str = "/team/keys";
const KINDS: [(&str, &str); 3] = [("", "All owners"), ("user", "People"), ("service_account", "Service accounts")];

/// The acts that several keys can be selected for.
const BULK_ACTS: [KeyAct; 2] = [KeyAct::Suspend, KeyAct::Revoke];

/// The form field with the URL of the list, including its filters.
const BACK: &str = "back";

/// `/team/keys`.
pub async fn all_keys(request: RequestContext) -> Result<AnyView, ApiError> {
    let (query, kind) = (list_params(&request).to_keys(), request.query("kind"));
    let filter = InventoryFilter::from_code(request.query("show"));
    let (kind, owner_kind) = match kind {
        "user" => (kind, Some(OwnerKind::User)),
        "service_account" => (kind, Some(OwnerKind::ServiceAccount)),
        _ => ("", None),
    };
    let inventory = InventoryQuery { filter, kind: owner_kind, owner: None };
    let keys = list_tenant_keys(ListTenantKeys { query: query.clone(), inventory }).await?;
    let word = |filter: InventoryFilter| if filter == InventoryFilter::All { "" } else { filter.as_str() };
    let extra = vec![("kind", kind.to_owned()), ("show", word(filter).to_owned())];
    let choice = ListChoice::of_keys(PATH, &query).with_extra(extra);
    let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let kinds = choices(&choice, "kind", kind, &KINDS, "Filter by owner");
    let shows = InventoryFilter::ALL.map(|one| (word(one), one.label()));
    let shows = choices(&choice, "show", word(filter), &shows, "Filter by issue");
    let is_first = query.page.after.is_none() && query.page.before.is_none();
    let (bar, empty, head) = (choice.clone(), choice.clone(), choice.clone());
    let rows = if !keys.items.is_empty() {
        table(&request, keys.items, head)?
    } else if is_first {
        let (default_state, reason) = (KeyFilter::Active.as_str(), no_keys(&empty, query.filter));
        view! { <EmptyList choice=empty default_state reason hint="" show_all="Show all keys" /> }.into_any()
    } else {
        emptied(&empty)
    };
    Ok(view! {
        <h1>"All keys"</h1>
        <p class="lead">"All keys in this tenant."</p>
        <div class="board">
            <Toolbar choice=bar states label="Search all keys" />
            <div class="more-filters">{kinds}{shows}</div>
            <div class="table-place">{rows}</div>
        </div>
        <Pager choice previous=keys.previous next=keys.next />
    }
    .into_any())
}

fn choices(
    choice: &ListChoice,
    name: &'static str,
    chosen: &str,
    all: &[(&'static str, &'static str)],
    label: &'static str,
) -> AnyView {
    let links = all.iter().map(|(word, text)| {
        let here = *word == chosen;
        view! {
            <li>
                <a href=choice.with_other(name, word) aria-current=here.then_some("true")>
                    {*text}
                </a>
            </li>
        }
    });
    view! {
        <nav aria-label=label class="states">
            <ul>{links.collect_view()}</ul>
        </nav>
    }
    .into_any()
}

/// Shown on a page after the first one when its keys no longer match the filters.
fn emptied(choice: &ListChoice) -> AnyView {
    view! {
        <div class="empty">
            <p>"This page is empty now."</p>
            <p>
                <a class="button" href=choice.with_state(&choice.state)>
                    "Back to first page"
                </a>
            </p>
        </div>
    }
    .into_any()
}

fn table(request: &RequestContext, keys: Vec<ApiKey>, choice: ListChoice) -> Result<AnyView, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    let rows = keys.into_iter().map(|key| row(actor, key, now)).collect_view();
    let acts = BULK_ACTS.map(|act| {
        view! {
            <button type="submit" name="act" value=act.code() class="button small">
                {format!("{}…", act.label())}
            </button>
        }
    });
    Ok(view! {
        <form method="get" action=format!("{PATH}/bulk")>
            <input type="hidden" name=BACK value=request.return_to.clone() />
            <table class="table" aria-label="All keys">
                <thead>
                    <tr>
                        <th scope="col">
                            <span class="visually-hidden">"Select"</span>
                        </th>
                        <SortHeader choice=choice.clone() column="name" label="Name" />
                        <th scope="col">"Owner"</th>
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
            <div class="bulk">
                <span class="muted">"Selected keys:"</span>
                {acts.into_iter().collect_view()}
            </div>
        </form>
    }
    .into_any())
}

fn row(actor: &Actor, key: ApiKey, now: DateTime<Utc>) -> AnyView {
    let state = key.state(now);
    let is_over = matches!(state, KeyState::Revoked { .. });
    let path = key_path(&key);
    let base = path.rsplit_once('/').map(|(base, _)| base.to_owned()).unwrap_or_default();
    let select = (!is_over).then(|| {
        view! { <input type="checkbox" name="key" value=key.id.to_string() aria-label=format!("Select {}", key.name) /> }
    });
    let kind = match key.owner {
        Owner::User(_) => "person",
        Owner::ServiceAccount(_) => "service account",
    };
    let expires = match key.expires_at {
        None => view! { <span class="never">"Never"</span> }.into_any(),
        Some(at) => view! { <Moment at now /> }.into_any(),
    };
    let menu = key_menu(Some(actor), &base, &key, now);
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=format!("More for {}", key.name) items=menu /> });
    let trash = (!is_over).then(|| {
        view! { <TrashLink href=format!("{path}/revoke") label=format!("Revoke API key {}", key.name) /> }
    });
    view! {
        <tr class:row-over=is_over>
            <td class="choose">{select}</td>
            <th scope="row" data-label="Name">
                <a class="name" href=path>
                    {key.name.to_string()}
                </a>
                <code class="sub">{key.hint.clone()}"…"</code>
            </th>
            <td data-label="Owner">{key.owner_name.clone()}<span class="sub">{kind}</span></td>
            <td data-label="Status">{key_status(state)}<PolicyViolations policies=key.violations.clone() now /></td>
            <td data-label="Created">
                <Moment at=key.created_at now />
                <span class="sub">{format!("by {}", key.created_by)}</span>
            </td>
            <td data-label="Expires">{expires}</td>
            <td data-label="Last used">
                <LastUsed last=key.last_used.clone() now />
            </td>
            <td class="actions">{menu}{trash}</td>
        </tr>
    }
    .into_any()
}

/// `/team/keys/bulk`: asks before the selected keys are suspended or revoked.
pub async fn bulk(request: RequestContext) -> Result<AnyView, ApiError> {
    let selected: Vec<KeyId> = request.query_all("key").filter_map(|id| id.parse().ok()).collect();
    let keys = request.services.inventory().get(request.actor()?, &selected).await?;
    let back = back_to_list(PATH, request.query(BACK));
    if selected.is_empty() {
        return Ok(nothing_to_do(&request, "Select at least one key.", back));
    }
    let act = if request.query("act") == KeyAct::Revoke.code() { KeyAct::Revoke } else { KeyAct::Suspend };
    let now = request.services.now();
    let (fitting, unfit): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| act.is_offered(key, now));
    if fitting.is_empty() {
        return Ok(nothing_to_do(&request, "All selected keys are already inactive.", back));
    }
    let ids: Vec<String> = fitting.iter().map(|key| key.id.to_string()).collect();
    let words = bulk_words(act, &fitting, now);
    let unchanged = unchanged_words(unfit.len()).map(|words| view! { <p class="muted">{words}</p> });
    let title = match (act, fitting.len()) {
        (KeyAct::Revoke, 1) => "Revoke 1 API key?".to_owned(),
        (KeyAct::Revoke, count) => format!("Revoke {count} API keys?"),
        (_, 1) => "Suspend 1 API key?".to_owned(),
        (_, count) => format!("Suspend {count} API keys?"),
    };
    let rows = fitting.into_iter().map(|key| bulk_row(&key, now)).collect_view();
    let buttons = view! {
        <div class="buttons">
            <a class="button" href=back.to_owned()>
                "Cancel"
            </a>
            <button type="submit" class="button destroy">
                {act.label()}
            </button>
        </div>
    };
    let (buttons, hidden) = (buttons.into_any(), [("keys", ids.join(","))]);
    let (form, operation) = if act == KeyAct::Revoke {
        (act_form::<RevokeKeys>(&request, back, &hidden, buttons), Operation::RevokeApiKeys)
    } else {
        (act_form::<SuspendKeys>(&request, back, &hidden, buttons), Operation::SuspendApiKeys)
    };
    let code = AsCode::bulk(&request.code(None)?, operation.as_str(), &ids);
    let error = Signal::stored(request.form.error.clone());
    Ok(view! {
        <div class="card wide-card">
            <h1 id="card-title">{title}</h1>
            <p>{words}</p>
            <ul class="plain-list">{rows}</ul>
            {unchanged}
            <FormError error fields=&[] />
            {form}
            <CodeFold code public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

/// What stops working, and whether it can be undone. `keys`: those that will be changed.
fn bulk_words(act: KeyAct, keys: &[ApiKey], now: DateTime<Utc>) -> String {
    let used = match (keys.len(), keys.iter().filter(|key| key.was_used_lately(now)).count()) {
        (1, 0) => "It wasn't used in the past 24 hours. Anything using it stops working immediately.".to_owned(),
        (1, _) => "It was used in the past 24 hours. Anything using it stops working immediately.".to_owned(),
        (_, 0) => {
            "None of them was used in the past 24 hours. Anything using them stops working immediately.".to_owned()
        }
        (_, 1) => "1 of them was used in the past 24 hours. Anything using them stops working immediately.".to_owned(),
        (_, many) => {
            format!("{many} of them were used in the past 24 hours. Anything using them stops working immediately.")
        }
    };
    let undone = match (act, keys.len()) {
        (KeyAct::Revoke, _) => "This can't be undone.",
        (_, 1) => "You can resume it at any time.",
        _ => "You can resume them at any time.",
    };
    format!("{used} {undone}")
}

/// How many of the selected keys won't change because they are already inactive; `None` for 0.
fn unchanged_words(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 key is already inactive and won't change.".to_owned()),
        many => Some(format!("{many} keys are already inactive and won't change.")),
    }
}

/// A key that will be changed: its name, hint, owner and last use.
fn bulk_row(key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    let last = match &key.last_used {
        None => " · never used".into_any(),
        Some(last) => view! {
            " · last used "
            <Moment at=last.at now />
            {from_address(last.address.as_deref())}
        }
        .into_any(),
    };
    view! {
        <li>
            <a href=key_path(key)>{key.name.to_string()}</a>
            " "
            <code>{key.hint.clone()}"…"</code>
            {format!(" · {}", key.owner_name)}
            {last}
        </li>
    }
    .into_any()
}

/// Shown instead of the question when no selected key can be changed: the reason, and a link back to the list.
fn nothing_to_do(request: &RequestContext, reason: &'static str, back: &str) -> AnyView {
    let error = Signal::stored(request.form.error.clone());
    view! {
        <div class="card wide-card">
            <h1 id="card-title">{reason}</h1>
            <FormError error fields=&[] />
            <div class="buttons">
                <a class="button" href=back.to_owned()>
                    "Back to the list"
                </a>
            </div>
        </div>
    }
    .into_any()
}
