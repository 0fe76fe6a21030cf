//! Team > Settings > Policies: rules for the tenant's keys, each with what it would touch before it is set.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, TenantPolicy, policy::PolicyKind, time::utc_text};
use leptos::prelude::*;
use service::{PolicyPreview, SetPolicy};

use super::{key_acts::Card, page, path_word};
use crate::{
    as_code::AsCode,
    components::{
        as_code::CodeFold,
        concerns::key_path,
        field::{Field, FieldError, FormError},
        place::place_field,
        time::Moment,
    },
    expiry_choice::first_instant,
    request::{RequestContext, context},
};

const SETTINGS: &str = "/team/settings";

/// The list on the settings page.
pub fn policy_list(on: &[TenantPolicy], now: DateTime<Utc>) -> AnyView {
    let rows = PolicyKind::ALL.map(|kind| {
        let set: Vec<_> = on.iter().filter(|policy| policy.kind == kind).collect();
        let path = format!("{SETTINGS}/policies/{}", kind.as_str());
        let state = match set.as_slice() {
            [] => view! { <span class="chip">"Off"</span> }.into_any(),
            some => some.iter().map(|policy| {
                let days = policy.days.map(|days| format!(" {days} days")).unwrap_or_default();
                let from = if policy.holds(now) {
                    view! { <span class="chip chip-active">"On"{days}</span> }.into_any()
                } else {
                    view! { <span class="chip chip-suspended">"Holds"{days}</span>" "<Moment at=policy.holds_from now /> }.into_any()
                };
                view! { <div>{from}<span class="sub">"set by "{policy.set_by.clone()}</span></div> }
            }).collect_view().into_any()
        };
        let off = (!set.is_empty()).then(|| view! { <a class="button small" href=format!("{path}/off") data-dialog="">"Turn off"</a> });
        let word = if set.is_empty() { "Set" } else { "Change" };
        view! {
            <tr>
                <th scope="row" data-label="Policy"><span class="name">{kind.label()}</span><span class="sub">{kind.meaning()}</span></th>
                <td data-label="State">{state}</td>
                <td class="actions wide-actions"><a class="button small" href=path aria-label=format!("{word} the policy {}", kind.label())>{word}</a>" "{off}</td>
            </tr>
        }
    });
    view! {
        <section aria-labelledby="policies-title">
            <h2 id="policies-title">"Policies"</h2>
            <table class="table" aria-label="Policies">
                <thead><tr><th scope="col">"Policy"</th><th scope="col">"State"</th><th scope="col"><span class="visually-hidden">"Actions"</span></th></tr></thead>
                <tbody>{rows.into_iter().collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

/// What was typed: in the address for a preview, in the form when it was refused.
fn typed(request: &RequestContext, name: &str) -> String {
    let typed = request.form.value(name);
    let typed = if typed.is_empty() {
        leptos_router::hooks::use_query_map().with_untracked(|query| query.get(name)).unwrap_or_default()
    } else {
        typed
    };
    typed.trim().to_owned()
}

/// `/team/settings/policies/{policy}`. One form with two buttons: the first, which Enter presses too, shows what the values
/// would touch; the second sets them, and says which values it was shown with.
#[component]
pub fn Policy() -> impl IntoView {
    let (request, word) = (context(), path_word("policy"));
    let (days, from) = (typed(&request, "days"), typed(&request, "from"));
    let is_asked = leptos_router::hooks::use_query_map().with_untracked(|query| query.get("preview").is_some());
    page("Policy", async move {
        let kind = PolicyKind::from_word(&word).ok_or_else(ApiError::not_found)?;
        let policies = request.services.tenant_policies();
        let on = policies.list(request.actor()?).await?;
        let set: Vec<_> = on.into_iter().filter(|policy| policy.kind == kind).collect();
        let present = set.iter().find(|policy| policy.holds(request.services.now())).cloned();
        let set = set.into_iter().next_back();
        // One that is to come stands in the form as it was set: its day too.
        let planned = set.as_ref().filter(|policy| !policy.holds(request.services.now()) && !is_asked);
        let from = match planned {
            Some(policy) if from.is_empty() => policy.holds_from.format("%Y-%m-%d").to_string(),
            _ => from,
        };
        let days = match (&set, days.is_empty()) {
            _ if !kind.has_days() => String::new(),
            (Some(policy), true) => policy.days.map(|days| days.to_string()).unwrap_or_default(),
            (None, true) => "90".to_owned(),
            _ => days,
        };
        let input = SetPolicy { policy: word.clone(), days: days.parse().ok(), from: first_instant(&from) };
        // The first look shows what the policy would touch with the values that stand in the form.
        let preview = policies.preview(request.actor()?, &input).await.map_err(ApiError::from);
        let (preview, error) = match preview {
            Ok(preview) => (Some(preview), request.form.error.clone()),
            // The service's own words are about an instant; here is a day.
            Err(error) if error.at("from").is_some() => {
                (None, Some(ApiError::field("from", "Enter a day, like 2027-01-31.")))
            }
            Err(error) if error.code == domain::ErrorCode::BadUserInput => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let error = Signal::stored(error.filter(|_| is_asked || !from.is_empty() || request.form.error.is_some()));
        let days_field = kind.has_days().then(|| {
            view! { <Field name="days" label="Days" kind="number" value=days.clone() error /> }
        });
        let path = format!("{SETTINGS}/policies/{word}");
        let (now, is_on) = (request.services.now(), set.is_some());
        let code = AsCode::set_policy(&request.code(None).await?, &word, input.days, input.from.as_deref());
        let below = preview.map(|preview| preview_view(preview, present, (&days, &from), is_on, now));
        Ok(view! {
            <p class="crumb"><a href=SETTINGS>"Settings"</a></p>
            <h1>{kind.label()}</h1>
            <p class="lead">{kind.meaning()}</p>
            <form method="post" action=path>
                {place_field(&request)}
                <div class="filters">
                    <FormError error fields=&["days", "from"] />
                    {days_field}
                    {from_field(from, error)}
                    <button type="submit" name="preview" value="yes" formmethod="get" class="button">"Show what it touches"</button>
                </div>
                <p class="hint" id="from-hint">"Without a day it holds at once."</p>
                {below}
            </form>
            <CodeFold code public_url=request.public_url.clone() />
        }
        .into_any())
    })
}

/// The day from when on it holds, with what is wrong with it.
fn from_field(from: String, error: Signal<Option<ApiError>>) -> AnyView {
    let is_wrong = move || error.get().and_then(|error| error.at("from").map(|_| "true"));
    view! {
        <div class="field">
            <label for="from">"Holds from (UTC)"</label>
            <input id="from" name="from" type="date" value=from aria-describedby="from-hint error-from" aria-invalid=is_wrong />
            <FieldError id="error-from".to_owned() name="from" error />
        </div>
    }
    .into_any()
}

/// What decides beside a key's age: for unused ones the last use, else the end.
fn deciding_fact(kind: PolicyKind, key: &ApiKey, now: DateTime<Utc>) -> AnyView {
    let (words, never, at) = if kind == PolicyKind::SuspendUnused {
        (", last used ", ", never used", key.last_used.as_ref().map(|last| last.at))
    } else {
        (", expires ", ", never expires", key.expires_at)
    };
    match at {
        None => never.into_any(),
        Some(at) => view! { {words}<Moment at now /> }.into_any(),
    }
}

/// What the values touch, and the button that sets them. `days`, `from`: the values as they stand in the form; sent along,
/// they tell whether others were typed since.
fn preview_view(
    preview: PolicyPreview,
    present: Option<TenantPolicy>,
    (days, from): (&str, &str),
    is_on: bool,
    now: DateTime<Utc>,
) -> AnyView {
    let PolicyPreview { policy, keys, count } = preview;
    let verb = if policy.kind == PolicyKind::SuspendUnused {
        "would be suspended, if nobody uses them until then"
    } else {
        "would be marked as against it, and go on"
    };
    let words = match count {
        0 => "It touches no key that lives now.".to_owned(),
        1 => format!("1 key that lives now {}:", verb.replace("them", "it").replace(", and go on", ", and goes on")),
        10_000.. => format!("10,000 keys or more that live now {verb}:"),
        many => format!("{many} keys that live now {verb}:"),
    };
    let more = count as usize > keys.len();
    let rows = keys.into_iter().map(|key| {
        let fact = deciding_fact(policy.kind, &key, now);
        view! { <li><a href=key_path(&key)>{key.name.to_string()}</a>" "<code>{key.hint.clone()}"…"</code>" of "{key.owner_name.clone()}", created "<Moment at=key.created_at now />{fact}</li> }
    });
    let holds = if policy.holds_from <= now {
        "at once".to_owned()
    } else {
        format!("from {} on", utc_text(policy.holds_from))
    };
    let button = if is_on { "Change" } else { "Turn on" };
    let until = present.filter(|_| policy.holds_from > now).map(|present| {
        view! { <p>"Until then it holds as it is now: "{present.sentence()}</p> }
    });
    view! {
        <section class="roll" aria-labelledby="touches-title">
            <h2 id="touches-title">"What it touches"</h2>
            <p>{words}</p>
            <ul class="plain-list">{rows.collect_view()}{more.then(|| view! { <li>"… and more"</li> })}</ul>
            <p>{format!("It holds {holds}, for every key that is made or rolled.")}</p>
            {until}
            <input type="hidden" name="seen_days" value=days.to_owned() />
            <input type="hidden" name="seen_from" value=from.to_owned() />
            <div class="buttons"><button type="submit" class="button primary">{button}</button><a class="button" href=SETTINGS>"Cancel"</a></div>
        </section>
    }
    .into_any()
}

/// `/team/settings/policies/{policy}/off`.
#[component]
pub fn PolicyOff() -> impl IntoView {
    let (request, word) = (context(), path_word("policy"));
    page("Policy", async move {
        let kind = PolicyKind::from_word(&word).ok_or_else(ApiError::not_found)?;
        request.services.tenant_policies().check_may_set(request.actor()?).await?;
        let on = request.services.tenant_policies().list(request.actor()?).await?;
        let code = request.code(None).await?;
        let words = if kind == PolicyKind::SuspendUnused {
            "It suspends no more keys. Those that it has suspended stay so until they are resumed."
        } else {
            "New keys are free of it from now on."
        };
        Ok(Card {
            title: format!("Turn the policy “{}” off?", kind.label()),
            button: on.iter().any(|policy| policy.kind == kind).then_some("Turn off"),
            destroys: false,
            code: AsCode::clear_policy(&code, &word),
            words: view! { <p>{words}</p> }.into_any(),
            fields: place_field(&request),
        }
        .view(&request, SETTINGS, code.public_url))
    })
}
