//! User > Profile: the person's name, password, two-factor authentication and expiry calendar.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, Operation,
    user::input::{CreateCalendarFeed, ListSessions, RevokeCalendarFeed, UpdateProfile},
};
use leptos::prelude::*;
use service::{CalendarFeed, SecondFactorState};

use crate::{
    api::list_sessions,
    as_code::AsCode,
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::Card,
        confirm_fields::confirm_fields,
        field::{Field, FormError},
        form_buttons::FormButtons,
        made_in_sessions::made_in_sessions,
        new_password::NewPassword,
        password_field::PasswordField,
        revealed_link::{link_card, link_template},
        time::{Distance, Exact},
    },
    request::RequestContext,
    words::{labels, profile as words},
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
        <h1>{labels::profile()}</h1>
        <dl class="facts profile">
            <dt>{labels::name()}</dt>
            <dd>
                <bdi translate="no">{viewer.user.name.to_string()}</bdi>
                " "
                <a class="button small" href=format!("{PATH}/name") data-dialog="">
                    {words::change_name()}
                </a>
            </dd>
            <dt>{labels::email()}</dt>
            <dd>{viewer.user.email.as_str().to_owned()}</dd>
            <dt>{labels::password()}</dt>
            <dd>
                <a class="button small" href=format!("{PATH}/password") data-dialog="">
                    {words::change_password()}
                </a>
            </dd>
            <dt>{words::two_factor_authentication()}</dt>
            <dd>{second_factor(factor, now)}</dd>
            <dt>{words::expiry_calendar()}</dt>
            <dd>{calendar(feeds, now)}</dd>
            <dt>{labels::tenants()}</dt>
            <dd>
                <ul>{tenants.collect_view()}</ul>
            </dd>
            <dt>{labels::id()}</dt>
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
                {labels::turn_off()}
            </a>
        }
    });
    let (state, label) = match own.first() {
        None if of_keys.is_empty() => (labels::off().into_any(), words::create_link()),
        None => (words::off_except_links_of_keys().into_any(), words::create_link()),
        Some(feed) => (words::on_since(view! { <Distance at=feed.created_at now /> }), words::create_new_link()),
    };
    let created = of_keys.into_iter().filter_map(|feed| {
        let (id, name) = feed.key?;
        let href = format!("/user/api-keys/{id}");
        let key = view! { <a href=href>{name}</a> };
        Some(view! { <li>{words::created_with_the_key(key)}" "<Distance at=feed.created_at now /></li> })
    });
    let created = created.collect_view();
    view! {
        {state}
        " "
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
            {labels::off()}
            " "
            <a class="button small" href="/user/second-factor/begin">
                {words::set_up()}
            </a>
        }
        .into_any();
    };
    let locked = state.locked_at.map(|at| {
        view! { <p role="alert">{words::codes_are_locked(view! { <Exact at /> })}</p> }
    });
    view! {
        {locked}
        {words::on_since(view! { <Distance at now /> })}
        " · "
        {words::codes_left(state.codes_left)}
        " "
        <span class="inline-buttons">
            <a class="button small" href="/user/second-factor/codes" data-dialog="">
                {words::new_recovery_codes()}
            </a>
            <a class="button small" href="/user/second-factor/disable" data-dialog="">
                {labels::turn_off()}
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
            let effect = words::calendar_purpose();
            let card = Card {
                title: words::create_a_calendar_link().to_owned(),
                button: Some(words::create_link()),
                destroys: false,
                code: AsCode::session_or_key(Operation::CreateCalendarFeed.as_str(), "link"),
                words: view! { <p>{effect}</p> }.into_any(),
                fields: view! {
                    {confirm}
                    {link_template(Operation::CreateCalendarFeed, PATH)}
                }
                .into_any(),
            };
            Ok(card.view::<CreateCalendarFeed>(&request, &[], PATH))
        }
        "revoke" => {
            let effect = words::turning_calendar_off();
            let card = Card {
                title: words::turn_off_the_expiry_calendar().to_owned(),
                button: Some(labels::turn_off()),
                destroys: true,
                code: AsCode::session_or_key(Operation::RevokeCalendarFeed.as_str(), "success"),
                words: view! { <p>{effect}</p> }.into_any(),
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
            request.set_title(labels::change_your_name());
            name_page(&request)
        }
        "password" => {
            request.set_title(labels::change_your_password());
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
        <Field name="name" label=labels::your_name() value=name autocomplete="name" autofocus=true error />
        <FormButtons cancel=PATH label=labels::save() busy=labels::saving() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::change_your_name()}</h1>
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
                <span>{words::also_turn_off_calendar()}</span>
            </label>
        }
    });
    let error = Signal::stored(request.form.error.clone());
    let sessions = list_sessions(ListSessions {}).await?;
    let made_there = made_in_sessions(sessions.iter().filter(|session| !session.is_this));
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::change_your_password()}</h1>
            <form method="post" action=format!("{PATH}/password")>
                <FormError error fields=&["current_password", "password"] />
                <PasswordField name="current_password" label=words::current_password() autofocus=true error />
                <NewPassword label=words::new_password() then=words::signed_out_everywhere_else() error />
                {made_there}
                {calendar_box}
                <FormButtons cancel=PATH label=labels::save() busy=labels::saving() />
            </form>
        </div>
    }
    .into_any())
}
