//! User > Profile: the person's name, password, two-factor authentication and expiry calendar.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, Operation,
    user::input::{CreateCalendarFeed, RevokeCalendarFeed, UpdateProfile},
};
use leptos::prelude::*;
use service::{CalendarFeed, SecondFactorState};

use crate::{
    as_code::AsCode,
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::Card,
        confirm_fields::confirm_fields,
        field::{Field, FormError},
        form_buttons::FormButtons,
        new_password::NewPassword,
        password_field::PasswordField,
        revealed_link::{link_card, link_template},
        time::{Distance, Exact},
    },
    request::RequestContext,
};

const PATH: &str = "/user/profile";

/// `/user/profile`.
pub async fn profile(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, viewer, now) = (request.actor()?, request.viewer()?, request.services.now());
    let factor = request.services.second_factors().state(actor).await?;
    let feeds = request.services.calendar().list(actor).await?;
    let tenants = viewer.memberships.iter().map(|membership| {
        view! { <li>{format!("{} — {}", membership.tenant.name, membership.role.label())}</li> }
    });
    Ok(view! {
        <h1>"Profile"</h1>
        <dl class="facts profile">
            <dt>"Name"</dt>
            <dd>
                <bdi translate="no">{viewer.user.name.to_string()}</bdi>
                " "
                <a class="button small" href=format!("{PATH}/name") data-dialog="">
                    "Change name"
                </a>
            </dd>
            <dt>"Email"</dt>
            <dd>{viewer.user.email.as_str().to_owned()}</dd>
            <dt>"Password"</dt>
            <dd>
                <a class="button small" href=format!("{PATH}/password") data-dialog="">
                    "Change password"
                </a>
            </dd>
            <dt>"Two-factor authentication"</dt>
            <dd>{second_factor(factor, now)}</dd>
            <dt>"Expiry calendar"</dt>
            <dd>{calendar(feeds, now)}</dd>
            <dt>"Tenants"</dt>
            <dd>
                <ul>{tenants.collect_view()}</ul>
            </dd>
            <dt>"ID"</dt>
            <dd>
                <code>{viewer.user.id.to_string()}</code>
            </dd>
        </dl>
    }
    .into_any())
}

/// The state of the expiry calendar, with its buttons.
fn calendar(feeds: Vec<CalendarFeed>, now: DateTime<Utc>) -> AnyView {
    let (of_keys, own): (Vec<_>, Vec<_>) = feeds.into_iter().partition(|feed| feed.key.is_some());
    let turn_off = (!own.is_empty() || !of_keys.is_empty()).then(|| {
        view! {
            <a class="button small" href="/user/calendar/revoke" data-dialog="">
                "Turn off"
            </a>
        }
    });
    let (state, label) = match own.first() {
        None if of_keys.is_empty() => ("Off ".into_any(), "Create link"),
        None => ("Off, except for links created with your keys ".into_any(), "Create link"),
        Some(feed) => (
            view! {
                "On (set up "
                <Distance at=feed.created_at now />
                ") "
            }
            .into_any(),
            "Create new link",
        ),
    };
    let created = of_keys.into_iter().filter_map(|feed| {
        let (id, name) = feed.key?;
        let href = format!("/user/api-keys/{id}");
        Some(view! { <li>"Created with the key "<a href=href>{name}</a>" "<Distance at=feed.created_at now /></li> })
    });
    let created = created.collect_view();
    view! {
        {state}
        <span class="inline-buttons">
            <a class="button small" href="/user/calendar/create" data-dialog="">
                {label}
            </a>
            {turn_off}
        </span>
        {(!created.is_empty()).then(|| view! { <ul>{created}</ul> })}
    }
    .into_any()
}

/// The state of two-factor authentication, with its buttons.
fn second_factor(state: SecondFactorState, now: DateTime<Utc>) -> AnyView {
    let Some(at) = state.enabled_at else {
        return view! {
            "Off "
            <a class="button small" href="/user/second-factor/begin">
                "Set up"
            </a>
        }
        .into_any();
    };
    let left = match state.codes_left {
        1 => "1 recovery code left".to_owned(),
        count => format!("{count} recovery codes left"),
    };
    let locked = state.locked_at.map(|at| {
        view! {
            <p role="alert">
                "Codes from your app have been locked since "<Exact at />
                ", after too many wrong ones. Change your password to unlock them: somebody may know it."
            </p>
        }
    });
    view! {
        {locked}
        "On (set up "
        <Distance at now />
        ") · "
        {left}
        " "
        <span class="inline-buttons">
            <a class="button small" href="/user/second-factor/codes" data-dialog="">
                "New recovery codes"
            </a>
            <a class="button small" href="/user/second-factor/disable" data-dialog="">
                "Turn off"
            </a>
        </span>
    }
    .into_any()
}

/// `/user/calendar/{act}`, where the act is `create` or `revoke`; or the link, if the form has just created it.
pub async fn calendar_act(request: RequestContext) -> Result<AnyView, ApiError> {
    if let Some(issued) = request.form.created_link() {
        return Ok(link_card(Operation::CreateCalendarFeed, issued, PATH));
    }
    match request.param("act") {
        "create" => {
            let confirm = confirm_fields(&request).await?;
            let words = "Subscribe to key expiries in your calendar app. Creating a new link disables the old one.";
            let card = Card {
                title: "Create a calendar link".to_owned(),
                button: Some("Create link"),
                destroys: false,
                code: AsCode::session_or_key(Operation::CreateCalendarFeed.as_str(), "link"),
                words: view! { <p>{words}</p> }.into_any(),
                fields: view! {
                    {confirm}
                    {link_template(Operation::CreateCalendarFeed, PATH)}
                }
                .into_any(),
            };
            Ok(card.view::<CreateCalendarFeed>(&request, &[], PATH))
        }
        "revoke" => {
            let words = "Calendars using this link stop updating. Links created with your keys stop working too.";
            let card = Card {
                title: "Turn off the expiry calendar?".to_owned(),
                button: Some("Turn off"),
                destroys: true,
                code: AsCode::session_or_key(Operation::RevokeCalendarFeed.as_str(), "success"),
                words: view! { <p>{words}</p> }.into_any(),
                fields: ().into_any(),
            };
            Ok(card.view::<RevokeCalendarFeed>(&request, &[], PATH))
        }
        _ => Err(ApiError::not_found()),
    }
}

/// `/user/profile/{act}`, where the act is `name` or `password`.
pub async fn act(request: RequestContext) -> Result<AnyView, ApiError> {
    match request.param("act") {
        "name" => {
            request.set_title("Change your name");
            name_page(&request)
        }
        "password" => {
            request.set_title("Change your password");
            password_page(&request).await
        }
        _ => Err(ApiError::not_found()),
    }
}

fn name_page(request: &RequestContext) -> Result<AnyView, ApiError> {
    let error = Signal::stored(request.form.error.clone());
    let typed = request.typed("name");
    let name = if typed.is_empty() { request.viewer()?.user.name.to_string() } else { typed };
    let code = request.code(None)?;
    let example = AsCode::update_profile(&code, &name);
    let contents = view! {
        <FormError error fields=&["name"] />
        <Field name="name" label="Your name" value=name autocomplete="name" autofocus=true error />
        <FormButtons cancel=PATH label="Save" />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Change your name"</h1>
            {act_form::<UpdateProfile>(request, PATH, &[], contents.into_any())}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// The form contains passwords and is therefore a plain HTML form, not a server function's.
async fn password_page(request: &RequestContext) -> Result<AnyView, ApiError> {
    let has_calendar = !request.services.calendar().list(request.actor()?).await?.is_empty();
    let is_checked = request.typed("end_calendars") == "true";
    let calendar_box = has_calendar.then(|| {
        view! {
            <label class="check">
                <input type="checkbox" name="end_calendars" value="true" checked=is_checked />
                <span>"Also turn off the expiry calendar: its links stop working"</span>
            </label>
        }
    });
    let error = Signal::stored(request.form.error.clone());
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Change your password"</h1>
            <form method="post" action=format!("{PATH}/password")>
                <FormError error fields=&["current_password", "password"] />
                <PasswordField name="current_password" label="Current password" autofocus=true error />
                <NewPassword label="New password" then="You'll be signed out everywhere else." error />
                {calendar_box}
                <FormButtons cancel=PATH label="Save" />
            </form>
        </div>
    }
    .into_any())
}
