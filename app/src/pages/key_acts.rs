//! The pages that ask before one key is changed: revoke, suspend, resume, rename, rotate, and the steps of a rotation.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Agent, AgentScope, ApiError, ApiKey, GracePeriod, Invitation, KeyAct, Recent,
    agent::ListAgents,
    api_key::{
        act::{CancelRoll, ExtendRoll, FinishRoll, RenameKey, ResumeKey, RevokeKey, RollKey, SuspendKey},
        expiry::roll_deadline,
        policy::days_text,
    },
    service_account::input::GetAccount,
    user::input::confirm,
};
use leptos::prelude::*;

use super::{
    key_details::{key_at, title_hint},
    key_limits::limits_page,
    key_scopes::scopes_page,
};
use crate::{
    api::{get_account, get_agents},
    as_code::{AsCode, CodeContext},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::{Card, form_card, unfit_card},
        confirm_fields::confirm_fields,
        exposure::exposure_warning,
        field::FormError,
        form_buttons::FormButtons,
        rename_form::rename_form,
        reveal::{KeyHome, reveal_card, reveal_template},
        revoke_key::{key_facts, revoke_words, rotate_words, subject, suspend_words},
        time::{Distance, Exact},
    },
    request::RequestContext,
    words::{
        key_acts as words, labels,
        usage::{self, from_address},
    },
};

/// `/user/api-keys/{key}/{act}`.
pub async fn own_key_act(request: RequestContext) -> Result<AnyView, ApiError> {
    act_page(&request, "/user/api-keys", "/user/api-keys").await
}

/// `/team/service-accounts/{account}/keys/{key}/{act}`.
pub async fn account_key_act(request: RequestContext) -> Result<AnyView, ApiError> {
    let account = get_account(GetAccount { account: request.id("account")? }).await?;
    let back = format!("/team/service-accounts/{}", account.id);
    act_page(&request, &format!("{back}/keys"), &back).await
}

/// `base`: the path that precedes the key's id in the paths of its pages. `back`: the page after Cancel or success.
async fn act_page(request: &RequestContext, base: &str, back: &str) -> Result<AnyView, ApiError> {
    let act = KeyAct::from_code(request.param("act")).ok_or_else(ApiError::not_found)?;
    let (key, now) = (key_at(request.id("key")?, base).await?, request.services.now());
    let home = KeyHome { base, list: back, public_url: &request.public_url };
    let title = format!("{}{}", act.title(key.name.as_str()), title_hint(&key));
    request.set_title_in(key.tenant_name.as_str(), &title);
    // A key that was just rotated can't be rotated again, so this comes before the check: the page shows the new token.
    if let Some(created) = request.form.created_key() {
        return Ok(reveal_card(created, home));
    }
    if key.tenant_id != request.actor()?.tenant_id() {
        let title = format!("{} ({}…)", key.name, key.hint);
        let reason = words::key_of_another_tenant(&key.tenant_name);
        return Ok(unfit_card(request, title, reason, (&key.page_path(), labels::back())));
    }
    if let Err(unfit) = act.fits(&key, now) {
        let title = format!("{} ({}…)", key.name, key.hint);
        return Ok(unfit_card(request, title, unfit.to_string(), (back, labels::back())));
    }
    let agents = get_agents(ListAgents { scope: AgentScope::Key(key.id) }).await?;
    let recent = request.services.api_keys().recent(request.actor()?, key.id).await?;
    let (id, code) = (key.id.to_string(), request.code(None)?);
    let hidden = [("key", id.clone())];
    let change = || AsCode::change(&code, act.operation().as_str(), &id, None);
    Ok(match act {
        KeyAct::Revoke => revoke_page(request, &key, (agents, recent), back, &code).await?,
        KeyAct::Suspend => Card {
            title: act.question(key.name.as_str()),
            button: Some(act.label()),
            destroys: false,
            code: change(),
            words: view! {
                {key_facts(&key, &agents, recent.clone(), now)}
                <p>{suspend_words(&key, &recent, now)}</p>
            }
            .into_any(),
            fields: ().into_any(),
        }
        .view::<SuspendKey>(request, &hidden, back),
        KeyAct::Resume => Card {
            title: act.question(key.name.as_str()),
            button: Some(act.label()),
            destroys: false,
            code: change(),
            words: resume_words(&key, now),
            fields: confirm_fields(request).await?,
        }
        .view::<ResumeKey>(request, &hidden, back),
        KeyAct::Roll => {
            let confirm = confirm_fields(request).await?;
            let end = request.services.rolls().renewed_expiry(request.actor()?, key.id).await?;
            roll_page(request, &key, (agents, recent), end, home, &code, confirm)
        }
        KeyAct::FinishRoll => Card {
            title: act.question(key.name.as_str()),
            button: Some(act.label()),
            destroys: true,
            code: change(),
            words: view! {
                {key_facts(&key, &agents, recent, now)}
                <p>{finish_words(&key, now)}</p>
            }
            .into_any(),
            fields: ().into_any(),
        }
        .view::<FinishRoll>(request, &hidden, back),
        KeyAct::ExtendRoll => {
            let choices = GracePeriod::extensions(&key, now);
            let chosen = chosen_overlap(request, &choices);
            extend_card(&key, &choices, chosen, &code, confirm_fields(request).await?, now)
                .view::<ExtendRoll>(request, &hidden, back)
        }
        KeyAct::CancelRoll => Card {
            title: words::undo_this_rotation().to_owned(),
            button: Some(act.label()),
            destroys: true,
            code: change(),
            words: cancel_words(request, &key, now).await?,
            fields: confirm_fields(request).await?,
        }
        .view::<CancelRoll>(request, &hidden, back),
        KeyAct::Rename => {
            let (example, form) = rename_form::<RenameKey>(request, &key.name, &hidden[0], back, &code);
            form_card(act.title(key.name.as_str()), subject(&key), form, example, code.public_url.clone())
        }
        KeyAct::Scopes => scopes_page(request, &key, back, &code).await?,
        KeyAct::Limits => limits_page(request, &key, back, &code).await?,
    })
}

/// The confirmation of revoking a key, which can also revoke the keys that were created with it.
async fn revoke_page(
    request: &RequestContext,
    key: &ApiKey,
    (agents, recent): (Vec<Agent>, Recent),
    back: &str,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
    let (id, now) = (key.id.to_string(), request.services.now());
    let keys = request.services.api_keys();
    let created = keys.created_keys(request.actor()?, key.id).await?;
    let own = keys.open_invitations(request.actor()?, key.id, false).await?;
    let mut of_created = keys.open_invitations(request.actor()?, key.id, true).await?;
    of_created.retain(|invitation| !own.iter().any(|one| one.id == invitation.id));
    let and_created = request.typed("and_created") == "true";
    let card = Card {
        title: KeyAct::Revoke.question(key.name.as_str()),
        button: Some(KeyAct::Revoke.label()),
        destroys: true,
        code: AsCode::revoke_key(code, &id, and_created),
        words: view! {
            {key_facts(key, &agents, recent.clone(), now)}
            {successor_words(key)}
            <p>{revoke_words(key, &recent, now)}</p>
            {cancelled_invitations(&own)}
        }
        .into_any(),
        fields: created_field(created, &of_created, and_created, now),
    };
    Ok(card.view::<RevokeKey>(request, &[("key", id)], back))
}

/// `chosen`: the code of the new grace period. `confirm`: the fields that confirm the person's identity.
fn extend_card(
    key: &ApiKey,
    choices: &[(&'static str, &'static str)],
    chosen: &'static str,
    code: &CodeContext,
    confirm: AnyView,
    now: DateTime<Utc>,
) -> Card {
    let until = key.overlap_until(now);
    let explanation = until.map(|at| {
        view! { <p>{words::old_key_expires_on(view! { <Exact at /> })}</p> }
    });
    Card {
        title: KeyAct::ExtendRoll.question(key.name.as_str()),
        button: Some(KeyAct::ExtendRoll.label()),
        destroys: false,
        code: AsCode::change(code, "extend_roll", &key.id.to_string(), Some(("overlap", chosen))),
        words: view! {
            {subject(key)}
            {explanation}
        }
        .into_any(),
        fields: view! {
            {overlap_field(choices, chosen)}
            {confirm}
        }
        .into_any(),
    }
}

/// What ending the old key does.
fn finish_words(old: &ApiKey, now: DateTime<Utc>) -> &'static str {
    if old.state(now).is_valid() { words::finishing_stops_it() } else { words::finishing_a_suspended_key() }
}

/// What undoing a rotation does to the old and the new key.
async fn cancel_words(request: &RequestContext, old: &ApiKey, now: DateTime<Utc>) -> Result<AnyView, ApiError> {
    let Some(new) = &old.replaced_by else { return Ok(().into_any()) };
    let (actor, keys) = (request.actor()?, request.services.api_keys());
    let (new, recent) = (keys.get(actor, new.id).await?, keys.recent(actor, new.id).await?);
    let what =
        if new.revocation.is_some() { words::new_key_was_already_revoked() } else { words::new_key_is_revoked() };
    Ok(view! {
        {subject(old)}
        <p>{what}</p>
        <h2>{words::new_key()}</h2>
        {key_facts(&new, &[], recent, now)}
    }
    .into_any())
}

/// States that the replacement of a rotated key isn't revoked with it.
fn successor_words(key: &ApiKey) -> Option<AnyView> {
    let new = key.replaced_by.as_ref().filter(|new| !new.is_revoked)?;
    let hint = view! { <code>{new.hint.clone()}"…"</code> };
    Some(view! { <p>{words::replacement_stays_active(hint)}</p> }.into_any())
}

/// The open invitations that are cancelled with the key.
fn cancelled_invitations(open: &[Invitation]) -> Option<AnyView> {
    if open.is_empty() {
        return None;
    }
    Some(
        view! {
            <p>{words::invitations_are_cancelled(open.len())}</p>
            {invitation_list(open)}
        }
        .into_any(),
    )
}

/// Lists invitations by their email addresses and roles.
pub(super) fn invitation_list(open: &[Invitation]) -> AnyView {
    let items = open.iter().map(|one| {
        view! {
            <li>
                <span translate="no">{one.email.as_str().to_owned()}</span>
                {format!(" · {}", one.role.label())}
            </li>
        }
    });
    view! { <ul class="plain-list">{items.collect_view()}</ul> }.into_any()
}

/// The checkbox that also revokes the keys a key has created, with the last use of each. `keys`: the active ones.
/// `open`: the open invitations that these keys created, which are cancelled with them.
fn created_field(keys: Vec<ApiKey>, open: &[Invitation], chosen: bool, now: DateTime<Utc>) -> AnyView {
    let invitations = (!open.is_empty()).then(|| {
        view! {
            <p>{words::revoking_cancels_invitations()}</p>
            {invitation_list(open)}
        }
    });
    let used = |key: &ApiKey| {
        view! {
            {key.name.to_string()}
            " "
            <code>{key.hint.clone()}"…"</code>
            {use_of(key, now)}
        }
    };
    let (question, list) = match keys.as_slice() {
        [] => return ().into_any(),
        [one] => (words::also_revoke_the_key(used(one)), None),
        some => {
            let question = words::also_revoke_the_keys(some.len());
            let items = some.iter().map(|key| view! { <li>{used(key)}</li> }).collect_view();
            (
                question.into_any(),
                Some(view! {
                    <ul id="made-keys" class="plain-list">
                        {items}
                    </ul>
                }),
            )
        }
    };
    let described = list.is_some().then_some("made-keys");
    view! {
        <label class="check">
            <input type="checkbox" name="and_created" value="true" checked=chosen aria-describedby=described />
            <span>{question}</span>
        </label>
        {list}
        {invitations}
    }
    .into_any()
}

/// " · last used 3 minutes ago from 192.0.2.1".
fn use_of(key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    let Some(last) = key.last_used.clone() else { return usage::not_used().into_any() };
    usage::last_used(view! { <Distance at=last.at now /> }, from_address(last.address.as_deref()))
}

/// The code of the submitted grace period, if it is one of `choices`. Otherwise the default or, where the default isn't
/// offered, the first choice.
fn chosen_overlap(request: &RequestContext, choices: &[(&'static str, &'static str)]) -> &'static str {
    let typed = request.typed("overlap");
    let codes = || choices.iter().map(|(code, _)| *code);
    let by_service = codes().find(|code| *code == GracePeriod::DEFAULT).or(codes().next());
    codes().find(|code| *code == typed).or(by_service).unwrap_or(GracePeriod::DEFAULT)
}

fn overlap_field(choices: &[(&'static str, &'static str)], chosen: &str) -> AnyView {
    let choices = choices.iter().map(|(word, label)| {
        view! {
            <label class="choice">
                <input type="radio" name="overlap" value=*word checked=*word == chosen />
                <span>{*label}</span>
            </label>
        }
    });
    view! {
        <fieldset class="field">
            <legend>{words::keep_the_old_key_working_for()}</legend>
            <div class="choices">{choices.collect_view()}</div>
        </fieldset>
    }
    .into_any()
}

/// The form that rotates a key. `end`: when the new key expires; `None` for never.
fn roll_page(
    request: &RequestContext,
    key: &ApiKey,
    (agents, recent): (Vec<Agent>, Recent),
    end: Option<DateTime<Utc>>,
    home: KeyHome,
    code: &CodeContext,
    confirm: AnyView,
) -> AnyView {
    let back = home.list;
    let error = Signal::stored(request.form.error.clone());
    let now = request.services.now();
    let chosen = chosen_overlap(request, &GracePeriod::CHOICES);
    let wait = request.typed("wait");
    let options = ["1", "7", "30", "90"].map(|days| {
        let label = days.parse().map(days_text);
        let chosen = if wait.is_empty() { days == "7" } else { days == wait };
        view! {
            <option value=days selected=chosen>
                {label.unwrap_or_default()}
            </option>
        }
    });
    let deadline = (chosen == "first_use").then(|| roll_deadline(&wait, now));
    let example = AsCode::roll_key(code, &key.id.to_string(), chosen, deadline.as_deref());
    let life = new_life(key, end, now);
    let hidden = [("key", key.id.to_string()), ("idempotency_key", request.idempotency_key())];
    let contents = view! {
        <FormError error fields=&confirm::FIELDS />
        {overlap_field(&GracePeriod::CHOICES, chosen)}
        <div class="field first-use">
            <label for="wait">{words::but_no_longer_than()}</label>
            <select id="wait" name="wait">
                {options.into_iter().collect_view()}
            </select>
        </div>
        {confirm}
        <FormButtons cancel=back label=KeyAct::Roll.label() />
    };
    view! {
        <div class="card">
            <h1 id="card-title">{KeyAct::Roll.title(key.name.as_str())}</h1>
            {key_facts(key, &agents, recent.clone(), now)}
            <p>{rotate_words(key, &recent, now)}</p>
            <p>{life}</p>
            {act_form::<RollKey>(request, back, &hidden, contents.into_any())}
            {reveal_template(true, false, home)}
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}

/// When the new key expires, and what determines that.
fn new_life(old: &ApiKey, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> AnyView {
    let Some(end) = end else { return words::new_key_never_expires().into_any() };
    // An expiry has whole seconds, so the difference is less than the lifetime by up to one.
    let days = (end - now + TimeDelta::seconds(1)).num_days();
    let is_as_long = old.expires_at.is_some_and(|at| end + TimeDelta::minutes(1) >= now + (at - old.created_at));
    words::new_key_expires_on(view! { <Exact at=end /> }, is_as_long, days)
}

fn resume_words(key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    let effect =
        if key.owner_suspended_at.is_some() { words::its_account_is_suspended_too() } else { words::key_works_again() };
    let by = key.suspension.as_ref().map(|suspension| words::it_was_suspended_by(&suspension.by));
    view! {
        {subject(key)}
        {exposure_warning(key, now)}
        <p>{effect}</p>
        {by.map(|by| view! { <p>{by}</p> })}
    }
    .into_any()
}
