//! Team > All keys: the inventory of a tenant's keys, and the page that suspends or revokes several of them.

use std::{borrow::Cow, cmp::Reverse};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, ExpiryWindow, InventoryFilter, InventoryQuery, KeyAct, KeyFilter, KeyId, KeyQuery, Operation,
    OwnerKind,
    api_key::input::{ListTenantKeys, RevokeKeys, SuspendKeys},
};
use leptos::prelude::*;
use service::{AlertsAbout, Namesakes};

use super::{
    api_keys::{expiring_soon, is_closed_to_people, sparks},
    empty_list::{EmptyList, first_run, no_keys},
    key_acts::invitation_list,
    list_params,
    toolbar::{FilterMenu, ListBoard, Noun, Pages},
};
use crate::{
    api::list_tenant_keys,
    as_code::AsCode,
    components::{
        act_form::act_form, alerts::AlertBanners, as_code::CodeFold, expiry_timeline::ExpiryTimeline, field::FormError,
        key_table::KeyTable, time::Distance,
    },
    list_url::{ListChoice, back_to_list},
    request::RequestContext,
    words::{
        key_acts, keys as words, labels,
        usage::{self, from_address},
    },
};

const PATH: &str = "/team/keys";
const KINDS: [(&str, &str); 3] =
    [("", words::all_owners()), ("user", words::people()), ("service_account", labels::service_accounts())];

/// The numbers of days within which the filter by expiry offers to select keys.
const WINDOWS: [u16; 3] = [7, 30, 90];

/// The acts that several keys can be selected for.
const BULK_ACTS: [KeyAct; 2] = [KeyAct::Suspend, KeyAct::Revoke];

/// The form field with the URL of the list, including its filters.
const BACK: &str = "back";

/// `/team/keys`.
pub async fn all_keys(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, kind) = (request.actor()?, request.query("kind"));
    let (filter, now) = (InventoryFilter::from_code(request.query("show")), request.services.now());
    let mut query = list_params(&request).to_keys();
    if filter == InventoryFilter::Exposed && request.query("state").is_empty() {
        // Most exposed keys are suspended.
        query.filter = KeyFilter::All;
    }
    let (kind, owner_kind) = match kind {
        "user" => (kind, Some(OwnerKind::User)),
        "service_account" => (kind, Some(OwnerKind::ServiceAccount)),
        _ => ("", None),
    };
    let expires = ExpiryWindow::from_code(request.query("expires"));
    let inventory = InventoryQuery { filter, kind: owner_kind, owner: None, expires };
    let keys = list_tenant_keys(ListTenantKeys { query: query.clone(), inventory }).await?;
    let code = |filter: InventoryFilter| if filter == InventoryFilter::All { "" } else { filter.as_str() };
    let window = expires.map(ExpiryWindow::code).unwrap_or_default();
    let extra = vec![("kind", kind.to_owned()), ("show", code(filter).to_owned()), ("expires", window)];
    let (choice, pages) = (ListChoice::of_keys(PATH, &query).with_extra(extra), Pages::from(&keys));
    let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let issues = InventoryFilter::ALL.map(|filter| (code(filter), filter.label())).to_vec();
    let filters = vec![
        FilterMenu::of("kind", labels::owner(), &KINDS),
        FilterMenu::of("show", words::issue(), &issues),
        FilterMenu { name: "expires", label: labels::expires(), values: windows(expires) },
    ];
    let is_first = query.page.after.is_none() && query.page.before.is_none();
    let is_first_run = keys.items.is_empty() && is_first && has_none(&query, inventory).await?;
    let rows = if !keys.items.is_empty() {
        table(&request, keys.items, &choice).await?
    } else if is_first_run {
        let sentence = words::first_run_of_inventory();
        first_run(words::no_keys_yet(), sentence, None)
    } else if is_first {
        let (default_state, reason) = (KeyFilter::Active.as_str(), no_keys(&choice, query.filter));
        view! { <EmptyList choice=choice.clone() default_state reason hint="" show_all=labels::show_all_keys() /> }
            .into_any()
    } else {
        emptied(&choice)
    };
    let alerts = request.services.api_keys().alerts(actor, AlertsAbout::Tenant).await?;
    let expiring = request.services.inventory().expiring(actor, owner_kind).await?;
    let timeline = is_first.then(|| view! { <ExpiryTimeline expiring kind=owner_kind now /> });
    let review = expiring_soon(PATH);
    let board = ListBoard { choice, noun: Noun::Keys, states, filters, action: None, is_first_run, rows, pages };
    Ok(view! {
        <h1>{labels::all_keys()}</h1>
        <p class="lead">{words::all_keys_in_this_tenant()}</p>
        <AlertBanners alerts review now />
        {timeline}
        {board.view()}
    }
    .into_any())
}

/// The windows that the filter by expiry offers: three, and the chosen one.
fn windows(chosen: Option<ExpiryWindow>) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
    let offered = WINDOWS.into_iter().filter_map(|days| ExpiryWindow::new(0, days));
    let other = chosen.filter(|window| window.after_days > 0 || !WINDOWS.contains(&window.within_days));
    let value = |window: ExpiryWindow| (window.code().into(), words::expiry_window(window).into());
    let any = (Cow::Borrowed(""), Cow::Borrowed(words::any_time()));
    std::iter::once(any).chain(offered.chain(other).map(value)).collect()
}

/// Whether the tenant has no key in any state. `query` and `inventory`: those of the list, which found none.
async fn has_none(query: &KeyQuery, inventory: InventoryQuery) -> Result<bool, ApiError> {
    if !query.search.trim().is_empty() || inventory != InventoryQuery::default() {
        return Ok(false);
    }
    let any = KeyQuery { filter: KeyFilter::All, ..KeyQuery::default() };
    Ok(list_tenant_keys(ListTenantKeys { query: any, inventory }).await?.items.is_empty())
}

/// Shown on a page after the first one when its keys no longer match the filters.
fn emptied(choice: &ListChoice) -> AnyView {
    view! {
        <div class="empty">
            <p>{words::this_page_is_empty_now()}</p>
            <p>
                <a class="button" href=choice.with_state(&choice.state)>
                    {words::back_to_first_page()}
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// The table in the form that opens the page for several keys.
async fn table(request: &RequestContext, keys: Vec<ApiKey>, choice: &ListChoice) -> Result<AnyView, ApiError> {
    let sparks = sparks(request, &keys).await?;
    let namesakes = request.services.members().namesakes_of_keys(request.actor()?, &keys).await?;
    let is_closed = is_closed_to_people(request).await?;
    let (actor, now) = (request.actor.clone(), request.services.now());
    let acts = BULK_ACTS.map(|act| {
        view! {
            <button type="submit" name="act" value=act.code() class="button small">
                {format!("{}…", act.label())}
            </button>
        }
    });
    Ok(view! {
        <form method="get" action=format!("{PATH}/bulk") data-card="">
            <input type="hidden" name=BACK value=request.return_to.clone() />
            <KeyTable keys actor choice=choice.clone() sparks is_inventory=true namesakes is_closed now />
            <div class="bulk">
                <span data-selected-count="">{words::selected_keys()}</span>
                {acts.into_iter().collect_view()}
                <button type="reset" class="button small">
                    {words::clear()}
                </button>
            </div>
        </form>
    }
    .into_any())
}

/// `/team/keys/bulk`: asks before the selected keys are suspended or revoked.
pub async fn bulk(request: RequestContext) -> Result<AnyView, ApiError> {
    let selected: Vec<KeyId> = request.query_all("key").filter_map(|id| id.parse().ok()).collect();
    let keys = request.services.inventory().get(request.actor()?, &selected).await?;
    let back = back_to_list(PATH, request.query(BACK));
    if selected.is_empty() {
        return Ok(nothing_to_do(&request, words::select_at_least_one_key(), back));
    }
    let act = if request.query("act") == KeyAct::Revoke.code() { KeyAct::Revoke } else { KeyAct::Suspend };
    let now = request.services.now();
    let (fitting, unfit): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| act.is_offered(key, now));
    if fitting.is_empty() && unfit.is_empty() {
        return Ok(nothing_to_do(&request, words::selected_keys_werent_found(), back));
    }
    if fitting.is_empty() {
        return Ok(nothing_to_do(&request, words::selected_keys_are_inactive(), back));
    }
    let ids: Vec<String> = fitting.iter().map(|key| key.id.to_string()).collect();
    let effect = words::bulk_words(act, &fitting, now);
    let unchanged = words::unchanged_words(unfit.len()).map(|words| view! { <p class="muted">{words}</p> });
    let title = words::bulk_title(act, fitting.len());
    let cancelled = if act == KeyAct::Revoke { cancelled_invitations(&request, &fitting).await? } else { None };
    let namesakes = request.services.members().namesakes_of_keys(request.actor()?, &fitting).await?;
    let rows = fitting.into_iter().map(|key| bulk_row(&key, &namesakes, now)).collect_view();
    let buttons = view! {
        <div class="buttons">
            <a class="button" href=back.to_owned() data-close="">
                {labels::cancel()}
            </a>
            <button type="submit" class=if act == KeyAct::Revoke { "button destroy" } else { "button primary" }>
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
            <p>{effect}</p>
            <ul class="plain-list">{rows}</ul>
            {cancelled}
            {unchanged}
            <FormError error fields=&[] />
            {form}
            <CodeFold code public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

/// The open invitations that are cancelled when keys are revoked.
async fn cancelled_invitations(request: &RequestContext, keys: &[ApiKey]) -> Result<Option<AnyView>, ApiError> {
    let mut open = Vec::new();
    for key in keys {
        open.extend(request.services.api_keys().open_invitations(request.actor()?, key.id, false).await?);
    }
    open.sort_by_key(|one| (Reverse(one.created_at), one.id.0));
    open.dedup_by_key(|one| one.id);
    Ok((!open.is_empty()).then(|| {
        view! {
            <p>{key_acts::revoking_cancels_invitations()}</p>
            {invitation_list(&open)}
        }
        .into_any()
    }))
}

/// A key that will be changed: its name, hint, owner and last use.
fn bulk_row(key: &ApiKey, namesakes: &Namesakes, now: DateTime<Utc>) -> AnyView {
    let owner = format!(" · {}", labels::with_address(&key.owner_name, namesakes.beside_owner(key)));
    let last = match &key.last_used {
        None => usage::not_used().into_any(),
        Some(last) => usage::last_used(view! { <Distance at=last.at now /> }, from_address(last.address.as_deref())),
    };
    view! {
        <li>
            <a href=key.page_path() translate="no" dir="auto">
                {key.name.to_string()}
            </a>
            " "
            <code>{key.hint.clone()}"…"</code>
            {owner}
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
                <a class="button" href=back.to_owned() data-close="">
                    {words::back_to_the_list()}
                </a>
            </div>
        </div>
    }
    .into_any()
}
