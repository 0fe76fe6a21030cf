//! Sign-in and set-up. Their forms are plain HTML forms because they contain secrets; no script handles them.

use domain::{ApiError, ErrorCode, Notice};
use leptos::prelude::*;

use crate::{
    components::{
        field::{Field, FormError},
        new_password::NewPassword,
        password_field::PasswordField,
    },
    list_url::encode,
    request::{RequestContext, set_status},
    words::{entry as words, labels, session::session_ended},
};

/// `/sign-in`. Before the set-up, says how to start it, because nobody can sign in yet.
pub async fn sign_in(request: RequestContext) -> Result<AnyView, ApiError> {
    if request.services.set_up().is_needed().await? {
        return Ok(not_set_up(&request));
    }
    let error = Signal::stored(request.form.error.clone());
    let has_ended = request.typed("ended") == "yes";
    let title = if has_ended { session_ended() } else { words::sign_in_to_latchkey() };
    let was_here = request.query("signed-out") == "yes";
    let notice =
        was_here.then(|| words::youre_signed_out().to_owned()).or(request.notice.as_ref().and_then(Notice::sentence));
    // After a wrong password, only that has to be typed again.
    let has_email = !request.form.value("email").is_empty();
    let contents = view! {
        <div class="card">
            <h1>{title}</h1>
            {notice
                .map(|text| {
                    view! {
                        <p role="status" class="notice">
                            {text}
                        </p>
                    }
                })}
            <form method="post" action="/sign-in">
                <FormError error fields=&[] />
                <input type="hidden" name="next" value=request.typed("next") />
                {has_ended.then(|| view! { <input type="hidden" name="ended" value="yes" /> })}
                <Field
                    name="email"
                    label=labels::email()
                    kind="email"
                    value=request.form.value("email")
                    autocomplete="username"
                    autofocus=!has_email
                    error
                />
                <PasswordField name="password" autofocus=has_email error />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        {labels::sign_in()}
                    </button>
                </div>
            </form>
            <p class="hint">{words::forgot_your_password()}</p>
        </div>
    };
    Ok(contents.into_any())
}

/// Shown instead of the sign-in form while there is no tenant.
fn not_set_up(request: &RequestContext) -> AnyView {
    set_status(503);
    request.set_title(words::not_set_up_yet());
    view! {
        <div class="card">
            <h1>{words::latchkey_isnt_set_up_yet()}</h1>
            <p>{words::open_the_setup_link()}</p>
            <p>{words::restart_for_a_new_link()}</p>
        </div>
    }
    .into_any()
}

/// `/sign-in/code`. The recovery code has a field of its own, because phones show a keyboard with digits only for the
/// app's code.
pub async fn code(request: RequestContext) -> Result<AnyView, ApiError> {
    let error = Signal::stored(request.form.error.clone());
    let next = request.typed("next");
    let is_recovery = request.typed("recovery") == "yes";
    let (title, other, link) = if is_recovery {
        (words::enter_a_recovery_code(), "", words::use_a_code_from_your())
    } else {
        (words::enter_your_code(), "&recovery=yes", words::use_a_recovery_code())
    };
    let other = format!("/sign-in/code?next={}{other}", encode(&next));
    let field = if is_recovery {
        view! { <Field name="code" label=words::recovery_code() hint=words::recovery_code_hint() autofocus=true error /> }
        .into_any()
    } else {
        view! {
            <Field
                name="code"
                label=labels::code()
                hint=words::code_hint()
                inputmode="numeric"
                autocomplete="one-time-code"
                autofocus=true
                error
            />
        }
        .into_any()
    };
    let recovery = is_recovery.then(|| view! { <input type="hidden" name="recovery" value="yes" /> });
    let contents = view! {
        <div class="card">
            <h1>{title}</h1>
            <form method="post" action="/sign-in/code">
                <FormError error fields=&["code"] />
                <input type="hidden" name="next" value=next />
                {recovery}
                {field}
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        {labels::sign_in()}
                    </button>
                </div>
            </form>
            <p>
                <a href=other>{link}</a>
                " · "
                <a href="/sign-in">{words::use_another_account()}</a>
            </p>
        </div>
    };
    Ok(contents.into_any())
}

/// `/set-up/{token}`.
pub async fn set_up(request: RequestContext) -> Result<AnyView, ApiError> {
    let token = request.param("token");
    if !request.services.set_up().is_token(token) {
        let message = if request.services.set_up().is_needed().await? {
            words::setup_link_is_outdated()
        } else {
            words::already_set_up()
        };
        return Err(ApiError::new(ErrorCode::NotFound, message));
    }
    let error = Signal::stored(request.form.error.clone());
    let [tenant_name, slug, name, email] =
        ["tenant_name", "slug", "name", "email"].map(|name| request.form.value(name));
    let contents = view! {
        <div class="card">
            <h1>{words::set_up_latchkey()}</h1>
            <p>{words::create_the_first_tenant()}</p>
            <form method="post" action=format!("/set-up/{token}")>
                <FormError error fields=&["tenant_name", "slug", "name", "email", "password"] />
                <Field
                    name="tenant_name"
                    label=labels::tenant_name()
                    value=tenant_name
                    hint=words::tenant_name_hint()
                    autocomplete="organization"
                    autofocus=true
                    error
                />
                <Field name="slug" label=labels::slug() value=slug hint=words::slug_hint() required=false error />
                <Field name="name" label=labels::your_name() value=name autocomplete="name" error />
                <Field name="email" label=labels::email() kind="email" value=email autocomplete="username" error />
                <NewPassword error />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        {words::create_tenant()}
                    </button>
                </div>
            </form>
        </div>
    };
    Ok(contents.into_any())
}
