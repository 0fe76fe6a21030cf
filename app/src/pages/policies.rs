//! Team > Settings > Policies: the tenant's key policies. Before a policy is turned on, its page previews the affected
//! keys.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, ExposureResponse, KeyPolicy, KeyPolicyKind, ScopeSet,
    api_key::{
        expiry::first_instant,
        input::{ClearKeyPolicy, ListKeyPolicies, PreviewKeyPolicy, SetKeyPolicy},
        policy::{DEFAULT_KEY_LIMIT, KeyPolicyPreview, days_text, is_loosened_by, keys_text, revision},
    },
    scope::ListScopes,
    time::utc_text,
    user::input::confirm,
};
use leptos::prelude::*;

use crate::{
    api::{list_key_policies, list_scopes, preview_key_policy},
    as_code::AsCode,
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::{Card, unfit_card},
        confirm_fields::confirm_fields,
        field::{Field, FieldError, FormError},
        time::{Dated, Distance},
    },
    list_url::encode,
    request::RequestContext,
    words::{exposure, labels, policies as words, scopes, usage},
};

const SETTINGS: &str = "/team/settings";
/// The names of the fields with a policy's values.
const VALUES: [&str; 5] = ["days", "limit", "on_exposure", "scopes", "from"];

/// The table of policies on the settings page. `on`: the policies that are set, in effect or not yet.
pub fn policy_list(on: &[KeyPolicy], now: DateTime<Utc>) -> AnyView {
    let rows = KeyPolicyKind::ALL.map(|kind| {
        let set: Vec<_> = on.iter().filter(|policy| policy.kind == kind).collect();
        let path = format!("{SETTINGS}/policies/{}", kind.as_str());
        let state = match set.as_slice() {
            [] => view! { <span class="chip">{labels::off()}</span> }.into_any(),
            some => some.iter().map(|policy| policy_state(policy, now)).collect_view().into_any(),
        };
        let off = (!set.is_empty()).then(|| {
            view! {
                <a class="button small" href=format!("{path}/off") data-dialog="">
                    {labels::turn_off()}
                </a>
            }
        });
        let (label, name) = if set.is_empty() {
            (words::configure(), words::configure_the_policy(&kind.label()))
        } else {
            (labels::change(), words::change_the_policy(&kind.label()))
        };
        view! {
            <tr>
                <th scope="row" data-label=labels::policy()>
                    <span class="name">{kind.label()}</span>
                    <span class="sub">{kind.meaning()}</span>
                </th>
                <td data-label=labels::state()>{state}</td>
                <td class="actions wide-actions">
                    <a class="button small" href=path aria-label=name>
                        {label}
                    </a>
                    " "
                    {off}
                </td>
            </tr>
        }
    });
    view! {
        <section aria-labelledby="policies-title">
            <h2 id="policies-title">{labels::policies()}</h2>
            <table class="table" aria-label=labels::policies()>
                <thead>
                    <tr>
                        <th scope="col">{labels::policy()}</th>
                        <th scope="col">{labels::state()}</th>
                        <th scope="col">
                            <span class="visually-hidden">{labels::actions()}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

/// "On · 30 days" or "From 19 Dec 2026", and who set the policy.
fn policy_state(policy: &KeyPolicy, now: DateTime<Utc>) -> AnyView {
    let from = Dated::day(policy.effective_from);
    let (class, start) = if policy.is_in_effect(now) {
        ("chip chip-active", labels::on().to_owned())
    } else {
        ("chip chip-suspended", words::from(&from.text))
    };
    let response = || policy.on_exposure.map(|response| response.label().to_owned());
    let text = match policy.days.map(days_text).or(policy.limit.map(keys_text)).or_else(response) {
        None => start,
        Some(number) => format!("{start} · {number}"),
    };
    let scopes = (!policy.scopes.is_empty()).then(|| view! { <code class="sub">{policy.scopes.to_string()}</code> });
    view! {
        <div>
            <span class=class title=utc_text(policy.effective_from) data-date=from.attribute>
                {text}
            </span>
            {scopes}
            <span class="sub">{words::set_by(&policy.set_by)}</span>
        </div>
    }
    .into_any()
}

/// `/team/settings/policies/{policy}`. The values are a form of their own, which only previews them: the script does so
/// with every change, and without script a button does. The form that sets the policy is part of the preview and sends
/// the previewed values.
pub async fn policy(request: RequestContext) -> Result<AnyView, ApiError> {
    let kind = KeyPolicyKind::from_code(request.param("policy")).ok_or_else(ApiError::not_found)?;
    let now = request.services.now();
    let set = list_key_policies(ListKeyPolicies {}).await?.into_iter().filter(|policy| policy.kind == kind);
    let set: Vec<_> = set.collect();
    let present = set.iter().find(|policy| policy.is_in_effect(now)).cloned();
    let input = shown_values(&request, kind, set.last(), now);
    let (preview, error) = preview_or_error(&input).await?;
    request.set_title(&words::title(&kind.label()));
    let from = first_instant(&input.from);
    let value = values_of(&input).into_iter().find(|(_, value)| !value.is_empty());
    let is_valid = |value: &str| value.parse::<u32>().is_ok() || ExposureResponse::from_code(value).is_some();
    let value = value.filter(|(_, value)| is_valid(value));
    let scopes = ScopeSet::parse(&input.scopes).unwrap_or_default();
    let code = AsCode::set_policy(&request.code(None)?, &input.policy, value, &scopes, from.as_deref());
    let is_asked = is_asked(&request);
    let is_previewed = preview.is_some() && is_asked;
    let below = match preview {
        Some(preview) => {
            let confirm =
                if is_loosened_by(&set, &preview.policy) { confirm_fields(&request).await? } else { ().into_any() };
            let before = revision(&set, kind);
            preview_view(&request, preview, (present, before), &input, confirm, now)
        }
        // The script replaces the preview only. Without script, the error is at its field.
        None => no_preview(error.as_ref().filter(|_| !is_asked && is_typed(&request))),
    };
    let error = error.filter(|_| is_asked);
    let known = if kind.has_scopes() { known_scopes().await? } else { Vec::new() };
    Ok(view! {
        <p class="crumb">
            <a href=SETTINGS>{labels::settings()}</a>
        </p>
        <h1>{kind.label()}</h1>
        <p class="lead">{kind.meaning()}</p>
        {values_form(&request, kind, &input, is_previewed, &known, error)}
        <div id="policy-preview" aria-live="polite">
            {below}
            <CodeFold code public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

/// The scopes of the catalogue.
async fn known_scopes() -> Result<Vec<String>, ApiError> {
    let catalogue = list_scopes(ListScopes {}).await?;
    Ok(catalogue.iter().map(|entry| entry.scope.to_string()).collect())
}

/// The names and values of the fields that only some kinds have.
fn values_of(input: &SetKeyPolicy) -> [(&'static str, &str); 4] {
    [("days", &input.days), ("limit", &input.limit), ("on_exposure", &input.on_exposure), ("scopes", &input.scopes)]
}

/// The form with the policy's values. Without script, the values that are previewed can't be edited below their own
/// preview, so that nobody sets others than they see. `is_previewed`: whether the preview of typed values is shown. `known`: the scopes
/// of the catalogue.
fn values_form(
    request: &RequestContext,
    kind: KeyPolicyKind,
    input: &SetKeyPolicy,
    is_previewed: bool,
    known: &[String],
    error: Option<ApiError>,
) -> AnyView {
    let error = Signal::stored(error);
    let number = |name: &'static str, label: &'static str, value: &str, hint: &str| {
        let (value, hint) = (value.to_owned(), hint.to_owned());
        view! { <Field name label kind="number" value hint inputmode="numeric" error /> }
    };
    let days = kind.has_days().then(|| number("days", words::days(), &input.days, &words::days_hint()));
    let limit = kind.has_limit().then(|| number("limit", words::keys(), &input.limit, &words::keys_hint()));
    let scopes = kind.has_scopes().then(|| {
        let hint = scopes::scopes_of_policy_hint(known);
        view! { <Field name="scopes" label=scopes::scopes() value=input.scopes.clone() hint error /> }
    });
    let response = kind.has_response().then(|| response_field(&input.on_exposure, error));
    let path = request.path().to_owned();
    let values: Vec<_> = values_of(input).map(|(name, value)| format!("{name}={}&", encode(value))).into();
    let change = format!("{path}?{}from={}", values.concat(), encode(&input.from));
    let class = if is_previewed { "filters script-only" } else { "filters" };
    let shown = is_previewed.then(|| {
        view! {
            <p class="without-script">
                {words::shown_words(input)} " " <a class="button small" href=change>
                    {labels::change()}
                </a>
            </p>
        }
    });
    view! {
        <form method="get" action=path class=class data-live="policy-preview">
            <FormError error fields=&VALUES />
            {days}
            {limit}
            {scopes}
            {response}
            {from_field(input.from.clone(), error)}
            <button type="submit" name="preview" value="yes" class="button without-script">
                {words::preview()}
            </button>
        </form>
        {shown}
    }
    .into_any()
}

/// The preview of the form's values, or why they are invalid.
async fn preview_or_error(input: &SetKeyPolicy) -> Result<(Option<KeyPolicyPreview>, Option<ApiError>), ApiError> {
    match preview_key_policy(PreviewKeyPolicy { policy: input.clone() }).await.map_err(ApiError::from) {
        Ok(preview) => Ok((Some(preview), None)),
        // The service's message asks for a timestamp; this field takes a day.
        Err(error) if error.at("from").is_some() => Ok((None, Some(ApiError::field("from", words::enter_a_date())))),
        Err(error) if error.code == ErrorCode::BadUserInput => Ok((None, Some(error))),
        Err(error) => Err(error),
    }
}

/// Whether the preview was asked for with the button, as without script.
fn is_asked(request: &RequestContext) -> bool {
    !request.query("preview").is_empty()
}

/// Whether the values come from the form.
fn is_typed(request: &RequestContext) -> bool {
    VALUES.iter().any(|field| request.query_all(field).next().is_some())
}

/// Shown instead of the preview: what is wrong with the values that were typed, and the way back.
fn no_preview(error: Option<&ApiError>) -> AnyView {
    let message = error.map(|error| VALUES.iter().find_map(|field| error.at(field)).unwrap_or(&error.message));
    let message = message.map(|message| view! { <p class="error">{message.to_owned()}</p> });
    view! {
        {message}
        <div class="buttons script-only">
            <button type="button" class="button primary" disabled>
                {labels::turn_on()}
            </button>
            <a class="button" href=SETTINGS>
                {labels::cancel()}
            </a>
        </div>
    }
    .into_any()
}

/// The values to show in the form: the typed ones or, by default, those of the policy that is `set`. The effective date
/// is filled in only for a policy that isn't in effect yet.
fn shown_values(
    request: &RequestContext,
    kind: KeyPolicyKind,
    set: Option<&KeyPolicy>,
    now: DateTime<Utc>,
) -> SetKeyPolicy {
    let typed = |name| request.typed(name).trim().to_owned();
    let (mut days, mut limit, mut from) = (typed("days"), typed("limit"), typed("from"));
    let planned = set.filter(|policy| !policy.is_in_effect(now) && !is_typed(request));
    if let Some(policy) = planned
        && from.is_empty()
    {
        from = policy.effective_from.format("%Y-%m-%d").to_string();
    }
    if !kind.has_days() {
        days = String::new();
    } else if days.is_empty() && !is_typed(request) {
        days = match set {
            Some(policy) => policy.days.map(|days| days.to_string()).unwrap_or_default(),
            None => "90".to_owned(),
        };
    }
    if !kind.has_limit() {
        limit = String::new();
    } else if limit.is_empty() && !is_typed(request) {
        limit = set.and_then(|policy| policy.limit).unwrap_or(DEFAULT_KEY_LIMIT).to_string();
    }
    let set_response = set.and_then(|policy| policy.on_exposure).unwrap_or_default();
    let on_exposure = match (kind.has_response(), typed("on_exposure")) {
        (false, _) => String::new(),
        (true, none) if none.is_empty() && !is_typed(request) => set_response.as_str().to_owned(),
        (true, typed) => typed,
    };
    let scopes = match (kind.has_scopes(), request.typed_list("scopes")) {
        (false, _) => String::new(),
        (true, none) if none.is_empty() && !is_typed(request) => {
            set.map(|policy| policy.scopes.to_string()).unwrap_or_default()
        }
        (true, typed) => typed,
    };
    SetKeyPolicy { policy: kind.as_str().to_owned(), days, limit, on_exposure, scopes, from, before: None }
}

/// The field for what happens to an exposed key.
fn response_field(chosen: &str, error: Signal<Option<ApiError>>) -> AnyView {
    let is_wrong = move || error.get().and_then(|error| error.at("on_exposure").map(|_| "true"));
    let cards = ExposureResponse::ALL.map(|response| {
        let code = response.as_str();
        let (name, meaning) = (format!("response-{code}"), format!("response-meaning-{code}"));
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="on_exposure"
                    value=code
                    checked=chosen == code
                    aria-labelledby=name.clone()
                    aria-describedby=format!("{meaning} error-on_exposure")
                    aria-invalid=is_wrong
                />
                <span>
                    <strong id=name>{response.label()}</strong>
                    <span class="sub" id=meaning>
                        {exposure::response_meaning(response)}
                    </span>
                </span>
            </label>
        }
    });
    view! {
        <fieldset class="field roles">
            <legend>{exposure::when_a_key_is_exposed()}</legend>
            <div class="choices">{cards.into_iter().collect_view()}</div>
            <FieldError id="error-on_exposure".to_owned() name="on_exposure" error />
        </fieldset>
    }
    .into_any()
}

/// The field for the first day of the policy, with its error.
fn from_field(from: String, error: Signal<Option<ApiError>>) -> AnyView {
    let is_wrong = move || error.get().and_then(|error| error.at("from").map(|_| "true"));
    view! {
        <div class="field">
            <label for="from">{words::effective_from()}</label>
            <input
                id="from"
                name="from"
                type="date"
                value=from
                aria-describedby="from-hint error-from"
                aria-invalid=is_wrong
            />
            <p class="hint" id="from-hint">
                {words::from_hint()}
            </p>
            <FieldError id="error-from".to_owned() name="from" error />
        </div>
    }
    .into_any()
}

/// The property by which the policy affects a key.
fn deciding_fact(kind: KeyPolicyKind, key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    match kind {
        KeyPolicyKind::MaxLifetime | KeyPolicyKind::ExpiryRequired | KeyPolicyKind::ScopeMaxLifetime => {
            let life = key.expires_at.map(|at| words::lifetime_words(at - key.created_at));
            life.unwrap_or_else(|| words::never_expires().to_owned()).into_any()
        }
        KeyPolicyKind::ServiceAccountsOnly | KeyPolicyKind::ScopesNotForUsers => words::personal_key().into_any(),
        KeyPolicyKind::NoKeysByKeys => words::created_with_a_key().into_any(),
        KeyPolicyKind::SuspendUnused => match &key.last_used {
            None => usage::not_used().into_any(),
            Some(last) => usage::last_used(view! { <Distance at=last.at now /> }, String::new()),
        },
        KeyPolicyKind::MaxKeys | KeyPolicyKind::ExposedKeys => ().into_any(),
        KeyPolicyKind::ScopesRequired => words::may_do_everything().into_any(),
    }
}

/// The keys that the previewed values would affect, and the form that sets the policy. `present`: the policy in effect
/// now. `before`: the [`revision`] of those that are set. `input`: the previewed values, which the form sends. `confirm`: the fields that
/// confirm the person's identity.
fn preview_view(
    request: &RequestContext,
    preview: KeyPolicyPreview,
    (present, before): (Option<KeyPolicy>, String),
    input: &SetKeyPolicy,
    confirm: AnyView,
    now: DateTime<Utc>,
) -> AnyView {
    let KeyPolicyPreview { policy, keys, count } = preview;
    let more = (count as usize > keys.len()).then(|| view! { <li>{words::and_more()}</li> });
    let rows = keys.into_iter().map(|key| {
        let fact = deciding_fact(policy.kind, &key, now);
        view! {
            <li>
                <a href=key.page_path() translate="no">
                    {key.name.to_string()}
                </a>
                " "
                <code translate="no">{key.hint.clone()}"…"</code>
                {format!(" · {}", key.owner_name)}
                {fact}
            </li>
        }
    });
    // The service took the time of the preview after this page took `now`, so the two can't be compared.
    let at_once = input.from.is_empty() || policy.is_in_effect(now);
    let until = present.filter(|_| !at_once).map(|present| {
        view! { <p>{words::current_until_then(&present.sentence())}</p> }
    });
    let button = if before == revision(&[], policy.kind) { labels::turn_on() } else { labels::change() };
    let hidden = [
        ("policy", input.policy.clone()),
        ("days", input.days.clone()),
        ("limit", input.limit.clone()),
        ("on_exposure", input.on_exposure.clone()),
        ("scopes", input.scopes.clone()),
        ("from", input.from.clone()),
        ("before", before),
    ];
    let error = Signal::stored(request.form.error.clone());
    let buttons = view! {
        <FormError error fields=&confirm::FIELDS />
        {confirm}
        <div class="buttons">
            <button type="submit" class="button primary">
                {button}
            </button>
            <a class="button" href=SETTINGS>
                {labels::cancel()}
            </a>
        </div>
    };
    // Without script, the preview comes first. The values could still be edited above this button.
    let class = if is_asked(request) { "" } else { "script-only" };
    view! {
        <section class="roll" aria-labelledby="affected-title">
            <h2 id="affected-title">{words::affected_keys()}</h2>
            <p>{words::affected_words(policy.kind, count)}</p>
            <ul class="plain-list">{rows.collect_view()}{more}</ul>
            <p data-date=Dated::day(policy.effective_from).attribute>{words::effect_words(&policy, at_once)}</p>
            {until}
            <div class=class>{act_form::<SetKeyPolicy>(request, SETTINGS, &hidden, buttons.into_any())}</div>
        </section>
    }
    .into_any()
}

/// `/team/settings/policies/{policy}/off`.
pub async fn off(request: RequestContext) -> Result<AnyView, ApiError> {
    let kind = KeyPolicyKind::from_code(request.param("policy")).ok_or_else(ApiError::not_found)?;
    request.services.tenant_policies().check_may_set(request.actor()?).await?;
    let before = revision(&list_key_policies(ListKeyPolicies {}).await?, kind);
    if before == revision(&[], kind) {
        let title = words::turn_off_the_policy(&kind.label());
        return Ok(unfit_card(&request, title, words::already_off().to_owned(), (SETTINGS, words::back_to_settings())));
    }
    let card = Card {
        title: words::turn_off_the_policy_question(&kind.label()),
        button: Some(labels::turn_off()),
        destroys: false,
        code: AsCode::clear_policy(&request.code(None)?, kind.as_str()),
        words: view! { <p>{words::off_words(kind)}</p> }.into_any(),
        fields: confirm_fields(&request).await?,
    };
    let hidden = [("policy", kind.as_str().to_owned()), ("before", before)];
    Ok(card.view::<ClearKeyPolicy>(&request, &hidden, SETTINGS))
}
