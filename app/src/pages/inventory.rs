//! Team > All keys: the inventory of a tenant's keys, and what is done with many at once.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, InventoryFilter, InventoryQuery, KeyFilter, KeyId, KeyState, Owner, OwnerKind};
use leptos::prelude::*;
use percent_encoding::percent_decode_str;
use service::{Actor, BulkAct};

use super::{
    list_params, page,
    toolbar::{Empty, Pager, Toolbar},
};
use crate::{
    as_code::AsCode,
    components::{
        address::from_address,
        as_code::CodeFold,
        concerns::key_path,
        field::FormError,
        key_table::key_menu,
        last_use::LastUsed,
        place::place_field,
        row_menu::RowMenu,
        sort_header::SortHeader,
        status::{Against, KeyStatus},
        time::Moment,
        trash_link::TrashLink,
    },
    list_url::{ListChoice, back_to_list},
    request::{RequestContext, context},
};

const PATH: &str = "/team/keys";
const KINDS: [(&str, &str); 3] = [("", "Any owner"), ("user", "People"), ("service_account", "Service accounts")];

/// The name of the field that says from which list one came, with its filter.
const BACK: &str = "back";

fn query_text(name: &str) -> String {
    leptos_router::hooks::use_query_map().with_untracked(|query| query.get(name)).unwrap_or_default()
}

/// `/team/keys`.
#[component]
pub fn Inventory() -> impl IntoView {
    let (request, query) = (context(), list_params().to_keys());
    let (kind, filter) = (query_text("kind"), InventoryFilter::from_word(&query_text("show")));
    page("All keys", async move {
        let owner_kind = match kind.as_str() {
            "user" => Some(OwnerKind::User),
            "service_account" => Some(OwnerKind::ServiceAccount),
            _ => None,
        };
        let inventory = InventoryQuery { filter, kind: owner_kind, owner: None };
        let keys = request.services.inventory().list(request.actor()?, &query, inventory).await?;
        let kind = if owner_kind.is_some() { kind } else { String::new() };
        let show = if filter == InventoryFilter::All { "" } else { filter.as_str() };
        let choice =
            ListChoice::of_keys(PATH, &query).with_extra(vec![("kind", kind.clone()), ("show", show.to_owned())]);
        let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
        let (bar, empty, head) = (choice.clone(), choice.clone(), choice.clone());
        let (state_label, now) = (query.filter.label(), request.services.now());
        let kinds = choices(&choice, "kind", &kind, &KINDS, "Filter by owner");
        let shows: Vec<_> = InventoryFilter::ALL
            .iter()
            .map(|one| (if *one == InventoryFilter::All { "" } else { one.as_str() }, one.label()))
            .collect();
        let shows = choices(&choice, "show", show, &shows, "Filter by concern");
        let is_first = query.page.after.is_none() && query.page.before.is_none();
        let rows = if !keys.items.is_empty() {
            table(&request, keys.items, head, now)?
        } else if is_first {
            let default_state = KeyFilter::Active.as_str();
            view! { <Empty choice=empty default_state state_label things="API keys" hint="" /> }.into_any()
        } else {
            emptied(&empty)
        };
        Ok(view! {
            <h1>"All keys"</h1>
            <p class="lead">"Every API key of this tenant: people's and service accounts'. The address of this page keeps its filter."</p>
            <div class="board">
                <Toolbar choice=bar states label="Search all keys" />
                <div class="more-filters">{kinds}{shows}</div>
                <div class="table-place">{rows}</div>
            </div>
            <Pager choice previous=keys.previous next=keys.next />
        }
        .into_any())
    })
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
        view! { <li><a href=choice.with_other(name, word) aria-current=here.then_some("true")>{*text}</a></li> }
    });
    view! { <nav aria-label=label class="states"><ul>{links.collect_view()}</ul></nav> }.into_any()
}

/// A later page whose keys have all left it.
fn emptied(choice: &ListChoice) -> AnyView {
    view! {
        <div class="empty">
            <p>"Nothing is left on this page of the list."</p>
            <p><a class="button" href=choice.with_state(&choice.state)>"To the first page"</a></p>
        </div>
    }
    .into_any()
}

fn table(
    request: &RequestContext,
    keys: Vec<ApiKey>,
    choice: ListChoice,
    now: DateTime<Utc>,
) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    let rows = keys.into_iter().map(|key| row(actor, key, now)).collect_view();
    Ok(view! {
        <form method="get" action=format!("{PATH}/bulk")>
            <input type="hidden" name=BACK value=request.return_to.clone() />
            <table class="table" aria-label="All keys">
                <thead>
                    <tr>
                        <th scope="col"><span class="visually-hidden">"Choose"</span></th>
                        <SortHeader choice=choice.clone() column="name" label="Name" />
                        <th scope="col">"Owner"</th>
                        <th scope="col">"Status"</th>
                        <SortHeader choice=choice.clone() column="created" label="Created" />
                        <SortHeader choice=choice.clone() column="expires" label="Expires" />
                        <SortHeader choice=choice column="last_used" label="Last used" />
                        <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <div class="bulk">
                <span class="muted">"With the chosen keys:"</span>
                <button type="submit" name="act" value="suspend" class="button small">"Suspend…"</button>
                <button type="submit" name="act" value="revoke" class="button small">"Revoke…"</button>
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
    let choose = (!is_over).then(|| {
        view! { <input type="checkbox" name="key" value=key.id.to_string() aria-label=format!("Choose {}", key.name) /> }
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
            <td class="choose">{choose}</td>
            <th scope="row" data-label="Name"><a class="name" href=path>{key.name.to_string()}</a><code class="sub">{key.hint.clone()}"…"</code></th>
            <td data-label="Owner">{key.owner_name.clone()}<span class="sub">{kind}</span></td>
            <td data-label="Status"><KeyStatus state /><Against policies=key.against.clone() now /></td>
            <td data-label="Created"><Moment at=key.created_at now /><span class="sub">"by "{key.created_by.clone()}</span></td>
            <td data-label="Expires">{expires}</td>
            <td data-label="Last used"><LastUsed last=key.last_used.clone() now /></td>
            <td class="actions">{menu}{trash}</td>
        </tr>
    }
    .into_any()
}

/// The keys that a request names: in the address as often as there are keys, or in one field, with commas.
fn chosen_keys(request: &RequestContext) -> Vec<KeyId> {
    let typed = request.form.value("keys");
    let named: Vec<&str> =
        if typed.is_empty() { in_address(request, "key").collect() } else { typed.split(',').collect() };
    named.into_iter().filter_map(|text| text.parse().ok()).collect()
}

/// All values of a name in the address, as they stand there.
fn in_address<'a>(request: &'a RequestContext, name: &'a str) -> impl Iterator<Item = &'a str> {
    let query = request.return_to.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The address that the form names, or the page's own; not decoded by the router, which decodes a value twice: what is encoded
/// in the list's own address stays so.
fn came_from(request: &RequestContext) -> String {
    let typed = request.form.value(BACK);
    if !typed.is_empty() {
        return typed;
    }
    let named = in_address(request, BACK).next().unwrap_or_default();
    percent_decode_str(named).decode_utf8_lossy().into_owned()
}

/// `/team/keys/bulk`: what will be done with the chosen keys.
#[component]
pub fn Bulk() -> impl IntoView {
    let (request, act) = (context(), query_text("act"));
    page("Chosen keys", async move {
        let typed = request.form.value("act");
        let act = if typed.is_empty() { act } else { typed };
        let chosen = chosen_keys(&request);
        let keys = request.services.inventory().get(request.actor()?, &chosen).await?;
        let (now, came_from) = (request.services.now(), came_from(&request));
        let back = back_to_list(PATH, &came_from).to_owned();
        let error = Signal::stored(request.form.error.clone());
        if chosen.is_empty() {
            return Ok(nothing_chosen(back, error));
        }
        let act = if act == "revoke" { BulkAct::Revoke } else { BulkAct::Suspend };
        let (word, button, operation, after) = match act {
            BulkAct::Revoke => ("revoke", "Revoke", "revoke_api_keys", "This can't be undone."),
            BulkAct::Suspend => ("suspend", "Suspend", "suspend_api_keys", "They can be resumed one by one."),
        };
        let does = |key: &ApiKey| match act {
            BulkAct::Revoke => !matches!(key.state(now), KeyState::Revoked { .. }),
            BulkAct::Suspend => key.state(now).is_good(),
        };
        let (touched, left): (Vec<_>, Vec<_>) = keys.into_iter().partition(does);
        let lately = touched.iter().filter(|key| key.was_used_lately(now)).count();
        let count = touched.len();
        let plural = if count == 1 { "" } else { "s" };
        let ids: Vec<String> = touched.iter().map(|key| key.id.to_string()).collect();
        let rows = touched.into_iter().map(|key| {
            let last = match key.last_used.clone() {
                None => "never used".into_any(),
                Some(last) => {
                    let address = from_address(last.address.as_deref());
                    view! { "used "<Moment at=last.at now />{address} }.into_any()
                }
            };
            view! { <li><a href=key_path(&key)>{key.name.to_string()}</a>" "<code>{key.hint.clone()}"…"</code>" of "{key.owner_name.clone()}", "{last}</li> }
        });
        let rows = rows.collect_view();
        let others = (!left.is_empty()).then(|| {
            view! { <p class="muted">{format!("{} of the chosen are left as they are: they are stopped or over already.", left.len())}</p> }
        });
        let code = AsCode::bulk(&request.code(None).await?, operation, &ids);
        let button = (count > 0).then(|| view! { <button type="submit" class="button destroy">{button}</button> });
        let words = if count == 0 {
            "None of the chosen keys is left to be stopped.".to_owned()
        } else {
            format!(
                "{lately} of them {} used in the last day. What uses them stops working at once. {after}",
                if lately == 1 { "was" } else { "were" }
            )
        };
        Ok(view! {
            <div class="card wide-card">
                <h1 id="card-title">{format!("{} {count} API key{plural}?", if act == BulkAct::Revoke { "Revoke" } else { "Suspend" })}</h1>
                <p>{words}</p>
                <ul class="plain-list">{rows}</ul>
                {others}
                <FormError error fields=&[] />
                <form method="post" action=format!("{PATH}/{word}")>
                    {place_field(&request)}
                    <input type="hidden" name="keys" value=ids.join(",") />
                    <input type="hidden" name="act" value=word />
                    <input type="hidden" name=BACK value=back.clone() />
                    <div class="buttons"><a class="button" href=back>"Cancel"</a>{button}</div>
                </form>
                <CodeFold code public_url=request.public_url.clone() />
            </div>
        }
        .into_any())
    })
}

fn nothing_chosen(back: String, error: Signal<Option<ApiError>>) -> AnyView {
    view! {
        <div class="card wide-card">
            <h1 id="card-title">"Choose keys in the list first."</h1>
            <FormError error fields=&[] />
            <div class="buttons"><a class="button" href=back>"Back to the list"</a></div>
        </div>
    }
    .into_any()
}
