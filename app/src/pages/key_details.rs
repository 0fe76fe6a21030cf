//! The page of one key: its facts, rotation, usage, agents, the keys created with it, and its history.

use chrono::{DateTime, Utc};
use domain::{
    AgentScope, ApiError, ApiKey, KeyAct, KeyId, KeyState, Operation, Revocation, Suspension,
    agent::ListAgents,
    api_key::input::{GetKey, GetKeyUsage},
    audit::Channel,
    service_account::input::GetAccount,
    time::date_text,
};
use leptos::prelude::*;
use service::{Actor, ApiKeys, offers};

use super::{agents::agents, audit_log};
use crate::{
    api::{get_account, get_agents, get_api_key, get_api_key_usage},
    components::{
        address::{from_address, from_client},
        alerts::key_path,
        facts::Facts,
        key_table::key_menu,
        row_menu::RowMenu,
        status::key_status,
        time::Moment,
        trash_link::TrashLink,
        usage::UsageSection,
    },
    request::RequestContext,
};

/// `/user/api-keys/{key}`.
pub async fn own_key(request: RequestContext) -> Result<AnyView, ApiError> {
    let base = "/user/api-keys";
    details(&request, base, (base.to_owned(), "API Keys".to_owned())).await
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
    if key_path(&key) == format!("{base}/{}", key.id) { Ok(key) } else { Err(ApiError::not_found()) }
}

/// `base`: the path that precedes the key's id in the paths of its pages. `up`: path and title of the parent page.
async fn details(request: &RequestContext, base: &str, up: (String, String)) -> Result<AnyView, ApiError> {
    let (actor, now) = (request.actor()?, request.services.now());
    let key = key_at(request.id("key")?, base).await?;
    let path = key_path(&key);
    let history = audit_log::of_key_page(request);
    let history = request.services.api_keys().history(actor, key.id, &history).await?;
    let is_in_log = offers(actor, Operation::ListAuditLog) && key.tenant_id == actor.tenant_id();
    let all = is_in_log.then(|| audit_log::all_about(&key.id.to_string()));
    let usage = get_api_key_usage(GetKeyUsage { key: key.id }).await?;
    let created = request.services.api_keys().created_by(actor, key.id).await?;
    let rolls = rolls(request, &key, base, now).await?;
    let origin = origin(request, &key).await?;
    let seen = get_agents(ListAgents { scope: AgentScope::Key(key.id) }).await?;
    let state = key.state(now);
    let menu = key_menu(Some(actor), base, &key, now);
    let menu = (!menu.is_empty()).then(|| view! { <RowMenu label=format!("More for {}", key.name) items=menu /> });
    let revoke = (!matches!(state, KeyState::Revoked { .. })).then(|| {
        let label = format!("Revoke API key {}", key.name);
        let href = format!("{base}/{}/{}", key.id, KeyAct::Revoke.code());
        view! { <TrashLink href label /> }
    });
    Ok(view! {
        <p class="crumb">
            <a href=up.0>{up.1}</a>
        </p>
        <div class="title-row">
            <h1>{key.name.to_string()}</h1>
            {menu}
            {revoke}
        </div>
        <p class="lead">{key_status(state)}" " <code>{key.hint.clone()}"…"</code></p>
        {rolls}
        {facts(key, origin, now)}
        <UsageSection usage now />
        {agents(seen, None, now)}
        {created_keys(created, now)}
        {audit_log::history(history, &path, all, now)}
    }
    .into_any())
}

/// Through which interface a key was created, and with which key.
async fn origin(request: &RequestContext, key: &ApiKey) -> Result<AnyView, ApiError> {
    let channel = Channel::label_of(&key.created_channel).to_owned();
    let Some(id) = key.created_by_key else { return Ok(channel.into_any()) };
    // The person may not have access to the creating key; then only its id is shown.
    let creator = request.services.api_keys().get(request.actor()?, id).await.ok();
    let with = match creator {
        Some(key) => view! {
            <a href=key_path(&key)>{key.name.to_string()}</a>
            " "
            <code>{key.hint.clone()}"…"</code>
        }
        .into_any(),
        None => view! { <code>{id.to_string()}</code> }.into_any(),
    };
    Ok(view! {
        {channel}
        ", with the key "
        {with}
    }
    .into_any())
}

/// The rotation that created the key, and the one that replaced it or is replacing it, each with the last use of both
/// keys.
async fn rolls(request: &RequestContext, key: &ApiKey, base: &str, now: DateTime<Utc>) -> Result<AnyView, ApiError> {
    let (actor, keys) = (request.actor()?, request.services.api_keys());
    let mut sections = Vec::new();
    if let Some(old) = key.replaces {
        sections.push(roll(actor, ("Rotated from", "made"), (&keys.get(actor, old).await?, key), base, now));
    }
    if let Some(new) = &key.replaced_by {
        sections.push(roll(actor, ("Rotation", "own"), (key, &keys.get(actor, new.id).await?), base, now));
    }
    Ok(sections.into_any())
}

/// One rotation. `title` and `word`: the heading, and the suffix of its element id.
fn roll(
    actor: &Actor,
    (title, word): (&'static str, &str),
    (old, new): (&ApiKey, &ApiKey),
    base: &str,
    now: DateTime<Utc>,
) -> AnyView {
    let successor = old.replaced_by.as_ref().filter(|next| next.id == new.id);
    let until = old.overlap_until(now).filter(|_| successor.is_some());
    let suspended = matches!(old.state(now), KeyState::Suspended { .. });
    let words = match (until, successor) {
        (Some(at), Some(new)) if new.is_revoked => {
            view! {
                <p class="error">
                    "The replacement key was revoked; undo the rotation. Until then the old key expires "
                    <Moment at now />"."
                </p>
            }.into_any()
        }
        (Some(at), _) if suspended => {
            view! { <p>"The old key is suspended and expires "<Moment at now />"."</p> }.into_any()
        }
        (Some(at), _) if matches!(new.state(now), KeyState::Suspended { .. }) => {
            view! { <p>"The new key is suspended and rejected until it is resumed. The old one expires "<Moment at now />"."</p> }.into_any()
        }
        (Some(at), _) if !new.state(now).is_valid() => {
            view! { <p>"The new key has itself been rotated. The old one expires "<Moment at now />"."</p> }.into_any()
        }
        (Some(at), Some(new)) if new.ends_on_use => {
            view! {
                <p>
                    "Both keys work. The old one expires when the new one is first used, but no later than "
                    <Moment at now />"."
                </p>
            }.into_any()
        }
        (Some(at), _) => {
            view! { <p>"Both keys work. The old one expires on "{date_text(at)}" ("<Moment at now />")."</p> }
                .into_any()
        }
        (None, Some(_)) => view! { <p>"Rotation complete."</p> }.into_any(),
        (None, None) => view! { <p>"Rotation undone."</p> }.into_any(),
    };
    let acts = [KeyAct::FinishRoll, KeyAct::ExtendRoll, KeyAct::CancelRoll];
    let is_offered =
        |act: &KeyAct| until.is_some() && act.is_offered(old, now) && ApiKeys::may(actor, act.operation(), old);
    let buttons: Vec<_> = acts
        .into_iter()
        .filter(is_offered)
        .map(|act| {
            let href = format!("{base}/{}/{}", old.id, act.code());
            view! {
                <a class="button" href=href data-dialog="">
                    {act.label()}
                </a>
            }
        })
        .collect();
    let buttons = (!buttons.is_empty()).then(|| view! { <div class="buttons">{buttons}</div> });
    let (old, new) = (side(old, "Old", base, now), side(new, "New", base, now));
    let id = format!("roll-title-{word}");
    view! {
        <section class="roll" aria-labelledby=id.clone()>
            <h2 id=id.clone()>{title}</h2>
            {words}
            <div class="roll-sides">{old}{new}</div>
            {buttons}
        </section>
    }
    .into_any()
}

/// The old or the new key of a rotation, with its state and last use.
fn side(key: &ApiKey, title: &'static str, base: &str, now: DateTime<Utc>) -> AnyView {
    let last = match key.last_used.clone() {
        None => view! { <p>"Never used."</p> }.into_any(),
        Some(last) => {
            let client = from_client(&last);
            view! { <p>"Last used "<Moment at=last.at now />{client}</p> }.into_any()
        }
    };
    let tried = key.rejected_after_rotation().map(|last| {
        let address = from_address(last.address.as_deref());
        view! { <p class="error">"Rejected "<Moment at=last.at now />{address}</p> }
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
fn created_keys(keys: Vec<ApiKey>, now: DateTime<Utc>) -> Option<AnyView> {
    if keys.is_empty() {
        return None;
    }
    let rows = keys.into_iter().map(|key| {
        let state = key.state(now);
        view! {
            <tr>
                <th scope="row" data-label="Name">
                    <a class="name" href=key_path(&key)>
                        {key.name.to_string()}
                    </a>
                    <code class="sub">{key.hint.clone()}"…"</code>
                </th>
                <td data-label="Owner">{key.owner_name.clone()}</td>
                <td data-label="Status">{key_status(state)}</td>
                <td data-label="Created">
                    <Moment at=key.created_at now />
                </td>
            </tr>
        }
    });
    Some(
        view! {
            <section class="agents" aria-labelledby="made-title">
                <h2 id="made-title">"Keys created with this key"</h2>
                <table class="table" aria-label="Keys created with this key">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Owner"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"Created"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </section>
        }
        .into_any(),
    )
}

fn facts(key: ApiKey, origin: AnyView, now: DateTime<Utc>) -> AnyView {
    let moment = |at: DateTime<Utc>| view! { <Moment at now /> }.into_any();
    let plain = |text: String| view! { {text} }.into_any();
    let by = |at, who: String| {
        view! {
            <Moment at now />
            " by "
            {who}
        }
        .into_any()
    };
    let last = key.last_used.map_or_else(
        || plain("Never".to_owned()),
        |last| {
            let client = from_client(&last);
            view! {
                <Moment at=last.at now />
                {client}
            }
            .into_any()
        },
    );
    let rows = [
        Some(("Owner", plain(key.owner_name))),
        Some(("Tenant", plain(key.tenant_name.to_string()))),
        Some(("Created", by(key.created_at, key.created_by))),
        Some(("Created via", origin)),
        Some(("Expires", key.expires_at.map_or_else(|| plain("Never".to_owned()), moment))),
        Some(("Last used", last)),
        key.suspension.map(|Suspension { at, by: who, owner_may_resume }| {
            let hint = (!owner_may_resume).then(|| view! { <p>"Only an administrator can resume it."</p> });
            (
                "Suspended",
                view! {
                    {by(at, who)}
                    {hint}
                }
                .into_any(),
            )
        }),
        key.owner_suspended_at.map(|at| {
            (
                "Suspended",
                view! {
                    <Moment at now />
                    ", because its service account is"
                }
                .into_any(),
            )
        }),
        key.revocation.map(|Revocation { at, by: who, reason }| {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            ("Revoked", by(at, format!("{who}{reason}")))
        }),
        (!key.violations.is_empty()).then(|| {
            let labels: Vec<_> = key.violations.iter().map(|violation| violation.text(now)).collect();
            let is_scheduled = key.violations.iter().all(|violation| violation.is_scheduled(now));
            let name = if is_scheduled { "Will violate policy" } else { "Violates policy" };
            (name, plain(labels.join("; ")))
        }),
        Some(("ID", view! { <code>{key.id.to_string()}</code> }.into_any())),
    ];
    view! { <Facts rows=rows.into_iter().flatten().collect() /> }.into_any()
}
