//! The pages that do something with one key: revoke, suspend, resume, rename, roll.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Agent, AgentScope, ApiError, ApiKey, ErrorCode, KeyId, Operation, Overlap, Recent, ServiceAccountId};
use leptos::prelude::*;
use service::unfit_key;

use super::{
    api_keys::{is_conflict, reveal_page},
    form_id,
    key_details::key_at,
    page, path_id, path_word,
};
use crate::{
    as_code::{AsCode, CodeContext},
    components::{
        address::from_address,
        as_code::CodeFold,
        confirm_fields::{CONFIRM_FIELDS, confirm_fields},
        field::{Field, FormError},
        revoke_key::{RevokeWords, STOPS, UseWords, stop_words, subject},
        time::Moment,
    },
    expiry_choice::roll_deadline,
    request::{RequestContext, context},
};

/// `/user/api-keys/{key}/{act}`.
#[component]
pub fn OwnKeyAct() -> impl IntoView {
    let (request, key, act) = (context(), path_id::<KeyId>("key"), path_word("act"));
    page("API key", async move { act_page(&request, key?, &act, "/user/api-keys", "/user/api-keys").await })
}

/// `/team/service-accounts/{account}/keys/{key}/{act}`.
#[component]
pub fn AccountKeyAct() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    let (account, key) = (path_id::<ServiceAccountId>("account"), path_id::<KeyId>("key"));
    page("API key", async move {
        let account = request.services.service_accounts().get(request.actor()?, account?).await?;
        let back = format!("/team/service-accounts/{}", account.id);
        act_page(&request, key?, &act, &format!("{back}/keys"), &back).await
    })
}

/// `base`: the path below which the key's own pages stand. `back`: where Cancel leads.
async fn act_page(
    request: &RequestContext,
    key: KeyId,
    act: &str,
    base: &str,
    back: &str,
) -> Result<AnyView, ApiError> {
    let (key, now) = (key_at(request, key, base).await?, request.services.now());
    // A roll that was just done doesn't fit a second time; its page shows the token.
    if request.form.issued.is_none()
        && let Some(reason) = operation_of(act).and_then(|operation| unfit_key(operation, &key, now))
    {
        let title = format!("The API key {} ({}…)", key.name, key.hint);
        return Ok(unfit_card(request, title, reason, (back, "Back")));
    }
    let agents = request.services.agents().list(request.actor()?, AgentScope::Key(key.id)).await?;
    let recent = request.services.api_keys().recent(request.actor()?, key.id).await?;
    let (id, code) = (key.id.to_string(), request.code(None).await?);
    let url = code.public_url.clone();
    Ok(match act {
        "revoke" => {
            let living = request.services.api_keys().offspring(request.actor()?, key.id).await?;
            let and_created = request.form.value("and_created") == "yes";
            Card {
                title: format!("Revoke the API key {}?", key.name),
                button: Some("Revoke"),
                destroys: true,
                code: AsCode::revoke_key(&code, &id, and_created),
                words: view! { {successor_words(&key)}<RevokeWords key agents recent now /> }.into_any(),
                fields: created_field(living, and_created, now),
            }
            .view(request, back, url)
        }
        "suspend" => Card {
            title: format!("Suspend the API key {}?", key.name),
            button: Some("Suspend"),
            destroys: true,
            code: AsCode::change(&code, "suspend_api_key", &id, None),
            words:
                view! { <UseWords key=key.clone() agents recent now /><p>"It can be resumed later, with the same token."</p> }
                    .into_any(),
            fields: ().into_any(),
        }
        .view(request, back, url),
        "resume" => Card {
            title: format!("Resume the API key {}?", key.name),
            button: Some("Resume"),
            destroys: false,
            code: AsCode::change(&code, "resume_api_key", &id, None),
            words: resume_words(&key),
            fields: ().into_any(),
        }
        .view(request, back, url),
        "roll" => {
            let confirm = confirm_fields(request).await?;
            let end = request.services.rolls().renewed_expiry(request.actor()?, key.id).await?;
            roll_page(request, &key, (agents, recent), end, back, &code, confirm)
        }
        "finish-roll" => Card {
            title: format!("Finish the roll of {}?", key.name),
            button: Some("Finish now"),
            destroys: true,
            code: AsCode::change(&code, "finish_roll", &id, None),
            words: view! { <p>{finish_words(&key, now)}</p><UseWords key agents recent now /> }.into_any(),
            fields: ().into_any(),
        }
        .view(request, back, url),
        "extend-roll" => {
            extend_card(&key, chosen_overlap(request, &later_ends(&key, now)), &code, confirm_fields(request).await?, now)
                .view(request, back, url)
        }
        "cancel-roll" => Card {
            title: format!("Take the roll of {} back?", key.name),
            button: Some("Take back"),
            destroys: true,
            code: AsCode::change(&code, "cancel_roll", &id, None),
            words: cancel_words(request, &key, now).await?,
            fields: confirm_fields(request).await?,
        }
        .view(request, back, url),
        "rename" => rename_page(request, key, back, url).await?,
        _ => return Err(ApiError::not_found()),
    })
}

/// What a page does, by its word.
fn operation_of(act: &str) -> Option<Operation> {
    Some(match act {
        "revoke" => Operation::RevokeApiKey,
        "suspend" => Operation::SuspendApiKey,
        "resume" => Operation::ResumeApiKey,
        "rename" => Operation::RenameApiKey,
        "roll" => Operation::RollApiKey,
        "finish-roll" => Operation::FinishRoll,
        "extend-roll" => Operation::ExtendRoll,
        "cancel-roll" => Operation::CancelRoll,
        _ => return None,
    })
}

/// `chosen`: the word of the new end. `confirm`: the fields that ask who it is.
fn extend_card(key: &ApiKey, chosen: &'static str, code: &CodeContext, confirm: AnyView, now: DateTime<Utc>) -> Card {
    let (choices, until) = (later_ends(key, now), key.overlap_until(now));
    let words = until.map(|at| view! { <p>"The old token ends "<Moment at now />"."</p> });
    let fields = if choices.is_empty() {
        view! { <p>"It works for 7 days more already. Come again when less is left."</p> }.into_any()
    } else {
        view! { {overlap_field(&choices, chosen)}{confirm} }.into_any()
    };
    Card {
        title: format!("Extend the overlap of {}?", key.name),
        button: (!choices.is_empty()).then_some("Extend"),
        destroys: false,
        code: AsCode::change(code, "extend_roll", &key.id.to_string(), Some(("overlap", chosen))),
        words: view! { {subject(key)}{words}<p>"A new end is counted from now. The old token never works longer than it would have without the roll."</p> }
            .into_any(),
        fields,
    }
}

fn finish_words(old: &ApiKey, now: DateTime<Utc>) -> &'static str {
    if old.state(now).is_good() {
        "The old token is refused from the next request on, for good."
    } else {
        "The old token is suspended. It ends for good."
    }
}

/// What taking a roll back does to both keys.
async fn cancel_words(request: &RequestContext, old: &ApiKey, now: DateTime<Utc>) -> Result<AnyView, ApiError> {
    let Some(new) = &old.replaced_by else { return Ok(().into_any()) };
    let (actor, keys) = (request.actor()?, request.services.api_keys());
    let (new, recent) = (keys.get(actor, new.id).await?, keys.recent(actor, new.id).await?);
    let what = if new.revoked_at.is_some() {
        "The new token was revoked already. The old one is as it was before the roll."
    } else {
        "The new token is revoked, and the old one is as it was before the roll."
    };
    let stops = stop_words(&new, recent, now, STOPS);
    Ok(view! { {subject(old)}<p>{what}</p><h2>"The new one"</h2>{subject(&new)}{stops} }.into_any())
}

/// That a key which was rolled has a successor, which isn't touched.
fn successor_words(key: &ApiKey) -> Option<AnyView> {
    let new = key.replaced_by.as_ref().filter(|new| !new.is_revoked)?;
    Some(
        view! { <p>"It was rolled: the key "<code>{new.hint.clone()}"…"</code>", which took its place, isn't revoked along."</p> }
            .into_any(),
    )
}

/// The choice to revoke along what a key has made, with the last use of each; `keys`: those that live.
fn created_field(keys: Vec<ApiKey>, chosen: bool, now: DateTime<Utc>) -> AnyView {
    let used = |key: &ApiKey| view! { {key.name.to_string()}" "<code>{key.hint.clone()}"…"</code>{use_of(key, now)} };
    let (words, list) = match keys.as_slice() {
        [] => return ().into_any(),
        [one] => (view! { "Revoke the key that it made along: "{used(one)} }.into_any(), None),
        some => {
            let words = format!("Revoke the {} keys that it made along, and what those made:", some.len());
            let items = some.iter().map(|key| view! { <li>{used(key)}</li> }).collect_view();
            (words.into_any(), Some(view! { <ul id="made-keys" class="plain-list">{items}</ul> }))
        }
    };
    let described = list.is_some().then_some("made-keys");
    view! {
        <label class="check"><input type="checkbox" name="and_created" value="yes" checked=chosen aria-describedby=described /><span>{words}</span></label>
        {list}
    }
    .into_any()
}

/// ", last used 3 minutes ago from 192.0.2.1".
fn use_of(key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    let Some(last) = key.last_used.clone() else { return ", never used".into_any() };
    let address = from_address(last.address.as_deref());
    view! { ", last used "<Moment at=last.at now />{address} }.into_any()
}

/// The word that was chosen; a day, when none of them was, or where a day isn't offered the first.
fn chosen_overlap(request: &RequestContext, choices: &[(&'static str, &'static str)]) -> &'static str {
    let typed = request.form.value("overlap");
    let words = || choices.iter().map(|(word, _)| *word);
    let by_itself = words().find(|word| *word == "24h").or(words().next());
    words().find(|word| *word == typed).or(by_itself).unwrap_or("24h")
}

/// What a roll can be extended by: of the choices, all with an end of their own that is later than the present one.
fn later_ends(key: &ApiKey, now: DateTime<Utc>) -> Vec<(&'static str, &'static str)> {
    let end = key.overlap_until(now);
    let is_later = |word: &str| match Overlap::parse(word, None, now) {
        Err(_) | Ok(Overlap::FirstUse { .. }) => false,
        Ok(overlap) => overlap.until(now) > end,
    };
    Overlap::CHOICES.into_iter().filter(|(word, _)| is_later(word)).collect()
}

fn overlap_field(choices: &[(&'static str, &'static str)], chosen: &str) -> AnyView {
    let choices = choices.iter().map(|(word, label)| {
        view! { <label class="choice"><input type="radio" name="overlap" value=*word checked=*word == chosen /><span>{*label}</span></label> }
    });
    view! { <fieldset class="field"><legend>"How long the old token still works"</legend><div class="choices">{choices.collect_view()}</div></fieldset> }
        .into_any()
}

/// The form that rolls; or the new token, when it has. `end`: the new key's.
fn roll_page(
    request: &RequestContext,
    key: &ApiKey,
    (agents, recent): (Vec<Agent>, Recent),
    end: Option<DateTime<Utc>>,
    back: &str,
    code: &CodeContext,
    confirm: AnyView,
) -> AnyView {
    if let Some(issued) = request.form.issued.clone() {
        return reveal_page("The API key has been rolled", issued, request.public_url.clone(), back.to_owned());
    }
    let error = Signal::stored(request.form.error.clone());
    let now = request.services.now();
    let chosen = chosen_overlap(request, &Overlap::CHOICES);
    let repeated = request.form.value("idempotency_key");
    let form_id = if repeated.is_empty() || is_conflict(request) { form_id() } else { repeated };
    let waits = [("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days")];
    let wait = request.form.value("wait");
    let waits = waits.map(|(days, label)| {
        let chosen = if wait.is_empty() { days == "7" } else { days == wait };
        view! { <option value=days selected=chosen>{label}</option> }
    });
    let deadline = (chosen == "first_use").then(|| roll_deadline(&wait, now));
    let example = AsCode::roll_key(code, &key.id.to_string(), chosen, deadline.as_deref());
    let life = new_life(key, end, now);
    view! {
        <div class="card">
            <h1 id="card-title">{format!("Roll the API key {}", key.name)}</h1>
            <p>"You get a new token of the same name and rights. Put it where the old one is used while both work. "{life}</p>
            <UseWords key=key.clone() agents recent now then="What uses it needs the new token before the old one ends." />
            <form method="post">
                <input type="hidden" name="idempotency_key" value=form_id />
                <FormError error fields=&CONFIRM_FIELDS />
                {overlap_field(&Overlap::CHOICES, chosen)}
                <div class="field first-use"><label for="wait">"Until its first use, and at the latest after"</label><select id="wait" name="wait">{waits.into_iter().collect_view()}</select></div>
                {confirm}
                <div class="buttons"><a class="button" href=back.to_owned() data-close="">"Cancel"</a><button type="submit" class="button primary">"Roll"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}

/// When the new key ends, and why then.
fn new_life(old: &ApiKey, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let Some(end) = end else { return "The new key never expires, as this one.".to_owned() };
    let is_as_long = old.expires_at.is_some_and(|at| end + TimeDelta::minutes(1) >= now + (at - old.created_at));
    let why = if is_as_long { "as long after its making as this one" } else { "no later, by a policy of the tenant" };
    format!("The new key expires on {}: {why}.", domain::time::utc_text(end))
}

fn resume_words(key: &ApiKey) -> AnyView {
    let by = key.suspended_by.as_deref().map(|by| format!(" It was suspended by {by}.")).unwrap_or_default();
    let words = if key.owner_suspended_at.is_some() {
        "The service account is suspended too: the token works again once both are resumed."
    } else {
        "Its token works again from the next request on."
    };
    view! { {subject(key)}<p>{format!("{words}{by}")}</p> }.into_any()
}

async fn rename_page(request: &RequestContext, key: ApiKey, back: &str, url: String) -> Result<AnyView, ApiError> {
    let typed = request.form.value("name");
    let name = if typed.is_empty() { key.name.to_string() } else { typed };
    let example =
        AsCode::change(&request.code(None).await?, "rename_api_key", &key.id.to_string(), Some(("name", &name)));
    let error = Signal::stored(request.form.error.clone());
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Rename the API key"</h1>
            {subject(&key)}
            <form method="post">
                <FormError error fields=&["name"] />
                <Field name="name" label="API Key Name" value=name hint="The token stays the same." autofocus=true error />
                <div class="buttons"><a class="button" href=back.to_owned() data-close="">"Cancel"</a><button type="submit" class="button primary">"Rename"</button></div>
            </form>
            <CodeFold code=example public_url=url />
        </div>
    }
    .into_any())
}

/// A page in the place of one that doesn't fit: why, and the way back. A form that was sent all the same has the service's
/// own words. The way is a plain link in a dialog too, since the page below is of earlier.
pub fn unfit_card(
    request: &RequestContext,
    title: String,
    reason: String,
    (back, label): (&str, &'static str),
) -> AnyView {
    let refusal = request.form.error.as_ref().filter(|error| error.code == ErrorCode::Conflict);
    let role = refusal.map(|_| "alert");
    let words = refusal.map_or(reason, |error| error.message.clone());
    view! {
        <div class="card" data-light="">
            <h1 id="card-title">{title}</h1>
            <p role=role>{words}</p>
            <div class="buttons"><a class="button" href=back.to_owned() autofocus>{label}</a></div>
        </div>
    }
    .into_any()
}

/// A page that asks before something is done.
pub struct Card {
    /// The question.
    pub title: String,
    /// The word on the button; none when there is nothing to do any more.
    pub button: Option<&'static str>,
    /// Whether something stops.
    pub destroys: bool,
    /// The same by program.
    pub code: AsCode,
    /// What it will do.
    pub words: AnyView,
    /// What can be chosen.
    pub fields: AnyView,
}

impl Card {
    /// The card. `back`: where Cancel leads.
    pub fn view(self, request: &RequestContext, back: &str, public_url: String) -> AnyView {
        let error = Signal::stored(request.form.error.clone());
        let class = if self.destroys { "button destroy" } else { "button primary" };
        let button = self.button.map(|word| view! { <button type="submit" class=class>{word}</button> });
        view! {
            <div class="card" data-light="">
                <h1 id="card-title">{self.title}</h1>
                {self.words}
                <FormError error fields=&CONFIRM_FIELDS />
                <form method="post">
                    {self.fields}
                    <div class="buttons"><a class="button" href=back.to_owned() data-close="" autofocus>"Cancel"</a>{button}</div>
                </form>
                <CodeFold code=self.code public_url />
            </div>
        }
        .into_any()
    }
}
