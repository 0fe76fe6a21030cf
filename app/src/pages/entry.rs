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
};

/// `/sign-in`. Before the set-up, says how to start it, because nobody can sign in yet.
pub async fn sign_in(request: RequestContext) -> Result<AnyView, ApiError> {
    if request.services.set_up().is_needed().await? {
        return Ok(not_set_up(&request));
    }
    let error = Signal::stored(request.form.error.clone());
    let was_here = request.query("signed-out") == "yes";
    let notice =
        was_here.then(|| "You're signed out.".to_owned()).or(request.notice.as_ref().and_then(Notice::sentence));
    // After a wrong password, only that has to be typed again.
    let has_email = !request.form.value("email").is_empty();
    let contents = view! {
        <div class="card">
            <h1>"Sign in to Latchkey"</h1>
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
                <Field
                    name="email"
                    label="Email"
                    kind="email"
                    value=request.form.value("email")
                    autocomplete="username"
                    autofocus=!has_email
                    error
                />
                <PasswordField name="password" autofocus=has_email error />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        "Sign in"
                    </button>
                </div>
            </form>
            <p class="hint">"Forgot your password? Ask an administrator to reset it."</p>
        </div>
    };
    Ok(contents.into_any())
}

/// Shown instead of the sign-in form while there is no tenant.
fn not_set_up(request: &RequestContext) -> AnyView {
    set_status(503);
    request.set_title("Not set up yet");
    view! {
        <div class="card">
            <h1>"Latchkey isn't set up yet"</h1>
            <p>
                "Open the setup link that the server printed when it started. It creates the first tenant and its administrator."
            </p>
            <p>"If you can't find the link, restart the server: it prints a new one."</p>
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
        ("Enter a recovery code", "", "Use a code from your app")
    } else {
        ("Enter your code", "&recovery=yes", "Use a recovery code")
    };
    let other = format!("/sign-in/code?next={}{other}", encode(&next));
    let field = if is_recovery {
        view! {
            <Field
                name="code"
                label="Recovery code"
                hint="One of the codes that you saved when you set up two-factor authentication."
                autofocus=true
                error
            />
        }
        .into_any()
    } else {
        view! {
            <Field
                name="code"
                label="Code"
                hint="The 6-digit code from your app."
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
                        "Sign in"
                    </button>
                </div>
            </form>
            <p>
                <a href=other>{link}</a>
                " · "
                <a href="/sign-in">"Use another account"</a>
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
            "This setup link is no longer valid. Check the server's output for the latest one."
        } else {
            "This setup link is no longer valid, because Latchkey is already set up."
        };
        return Err(ApiError::new(ErrorCode::NotFound, message));
    }
    let error = Signal::stored(request.form.error.clone());
    let [tenant_name, slug, name, email] =
        ["tenant_name", "slug", "name", "email"].map(|name| request.form.value(name));
    let contents = view! {
        <div class="card">
            <h1>"Set up Latchkey"</h1>
            <p>"Create the first tenant and its administrator."</p>
            <form method="post" action=format!("/set-up/{token}")>
                <FormError error fields=&["tenant_name", "slug", "name", "email", "password"] />
                <Field
                    name="tenant_name"
                    label="Tenant name"
                    value=tenant_name
                    hint="Your organization, for example “Acme Robotics”."
                    autocomplete="organization"
                    autofocus=true
                    error
                />
                <Field
                    name="slug"
                    label="Slug"
                    value=slug
                    hint="Used in scripts and the CLI, e.g. acme. Leave empty to make it from the name."
                    required=false
                    error
                />
                <Field name="name" label="Your name" value=name autocomplete="name" error />
                <Field name="email" label="Email" kind="email" value=email autocomplete="username" error />
                <NewPassword error />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        "Create tenant"
                    </button>
                </div>
            </form>
        </div>
    };
    Ok(contents.into_any())
}
