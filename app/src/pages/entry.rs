//! Sign-in and set-up. Their forms are plain HTML forms because they contain secrets; no script handles them.

use std::future::{Ready, ready};

use domain::{ApiError, ErrorCode, Notice};
use leptos::prelude::*;

use crate::{
    components::{
        field::{Field, FormError},
        new_password::NewPassword,
    },
    request::RequestContext,
};

/// The result of a page that makes no database query.
type Loaded = Ready<Result<AnyView, ApiError>>;

/// `/sign-in`.
pub fn sign_in(request: RequestContext) -> Loaded {
    let error = Signal::stored(request.form.error.clone());
    let was_here = request.query("signed-out") == "yes";
    let notice =
        was_here.then(|| "You're signed out.".to_owned()).or(request.notice.as_ref().and_then(Notice::sentence));
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
                    autofocus=true
                    error
                />
                <Field name="password" label="Password" kind="password" autocomplete="current-password" error />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        "Sign in"
                    </button>
                </div>
            </form>
        </div>
    };
    ready(Ok(contents.into_any()))
}

/// `/sign-in/code`.
pub fn code(request: RequestContext) -> Loaded {
    let error = Signal::stored(request.form.error.clone());
    let contents = view! {
        <div class="card">
            <h1>"Enter your code"</h1>
            <form method="post" action="/sign-in/code">
                <FormError error fields=&["code"] />
                <input type="hidden" name="next" value=request.typed("next") />
                <Field
                    name="code"
                    label="Code"
                    hint="The 6-digit code from your app, or a recovery code."
                    autocomplete="one-time-code"
                    autofocus=true
                    error
                />
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        "Sign in"
                    </button>
                </div>
            </form>
            <p>
                <a href="/sign-in">"Use another account"</a>
            </p>
        </div>
    };
    ready(Ok(contents.into_any()))
}

/// `/set-up/{token}`.
pub fn set_up(request: RequestContext) -> Loaded {
    let token = request.param("token");
    if !request.services.set_up().is_token(token) {
        let message = "This setup link is no longer valid. Check the server's output for the latest one.";
        return ready(Err(ApiError::new(ErrorCode::NotFound, message)));
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
                <Field name="slug" label="Slug" value=slug hint="Used in scripts and the CLI, e.g. acme." error />
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
    ready(Ok(contents.into_any()))
}
