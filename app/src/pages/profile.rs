//! User > Profile: a person's own facts, name and password.

use chrono::{DateTime, Utc};
use leptos::prelude::*;
use service::{CalendarFeed, SecondFactorState};

use super::{page, path_word};
use crate::{
    as_code::AsCode,
    components::{
        as_code::CodeFold,
        confirm_fields::{CONFIRM_FIELDS, confirm_fields},
        field::{Field, FormError},
        revealed_link::RevealedLink,
        time::Moment,
    },
    request::context,
};

const PATH: &str = "/user/profile";

/// `/user/profile`.
#[component]
pub fn Profile() -> impl IntoView {
    let request = context();
    page("Profile", async move {
        let viewer = request.services.users().viewer(request.actor()?).await?;
        let factor = request.services.second_factors().state(request.actor()?).await?;
        let feeds = request.services.calendar().list(request.actor()?).await?;
        let tenants = viewer.memberships.iter().map(|membership| {
            view! { <li>{membership.tenant.name.to_string()}" — "{membership.role.label()}</li> }
        });
        Ok(view! {
            <h1>"Profile"</h1>
            <dl class="facts profile">
                <dt>"Name"</dt>
                <dd>{viewer.user.name.to_string()}" " <a class="button small" href=format!("{PATH}/name") data-dialog="">"Change name"</a></dd>
                <dt>"E-mail"</dt>
                <dd>{viewer.user.email.as_str().to_owned()}</dd>
                <dt>"Password"</dt>
                <dd><a class="button small" href=format!("{PATH}/password") data-dialog="">"Change password"</a></dd>
                <dt>"Second factor"</dt>
                <dd>{second_factor(factor, request.services.now())}</dd>
                <dt>"Calendar of expiries"</dt>
                <dd>{calendar(feeds, request.services.now())}</dd>
                <dt>"Tenants"</dt>
                <dd><ul>{tenants.collect_view()}</ul></dd>
                <dt>"Id"</dt>
                <dd><code>{viewer.user.id.to_string()}</code></dd>
            </dl>
        }
        .into_any())
    })
}

fn calendar(feeds: Vec<CalendarFeed>, now: DateTime<Utc>) -> AnyView {
    let (of_keys, own): (Vec<_>, Vec<_>) = feeds.into_iter().partition(|feed| feed.key.is_some());
    let turn_off = (!own.is_empty() || !of_keys.is_empty())
        .then(|| view! { <a class="button small" href="/user/calendar/revoke" data-dialog="">"Turn off"</a> });
    let (state, label) = match own.first() {
        None if of_keys.is_empty() => ("Off ".into_any(), "Get a link"),
        None => ("Yours is off, those of keys are on ".into_any(), "Get a link"),
        Some(feed) => (view! { "On since "<Moment at=feed.created_at now />" " }.into_any(), "Get another link"),
    };
    let made = of_keys.into_iter().filter_map(|feed| {
        let (id, name) = feed.key?;
        let href = format!("/user/api-keys/{id}");
        Some(view! { <li>"Made by the key "<a href=href>{name}</a>" "<Moment at=feed.created_at now /></li> })
    });
    let made = made.collect_view();
    view! {
        {state}
        <span class="inline-buttons">
            <a class="button small" href="/user/calendar/create" data-dialog="">{label}</a>
            {turn_off}
        </span>
        {(!made.is_empty()).then(|| view! { <ul>{made}</ul> })}
    }
    .into_any()
}

/// `/user/calendar/{act}`: create, revoke.
#[component]
pub fn CalendarAct() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    page("Calendar of expiries", async move {
        if let Some(link) = request.form.revealed.first().cloned() {
            let words = "Subscribe to it in your calendar. Whoever has the link sees the names of your keys and when they end; turn it off in your profile.";
            return Ok(view! { <RevealedLink title="Your calendar's link" words=words.to_owned() label="Link" link back=PATH /> }.into_any());
        }
        let error = Signal::stored(request.form.error.clone());
        let (title, words, class, button, confirm, mutation, answer) = match act.as_str() {
            "create" => {
                let words = "A secret link for your calendar: it shows when your keys end and, where you administer, those of the service accounts. An earlier link stops working.";
                let confirm = confirm_fields(&request).await?;
                (
                    "Get a link for your calendar",
                    words,
                    "button primary",
                    "Get the link",
                    confirm,
                    "create_calendar_feed",
                    "link",
                )
            }
            "revoke" => {
                let words = "Calendars that hold the link see nothing any more. Links that your keys made end too.";
                (
                    "Turn the calendar's link off?",
                    words,
                    "button destroy",
                    "Turn off",
                    ().into_any(),
                    "revoke_calendar_feed",
                    "success",
                )
            }
            _ => return Err(domain::ApiError::not_found()),
        };
        Ok(view! {
            <div class="card">
                <h1 id="card-title">{title}</h1>
                <p>{words}</p>
                <form method="post">
                    <FormError error fields=&CONFIRM_FIELDS />
                    {confirm}
                    <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class=class>{button}</button></div>
                </form>
                <CodeFold code=AsCode::by_person(mutation, answer) public_url=request.public_url.clone() />
            </div>
        }
        .into_any())
    })
}

fn second_factor(state: SecondFactorState, now: DateTime<Utc>) -> AnyView {
    let Some(at) = state.enabled_at else {
        return view! { "Off "<a class="button small" href="/user/second-factor/begin">"Set up"</a> }.into_any();
    };
    let left = format!(", {} recovery codes left ", state.codes_left);
    view! {
        "On since "<Moment at now />{left}
        <span class="inline-buttons">
            <a class="button small" href="/user/second-factor/codes" data-dialog="">"New recovery codes"</a>
            <a class="button small" href="/user/second-factor/disable" data-dialog="">"Turn off"</a>
        </span>
    }
    .into_any()
}

/// `/user/profile/{act}`: name, password.
#[component]
pub fn ProfileAct() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    page("Profile", async move {
        let viewer = request.services.users().viewer(request.actor()?).await?;
        let error = Signal::stored(request.form.error.clone());
        let typed = request.form.value("name");
        let name = if typed.is_empty() { viewer.user.name.to_string() } else { typed };
        let code = request.code(None).await?;
        let (title, fields, fold) = match act.as_str() {
            "name" => {
                let example = AsCode::update_profile(&code, &name);
                let fold = view! { <CodeFold code=example public_url=code.public_url /> }.into_any();
                let field = view! { <Field name="name" label="Your name" value=name autocomplete="name" autofocus=true error /> };
                ("Change your name", field.into_any(), fold)
            }
            "password" => {
                let fields = view! {
                    <Field name="current_password" label="Current password" kind="password" autocomplete="current-password" autofocus=true error />
                    <Field name="password" label="New password" kind="password" hint="At least 15 characters. Several words in a row are easy to remember. Your other sessions end." autocomplete="new-password" error />
                };
                ("Change your password", fields.into_any(), ().into_any())
            }
            _ => return Err(domain::ApiError::not_found()),
        };
        Ok(view! {
            <div class="card">
                <h1 id="card-title">{title}</h1>
                <form method="post">
                    <FormError error fields=&["name", "current_password", "password"] />
                    {fields}
                    <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Save"</button></div>
                </form>
                {fold}
            </div>
        }
        .into_any())
    })
}
