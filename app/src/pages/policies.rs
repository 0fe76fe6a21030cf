//! Team > Settings > Policies: the tenant's key policies. Before a policy is turned on, its page previews the affected
//! keys.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, KeyPolicy, PolicyKind,
    api_key::{
        expiry::first_instant,
        input::{ClearKeyPolicy, ListKeyPolicies, PreviewKeyPolicy, SetKeyPolicy},
        policy::{DEFAULT_KEY_LIMIT, PolicyPreview, days_text, is_loosened_by, keys_text},
    },
    time::utc_text,
    user::input::confirm,
};
use leptos::prelude::*;

use crate::{
    api::{list_key_policies, preview_key_policy},
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
};

const SETTINGS: &str = "/team/settings";
/// The names of the fields with a policy's values.
const VALUES: [&str; 3] = ["days", "limit", "from"];

/// The table of policies on the settings page. `on`: the policies that are set, in effect or not yet.
pub fn policy_list(on: &[KeyPolicy], now: DateTime<Utc>) -> AnyView {
    let rows = PolicyKind::ALL.map(|kind| {
        let set: Vec<_> = on.iter().filter(|policy| policy.kind == kind).collect();
        let path = format!("{SETTINGS}/policies/{}", kind.as_str());
        let state = match set.as_slice() {
            [] => view! { <span class="chip">"Off"</span> }.into_any(),
            some => some.iter().map(|policy| policy_state(policy, now)).collect_view().into_any(),
        };
        let off = (!set.is_empty()).then(|| {
            view! {
                <a class="button small" href=format!("{path}/off") data-dialog="">
                    "Turn off"
                </a>
            }
        });
        let (label, name) = if set.is_empty() {
            ("Configure", format!("Configure the policy {}", kind.label()))
        } else {
            ("Change", format!("Change the policy {}", kind.label()))
        };
        view! {
            <tr>
                <th scope="row" data-label="Policy">
                    <span class="name">{kind.label()}</span>
                    <span class="sub">{kind.meaning()}</span>
                </th>
                <td data-label="State">{state}</td>
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
            <h2 id="policies-title">"Policies"</h2>
            <table class="table" aria-label="Policies">
                <thead>
                    <tr>
                        <th scope="col">"Policy"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">
                            <span class="visually-hidden">"Actions"</span>
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
        ("chip chip-active", "On".to_owned())
    } else {
        ("chip chip-suspended", format!("From {}", from.text))
    };
    let words = match policy.days.map(days_text).or(policy.limit.map(keys_text)) {
        None => start,
        Some(number) => format!("{start} · {number}"),
    };
    view! {
        <div>
            <span class=class title=utc_text(policy.effective_from) data-date=from.attribute>
                {words}
            </span>
            <span class="sub">{format!("set by {}", policy.set_by)}</span>
        </div>
    }
    .into_any()
}

/// `/team/settings/policies/{policy}`. The values are a form of their own, which only previews them: the script does so
/// with every change, and without script a button does. The form that sets the policy is part of the preview and sends
/// the previewed values.
pub async fn policy(request: RequestContext) -> Result<AnyView, ApiError> {
    let kind = PolicyKind::from_code(request.param("policy")).ok_or_else(ApiError::not_found)?;
    let now = request.services.now();
    let set = list_key_policies(ListKeyPolicies {}).await?.into_iter().filter(|policy| policy.kind == kind);
    let set: Vec<_> = set.collect();
    let present = set.iter().find(|policy| policy.is_in_effect(now)).cloned();
    let input = shown_values(&request, kind, set.last(), now);
    let (preview, error) = preview_or_error(&input).await?;
    request.set_title(&format!("{} · Key policy", kind.label()));
    let from = first_instant(&input.from);
    let number = if kind.has_limit() { ("limit", &input.limit) } else { ("days", &input.days) };
    let number = number.1.parse().ok().map(|value| (number.0, value));
    let code = AsCode::set_policy(&request.code(None)?, &input.policy, number, from.as_deref());
    let is_asked = is_asked(&request);
    let is_previewed = preview.is_some() && is_asked;
    let below = match preview {
        Some(preview) => {
            let confirm =
                if is_loosened_by(&set, &preview.policy) { confirm_fields(&request).await? } else { ().into_any() };
            preview_view(&request, preview, (present, !set.is_empty()), &input, confirm, now)
        }
        // The script replaces the preview only. Without script, the error is at its field.
        None => error.as_ref().filter(|_| !is_asked).map(invalid_words).into_any(),
    };
    let error = error.filter(|_| is_asked);
    Ok(view! {
        <p class="crumb">
            <a href=SETTINGS>"Settings"</a>
        </p>
        <h1>{kind.label()}</h1>
        <p class="lead">{kind.meaning()}</p>
        {values_form(&request, kind, &input, is_previewed, error)}
        <div id="policy-preview" aria-live="polite">
            {below}
            <CodeFold code public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

/// The form with the policy's values. Without script, the values that are previewed can't be edited below their own
/// preview, so that nobody sets others than they see. `is_previewed`: whether the preview of typed values is shown.
fn values_form(
    request: &RequestContext,
    kind: PolicyKind,
    input: &SetKeyPolicy,
    is_previewed: bool,
    error: Option<ApiError>,
) -> AnyView {
    let error = Signal::stored(error);
    let number = |name: &'static str, label: &'static str, value: &str, hint: &'static str| {
        let value = value.to_owned();
        view! { <Field name label kind="number" value hint inputmode="numeric" error /> }
    };
    let days = kind.has_days().then(|| number("days", "Days", &input.days, "1 to 3,650."));
    let limit = kind.has_limit().then(|| number("limit", "Keys", &input.limit, "1 to 100,000."));
    let path = request.path().to_owned();
    let change =
        format!("{path}?days={}&limit={}&from={}", encode(&input.days), encode(&input.limit), encode(&input.from));
    let class = if is_previewed { "filters script-only" } else { "filters" };
    let shown = is_previewed.then(|| {
        view! {
            <p class="without-script">
                {shown_words(input)} " " <a class="button small" href=change>
                    "Change"
                </a>
            </p>
        }
    });
    view! {
        <form method="get" action=path class=class data-live="policy-preview">
            <FormError error fields=&VALUES />
            {days}
            {limit}
            {from_field(input.from.clone(), error)}
            <button type="submit" name="preview" value="yes" class="button without-script">
                "Preview"
            </button>
        </form>
        {shown}
    }
    .into_any()
}

/// The previewed values: "90 days, effective from 2027-01-31 (UTC)."
fn shown_words(input: &SetKeyPolicy) -> String {
    let days = input.days.parse().ok().map(days_text);
    let number = days.or(input.limit.parse().ok().map(keys_text));
    match (number, input.from.as_str()) {
        (None, "") => "Effective immediately.".to_owned(),
        (None, from) => format!("Effective from {from} (UTC)."),
        (Some(number), "") => format!("{number}, effective immediately."),
        (Some(number), from) => format!("{number}, effective from {from} (UTC)."),
    }
}

/// The preview of the form's values, or why they are invalid.
async fn preview_or_error(input: &SetKeyPolicy) -> Result<(Option<PolicyPreview>, Option<ApiError>), ApiError> {
    match preview_key_policy(PreviewKeyPolicy { policy: input.clone() }).await.map_err(ApiError::from) {
        Ok(preview) => Ok((Some(preview), None)),
        // The service's message asks for a timestamp; this field takes a day.
        Err(error) if error.at("from").is_some() => {
            Ok((None, Some(ApiError::field("from", "Enter a date, like 2027-01-31."))))
        }
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

/// Why there is no preview.
fn invalid_words(error: &ApiError) -> AnyView {
    let message = VALUES.iter().find_map(|field| error.at(field)).unwrap_or(&error.message);
    view! { <p class="error">{message.to_owned()}</p> }.into_any()
}

/// The values to show in the form: the typed ones or, by default, those of the policy that is `set`. The effective date
/// is filled in only for a policy that isn't in effect yet.
fn shown_values(
    request: &RequestContext,
    kind: PolicyKind,
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
    SetKeyPolicy { policy: kind.as_str().to_owned(), days, limit, from }
}

/// The field for the first day of the policy, with its error.
fn from_field(from: String, error: Signal<Option<ApiError>>) -> AnyView {
    let is_wrong = move || error.get().and_then(|error| error.at("from").map(|_| "true"));
    view! {
        <div class="field">
            <label for="from">"Effective from (UTC)"</label>
            <input
                id="from"
                name="from"
                type="date"
                value=from
                aria-describedby="from-hint error-from"
                aria-invalid=is_wrong
            />
            <p class="hint" id="from-hint">
                "Leave empty to apply now."
            </p>
            <FieldError id="error-from".to_owned() name="from" error />
        </div>
    }
    .into_any()
}

/// The property by which the policy affects a key.
fn deciding_fact(kind: PolicyKind, key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    match kind {
        PolicyKind::MaxLifetime | PolicyKind::ExpiryRequired => {
            let life = key.expires_at.map(|at| lifetime_words(at - key.created_at));
            life.unwrap_or_else(|| " · never expires".to_owned()).into_any()
        }
        PolicyKind::ServiceAccountsOnly => " · personal key".into_any(),
        PolicyKind::NoKeysByKeys => " · created with a key".into_any(),
        PolicyKind::SuspendUnused => match &key.last_used {
            None => " · never used".into_any(),
            Some(last) => view! {
                " · last used "
                <Distance at=last.at now />
            }
            .into_any(),
        },
        PolicyKind::MaxKeys => ().into_any(),
    }
}

/// " · lives 150 days". An expiry has whole seconds, so the difference is less than the lifetime by up to one.
fn lifetime_words(life: TimeDelta) -> String {
    match (life + TimeDelta::hours(12)).num_days() {
        ..=0 => " · lives less than a day".to_owned(),
        1 => " · lives 1 day".to_owned(),
        many => format!(" · lives {many} days"),
    }
}

/// How many existing keys the policy would affect, and how. The service counts at most 10,000.
fn affected_words(kind: PolicyKind, count: u32) -> String {
    match (kind, count) {
        (PolicyKind::MaxKeys, _) => "Existing keys keep working, also those of owners that have more.".to_owned(),
        (_, 0) => "No existing keys are affected.".to_owned(),
        (PolicyKind::SuspendUnused, 1) => "1 existing key would be suspended if it stays unused:".to_owned(),
        (PolicyKind::SuspendUnused, 10_000..) => {
            "10,000 or more existing keys would be suspended if they stay unused:".to_owned()
        }
        (PolicyKind::SuspendUnused, many) => {
            format!("{many} existing keys would be suspended if they stay unused:")
        }
        (_, 1) => "1 existing key would be flagged:".to_owned(),
        (_, 10_000..) => "10,000 or more existing keys would be flagged:".to_owned(),
        (_, many) => format!("{many} existing keys would be flagged:"),
    }
}

/// When the policy takes effect, and for which keys. `at_once`: no later day was chosen.
fn effect_words(policy: &KeyPolicy, at_once: bool) -> String {
    let from = utc_text(policy.effective_from);
    match (policy.kind, at_once) {
        (PolicyKind::SuspendUnused, true) => "Applies immediately to all keys.".to_owned(),
        (PolicyKind::SuspendUnused, false) => format!("Applies to all keys from {from}."),
        (PolicyKind::MaxKeys, true) => "Applies immediately to new keys.".to_owned(),
        (PolicyKind::MaxKeys, false) => format!("Applies to new keys from {from}."),
        (_, true) => "Applies immediately to new and rotated keys.".to_owned(),
        (_, false) => format!("Applies to new and rotated keys from {from}."),
    }
}

/// The keys that the previewed values would affect, and the form that sets the policy. `present`: the policy in effect
/// now. `is_on`: whether any is set. `input`: the previewed values, which the form sends. `confirm`: the fields that
/// confirm the person's identity.
fn preview_view(
    request: &RequestContext,
    preview: PolicyPreview,
    (present, is_on): (Option<KeyPolicy>, bool),
    input: &SetKeyPolicy,
    confirm: AnyView,
    now: DateTime<Utc>,
) -> AnyView {
    let PolicyPreview { policy, keys, count } = preview;
    let more = (count as usize > keys.len()).then(|| view! { <li>"… and more"</li> });
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
        view! { <p>{format!("Until then, the current policy applies: {}", present.sentence())}</p> }
    });
    let button = if is_on { "Change" } else { "Turn on" };
    let hidden = [
        ("policy", input.policy.clone()),
        ("days", input.days.clone()),
        ("limit", input.limit.clone()),
        ("from", input.from.clone()),
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
                "Cancel"
            </a>
        </div>
    };
    // Without script, the preview comes first. The values could still be edited above this button.
    let class = if is_asked(request) { "" } else { "script-only" };
    view! {
        <section class="roll" aria-labelledby="affected-title">
            <h2 id="affected-title">"Affected keys"</h2>
            <p>{affected_words(policy.kind, count)}</p>
            <ul class="plain-list">{rows.collect_view()}{more}</ul>
            <p data-date=Dated::day(policy.effective_from).attribute>{effect_words(&policy, at_once)}</p>
            {until}
            <div class=class>{act_form::<SetKeyPolicy>(request, SETTINGS, &hidden, buttons.into_any())}</div>
        </section>
    }
    .into_any()
}

/// `/team/settings/policies/{policy}/off`.
pub async fn off(request: RequestContext) -> Result<AnyView, ApiError> {
    let kind = PolicyKind::from_code(request.param("policy")).ok_or_else(ApiError::not_found)?;
    request.services.tenant_policies().check_may_set(request.actor()?).await?;
    let is_on = list_key_policies(ListKeyPolicies {}).await?.iter().any(|policy| policy.kind == kind);
    if !is_on {
        let title = format!("Turn off the policy “{}”", kind.label());
        return Ok(unfit_card(
            &request,
            title,
            "This policy is already off.".to_owned(),
            (SETTINGS, "Back to settings"),
        ));
    }
    let words = match kind {
        PolicyKind::SuspendUnused => {
            "Unused keys are no longer suspended. Keys already suspended stay suspended until someone resumes them."
        }
        PolicyKind::MaxKeys => "A person or a service account can then have at most 500 keys.",
        _ => "New keys are no longer restricted.",
    };
    let card = Card {
        title: format!("Turn off the policy “{}”?", kind.label()),
        button: Some("Turn off"),
        destroys: false,
        code: AsCode::clear_policy(&request.code(None)?, kind.as_str()),
        words: view! { <p>{words}</p> }.into_any(),
        fields: confirm_fields(&request).await?,
    };
    Ok(card.view::<ClearKeyPolicy>(&request, &[("policy", kind.as_str().to_owned())], SETTINGS))
}
