//! The ways in: sign-in and set-up. Plain forms; there is nothing for a script to do.

use domain::ApiError;
use leptos::prelude::*;
use leptos_meta::Title;

use super::{frame::Plain, notice, problem};
use crate::{
    components::field::{Field, FormError},
    request::{RequestContext, context},
};

/// `/sign-in`.
#[component]
pub fn SignIn() -> impl IntoView {
    let request = context();
    let error = Signal::stored(request.form.error.clone());
    let next = next_of(&request);
    view! {
        <Title text="Sign in" />
        <Plain>
            <div class="card">
                <h1>"Sign in to Latchkey"</h1>
                {notice(&request).map(|text| view! { <p role="status" class="notice">{text}</p> })}
                <form method="post" action="/sign-in">
                    <FormError error fields=&[] />
                    <input type="hidden" name="next" value=next />
                    <Field name="email" label="E-mail" kind="email" value=request.form.value("email") autocomplete="username" autofocus=true error />
                    <Field name="password" label="Password" kind="password" autocomplete="current-password" error />
                    <div class="buttons"><button type="submit" class="button primary wide">"Sign in"</button></div>
                </form>
            </div>
        </Plain>
    }
}

/// Where the sign-in leads to: as the refused form says, or else the address.
fn next_of(request: &RequestContext) -> String {
    let query = leptos_router::hooks::use_query_map();
    let typed = request.form.value("next");
    if typed.is_empty() { query.with_untracked(|query| query.get("next")).unwrap_or_default() } else { typed }
}

/// `/sign-in/code`.
#[component]
pub fn Code() -> impl IntoView {
    let request = context();
    let error = Signal::stored(request.form.error.clone());
    let next = next_of(&request);
    view! {
        <Title text="Sign in" />
        <Plain>
            <div class="card">
                <h1>"Your second factor"</h1>
                <form method="post" action="/sign-in/code">
                    <FormError error fields=&["code"] />
                    <input type="hidden" name="next" value=next />
                    <Field name="code" label="Code" hint="The six digits that your app shows, or a recovery code." autocomplete="one-time-code" autofocus=true error />
                    <div class="buttons"><button type="submit" class="button primary wide">"Sign in"</button></div>
                </form>
                <p><a href="/sign-in">"Start again"</a></p>
            </div>
        </Plain>
    }
}

/// `/set-up/{token}`.
#[component]
pub fn SetUp() -> impl IntoView {
    let request = context();
    let token = leptos_router::hooks::use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    if !request.services.set_up().is_token(&token) {
        return view! {
            <Title text="Set up" />
            <Plain>
                {Suspend::new(async move {
                    let gone = ApiError::new(domain::ErrorCode::NotFound, "This set-up link doesn't work. It works once, until the server is started again; the newest stands in its output.");
                    problem::contents(&request, gone).await
                })}
            </Plain>
        }
        .into_any();
    }
    let error = Signal::stored(request.form.error.clone());
    let form = request.form.clone();
    let [tenant_name, slug, name, email] = ["tenant_name", "slug", "name", "email"].map(|name| form.value(name));
    view! {
        <Title text="Set up" />
        <Plain>
            <div class="card">
                <h1>"Set up Latchkey"</h1>
                <p>"This makes the first tenant and you its administrator."</p>
                <form method="post" action=format!("/set-up/{token}")>
                    <FormError error fields=&["tenant_name", "slug", "name", "email", "password"] />
                    <Field name="tenant_name" label="Tenant name" value=tenant_name hint="Your organisation, like Acme Robotics." autocomplete="organization" autofocus=true error />
                    <Field name="slug" label="Tenant short name" value=slug hint="Lower-case letters, digits and hyphens, like acme." error />
                    <Field name="name" label="Your name" value=name autocomplete="name" error />
                    <Field name="email" label="E-mail" kind="email" value=email autocomplete="username" error />
                    <Field name="password" label="Password" kind="password" hint="At least 15 characters. Several words in a row are easy to remember." autocomplete="new-password" error />
                    <div class="buttons"><button type="submit" class="button primary wide">"Create tenant"</button></div>
                </form>
            </div>
        </Plain>
    }
    .into_any()
}
