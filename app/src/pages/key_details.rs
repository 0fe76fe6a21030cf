//! The page of one key: its facts, rotation, usage, agents, the keys created with it, and its history.

use chrono::{DateTime, Utc};
use domain::{
    AgentScope, ApiError, ApiKey, KeyAct, KeyId, KeyState, Operation, Revocation, Suspension, Usage,
    agent::ListAgents,
    api_key::input::{GetKey, GetKeyUsage},
    audit::Channel,
    service_account::input::GetAccount,
    user::input::SwitchTenant,
};
use leptos::prelude::*;
use service::{Actor, ApiKeys, KEYS_AT_ONCE, KeyStep, Namesakes, offers};

use super::{agents::agents, audit_log, key_limits::limits_fact, key_scopes::scopes_fact, verifiers};
use crate::{
    api::{get_account, get_agents, get_api_key, get_api_key_usage},
    components::{
        act_form::act_form,
        exposure::exposure_section,
        facts::Facts,
        key_chart::ChartRange,
        key_table::key_menu,
        rejected_requests::RejectedRequests,
        rotation_lanes::Rotation,
        row_menu::RowMenu,
        status::{exposed_mark, imported_mark, key_status},
        test_key::TestKey,
        time::{Dated, Distance, ExactMoment, Moment},
        trash_link::TrashLink,
        usage::UsageSection,
    },
    request::RequestContext,
    words::{
        imported as imported_words, key_details as words, labels, limits as limits_words, scopes as scopes_words,
        usage::{from_address, from_client},
    },
};

/// `/user/api-keys/{key}`.
pub async fn own_key(request: RequestContext) -> Result<AnyView, ApiError> {
    let base = "/user/api-keys";
    details(&request, base, (base.to_owned(), labels::api_keys().to_owned())).await
}

/// `/team/service-accounts/{account}/keys/{key}`.
pub async fn account_key(request: RequestContext) -> Result<AnyView, ApiError> {
    let account = get_account(GetAccount { account: request.id("account")? }).await?;
    let path = format!("/team/service-accounts/{}", account.id);
    details(&request, &format!("{path}/keys"), (path, account.name.to_string())).await
}

/// The key of a page below `base`; not found when the key's own page is below another path.
pub async fn key_at(key: KeyId, base: &str) -> Result<ApiKey, ApiError> {
    let key = get_api_key(GetKey { key }).await?;
    if key.page_path() == format!("{base}/{}", key.id) { Ok(key) } else { Err(ApiError::not_found()) }
}

/// `base`: the path that precedes the key's id in the paths of its pages. `up`: path and title of the parent page.
async fn details(request: &RequestContext, base: &str, up: (String, String)) -> Result<AnyView, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    let key = key_at(request.id("key")?, base).await?;
    request.set_title_in(key.tenant_name.as_str(), &words::title(&key.name, &title_hint(&key)));
    let path = key.page_path();
    let history = audit_log::of_key_page(request);
    let history = request.services.api_keys().history(actor, key.id, &history).await?;
    let namesakes = request.services.members().namesakes_of_entries(actor, &history.items).await?;
    let of_key = request.services.members().namesakes_of_keys(actor, std::slice::from_ref(&key)).await?;
    let is_in_log = offers(actor, Operation::ListAuditLog) && key.tenant_id == actor.tenant_id();
    let all = is_in_log.then(|| audit_log::all_about(&key.id.to_string()));
    let usage = get_api_key_usage(GetKeyUsage { key: key.id }).await?;
    let created = request.services.api_keys().created_by(actor, key.id, None).await?;
    let rolls = rolls(request, &key, &usage, base, now).await?;
    let origin = origin(request, &key).await?;
    let seen = get_agents(ListAgents { scope: AgentScope::Key(key.id) }).await?;
    let state = key.state(now);
    let actions = actions(request, &key, base, now).await?;
    let may_narrow = KeyAct::Scopes.is_offered(&key, now) && ApiKeys::may(actor, KeyAct::Scopes.operation(), &key);
    let scopes = scopes_fact(request, &key, &usage, &path, may_narrow).await?;
    let refusals = usage.refusals.clone();
    let spread = verifiers::refused_by(request, &key, now);
    let elsewhere = (key.tenant_id != actor.tenant_id()).then(|| elsewhere(request, &key));
    Ok(view! {
        <p class="crumb">
            <a href=up.0 translate="no" dir="auto">
                {up.1}
            </a>
        </p>
        <div class="title-row">
            <h1 translate="no" dir="auto">
                {key.name.to_string()}
            </h1>
            {actions}
        </div>
        <p class="lead">
            {key_status(state)} {exposed_mark(&key)} {imported_mark(&key)}" "
            <code translate="no">{key.hint.clone()}"…"</code>
        </p>
        {spread}
        {elsewhere}
        {exposure_section(&key, &usage, now)}
        {imported_note(&key, now)}
        {rolls}
        {facts(key, (origin, scopes), &of_key, now)}
        <UsageSection usage range=ChartRange::from_code(request.query("range")) path=path.clone() now />
        <RejectedRequests refusals now />
        {agents(seen, None, now)}
        {created_keys(created, now)}
        {audit_log::history(history, &path, all, &namesakes)}
    }
    .into_any())
}

/// What differs for an imported key; nothing for any other key.
fn imported_note(key: &ApiKey, now: DateTime<Utc>) -> Option<AnyView> {
    let at = key.imported_at?;
    let note = imported_words::what_differs(view! { <ExactMoment at now /> }, KeyAct::Roll.is_offered(key, now));
    Some(view! { <p class="sub">{note}</p> }.into_any())
}

/// Says that the key can't be changed before its tenant is selected, with the button that does that.
fn elsewhere(request: &RequestContext, key: &ApiKey) -> AnyView {
    let button = view! {
        <button type="submit" class="button">
            {words::select_tenant(&key.tenant_name)}
        </button>
    };
    let hidden = [("tenant_id", key.tenant_id.to_string())];
    view! {
        <div class="roll">
            <p>{words::key_of_another_tenant(&key.tenant_name)}</p>
            {act_form::<SwitchTenant>(request, &key.page_path(), &hidden, button.into_any())}
        </div>
    }
    .into_any()
}

/// The key's hint, for the titles of its pages, if another key of the same name is its rotation's other key.
pub fn title_hint(key: &ApiKey) -> String {
    if key.replaces.is_some() || key.replaced_by.is_some() { format!(" ({}…)", key.hint) } else { String::new() }
}

/// The buttons beside the title, and the menu of further actions.
async fn actions(request: &RequestContext, key: &ApiKey, base: &str, now: DateTime<Utc>) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    let path = |act: KeyAct| format!("{base}/{}/{}", key.id, act.code());
    let is_offered = |act: KeyAct| act.is_offered(key, now) && ApiKeys::may(actor, act.operation(), key);
    // A key policy may forbid the new key.
    let may_rotate = is_offered(KeyAct::Roll) && request.services.rolls().renewed_expiry(actor, key.id).await.is_ok();
    let rotate = may_rotate.then(|| {
        view! {
            <a class="button" href=path(KeyAct::Roll) data-dialog="">
                {KeyAct::Roll.label()}
            </a>
        }
    });
    let test = key.state(now).is_valid().then(|| view! { <TestKey /> });
    // Rotate has a button of its own.
    let roll = path(KeyAct::Roll);
    let menu: Vec<_> = key_menu(Some(actor), base, key, now).into_iter().filter(|(path, _)| *path != roll).collect();
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=labels::more_for(&key.name) items=menu /> });
    let revoke = is_offered(KeyAct::Revoke).then(|| {
        view! { <TrashLink href=path(KeyAct::Revoke) label=labels::revoke_api_key(&key.name) /> }
    });
    Ok(view! { <div class="title-actions">{test} {rotate} {menu} {revoke}</div> }.into_any())
}

/// Through which interface a key was created, and with which key.
async fn origin(request: &RequestContext, key: &ApiKey) -> Result<AnyView, ApiError> {
    let channel = Channel::label_of(&key.created_channel).to_owned();
    let Some(id) = key.created_by_key else { return Ok(channel.into_any()) };
    // The person may not have access to the creating key; then only its id is shown.
    let creator = request.services.api_keys().get(request.actor()?, id).await.ok();
    let with = match creator {
        Some(key) => view! {
            <a href=key.page_path()>{key.name.to_string()}</a>
            " "
            <code>{key.hint.clone()}"…"</code>
        }
        .into_any(),
        None => view! { <code>{id.to_string()}</code> }.into_any(),
    };
    Ok(words::created_with(channel, with))
}

/// The rotation that created the key, and the one that replaced it or is replacing it.
async fn rolls(
    request: &RequestContext,
    key: &ApiKey,
    usage: &Usage,
    base: &str,
    now: DateTime<Utc>,
) -> Result<AnyView, ApiError> {
    let (actor, keys) = (request.actor()?, request.services.api_keys());
    let usage_of = async |key| get_api_key_usage(GetKeyUsage { key }).await;
    let mut sections = Vec::new();
    if let Some(old) = key.replaces {
        let (old, old_usage) = (keys.get(actor, old).await?, usage_of(old).await?);
        sections.push(roll(actor, "made", (&old, &old_usage), (key, usage), base, now));
    }
    if let Some(new) = &key.replaced_by {
        let (new, new_usage) = (keys.get(actor, new.id).await?, usage_of(new.id).await?);
        sections.push(roll(actor, "own", (key, usage), (&new, &new_usage), base, now));
    }
    Ok(sections.into_any())
}

/// One rotation. `word`: the suffix of its heading's element id.
fn roll(
    actor: &Actor,
    word: &str,
    (old, old_usage): (&ApiKey, &Usage),
    (new, new_usage): (&ApiKey, &Usage),
    base: &str,
    now: DateTime<Utc>,
) -> AnyView {
    let successor = old.replaced_by.as_ref().filter(|next| next.id == new.id);
    let until = old.overlap_until(now).filter(|_| successor.is_some());
    let (title, date) = match (until, successor) {
        (Some(_), _) => (words::rotation_in_progress().to_owned(), None),
        (None, Some(new)) => {
            let date = Dated::date(new.at);
            (words::rotated_on(&date.text), Some(date.attribute))
        }
        (None, None) => (words::rotation().to_owned(), None),
    };
    let suspended = matches!(old.state(now), KeyState::Suspended { .. });
    let distance = |at| view! { <Distance at now /> };
    let explanation = match (until, successor) {
        (Some(at), Some(new)) if new.is_revoked => {
            view! { <p class="error">{words::replacement_was_revoked(distance(at))}</p> }.into_any()
        }
        (Some(at), _) if suspended => view! { <p>{words::old_key_is_suspended(distance(at))}</p> }.into_any(),
        (Some(at), _) if matches!(new.state(now), KeyState::Suspended { .. }) => {
            view! { <p>{words::new_key_is_suspended(distance(at))}</p> }.into_any()
        }
        (Some(at), _) if !new.state(now).is_valid() => {
            view! { <p>{words::new_key_was_rotated(distance(at))}</p> }.into_any()
        }
        (Some(at), Some(new)) if new.ends_on_use => {
            view! { <p>{words::both_work_until_first_use(distance(at))}</p> }.into_any()
        }
        (Some(at), _) => view! { <p>{words::both_work_until(view! { <ExactMoment at now /> })}</p> }.into_any(),
        (None, Some(_)) => view! { <p>{words::rotation_complete()}</p> }.into_any(),
        (None, None) => view! { <p>{words::rotation_undone()}</p> }.into_any(),
    };
    let acts = [KeyAct::FinishRoll, KeyAct::ExtendRoll, KeyAct::CancelRoll];
    let is_offered =
        |act: &KeyAct| until.is_some() && act.is_offered(old, now) && ApiKeys::may(actor, act.operation(), old);
    let rotation = Rotation {
        old: old_usage,
        new: new_usage,
        old_last_used_at: old.last_used.as_ref().map(|last| last.at),
        began_at: new.created_at,
    };
    // The old key can go once nothing uses it any more.
    let is_ready = rotation.is_quiet(now) && new.last_used.is_some();
    let lanes = until.is_some().then(|| rotation.view(now));
    let buttons: Vec<_> = acts
        .into_iter()
        .filter(is_offered)
        .map(|act| {
            let href = format!("{base}/{}/{}", old.id, act.code());
            let class = if is_ready && act == KeyAct::FinishRoll { "button primary" } else { "button" };
            view! {
                <a class=class href=href data-dialog="">
                    {act.label()}
                </a>
            }
        })
        .collect();
    let buttons = (!buttons.is_empty()).then(|| view! { <div class="buttons">{buttons}</div> });
    let (old, new) = (side(old, words::old(), base, now), side(new, words::new(), base, now));
    let id = format!("roll-title-{word}");
    view! {
        <section class="roll" aria-labelledby=id.clone()>
            <h2 id=id.clone() data-date=date>
                {title}
            </h2>
            {explanation}
            <div class="roll-sides">{old}{new}</div>
            {lanes}
            {buttons}
        </section>
    }
    .into_any()
}

/// The old or the new key of a rotation, with its state and last use.
fn side(key: &ApiKey, title: &'static str, base: &str, now: DateTime<Utc>) -> AnyView {
    let last = match key.last_used.clone() {
        None => view! { <p>{words::never_used()}</p> }.into_any(),
        Some(last) => {
            let client = from_client(&last);
            view! { <p>{words::last_used(view! { <Distance at=last.at now /> }, client)}</p> }.into_any()
        }
    };
    let tried = key.rejected_after_rotation().map(|last| {
        let address = from_address(last.address.as_deref());
        view! { <p class="error">{words::rejected(view! { <Distance at=last.at now /> }, address)}</p> }
    });
    let href = format!("{base}/{}", key.id);
    view! {
        <div>
            <h3>
                {title}" "<a href=href>
                    <code>{key.hint.clone()}"…"</code>
                </a>
            </h3>
            <p>{key_status(key.state(now))}</p>
            {last}
            {tried}
        </div>
    }
    .into_any()
}

/// The keys that were created with this key; `None` when there are none.
fn created_keys(step: KeyStep, now: DateTime<Utc>) -> Option<AnyView> {
    if step.keys.is_empty() {
        return None;
    }
    let more = step.next.map(|_| view! { <p class="sub">{words::only_the_newest(KEYS_AT_ONCE)}</p> });
    let rows = step.keys.into_iter().map(|key| {
        let state = key.state(now);
        view! {
            <tr>
                <th scope="row" data-label=labels::name()>
                    <a class="name" href=key.page_path() translate="no" dir="auto">
                        {key.name.to_string()}
                    </a>
                    <code class="sub" translate="no">
                        {key.hint.clone()}
                        "…"
                    </code>
                </th>
                <td data-label=labels::owner()>
                    <bdi translate="no">{key.owner_name.clone()}</bdi>
                </td>
                <td data-label=labels::status()>{key_status(state)}</td>
                <td data-label=labels::created()>
                    <Moment at=key.created_at now />
                </td>
            </tr>
        }
    });
    Some(
        view! {
            <section class="agents" aria-labelledby="made-title">
                <h2 id="made-title">{words::keys_created_with_this_key()}</h2>
                <table class="table" aria-label=words::keys_created_with_this_key()>
                    <thead>
                        <tr>
                            <th scope="col">{labels::name()}</th>
                            <th scope="col">{labels::owner()}</th>
                            <th scope="col">{labels::status()}</th>
                            <th scope="col">{labels::created()}</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
                {more}
            </section>
        }
        .into_any(),
    )
}

fn facts(key: ApiKey, (origin, scopes): (AnyView, AnyView), namesakes: &Namesakes, now: DateTime<Utc>) -> AnyView {
    let owner = labels::with_address(&key.owner_name, namesakes.beside_owner(&key));
    let creator = labels::with_address(&key.created_by, namesakes.beside_creator(&key));
    let moment = |at: DateTime<Utc>| view! { <ExactMoment at now /> }.into_any();
    let plain = |text: String| view! { {text} }.into_any();
    let by = |at, who: String| words::by(view! { <ExactMoment at now /> }, who);
    let last = key.last_used.map_or_else(
        || plain(labels::never().to_owned()),
        |last| {
            let client = from_client(&last);
            view! {
                <ExactMoment at=last.at now />
                {client}
            }
            .into_any()
        },
    );
    let rows = [
        Some((labels::owner(), plain(owner))),
        Some((labels::tenant(), plain(key.tenant_name.to_string()))),
        Some((labels::created(), by(key.created_at, creator))),
        Some((words::created_via(), origin)),
        Some((labels::expires(), key.expires_at.map_or_else(|| plain(labels::never().to_owned()), moment))),
        Some((scopes_words::scopes(), scopes)),
        Some((limits_words::limits(), limits_fact(&key.limits))),
        Some((labels::last_used(), last)),
        key.suspension.map(|Suspension { at, by: who, owner_may_resume }| {
            let hint = (!owner_may_resume).then(|| view! { <p>{words::only_an_administrator_can_resume_it()}</p> });
            (
                labels::suspended(),
                view! {
                    {by(at, who)}
                    {hint}
                }
                .into_any(),
            )
        }),
        key.owner_suspended_at
            .map(|at| (labels::suspended(), words::suspended_with_its_account(view! { <ExactMoment at now /> }))),
        key.revocation.map(|Revocation { at, by: who, reason }| {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            (words::revoked(), by(at, format!("{who}{reason}")))
        }),
        (!key.violations.is_empty()).then(|| {
            let labels: Vec<_> = key.violations.iter().map(|violation| violation.text(now)).collect();
            let is_scheduled = key.violations.iter().all(|violation| violation.is_scheduled(now));
            let name = if is_scheduled { words::will_violate_policy() } else { words::violates_policy() };
            (name, plain(labels.join("; ")))
        }),
        Some((labels::id(), view! { <code>{key.id.to_string()}</code> }.into_any())),
    ];
    view! { <Facts rows=rows.into_iter().flatten().collect() /> }.into_any()
}
