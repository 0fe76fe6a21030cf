//! Error pages: an HTTP status, the reason, and what to do next.

use domain::{ApiError, ErrorCode};
use leptos::prelude::*;
use leptos_meta::Title;

use super::frame::plain;
use crate::request::{RequestContext, set_status};

/// The 404 page, for a path that no page has.
pub fn not_found(request: &RequestContext) -> AnyView {
    set_status(404);
    let label = next_label(request);
    let contents = view! {
        <Title text="Page not found" />
        <h1>"Page not found"</h1>
        <p>"Check the address or go back to your keys."</p>
        <p>
            <a class="button" href="/">
                {label}
            </a>
        </p>
    };
    plain(contents.into_any())
}

/// The label of the link to the start page.
fn next_label(request: &RequestContext) -> &'static str {
    if request.actor.is_some() { "Go to API keys" } else { "Go to sign-in" }
}

/// Shown instead of a page when its use case returns an error.
pub async fn contents(request: &RequestContext, error: ApiError) -> AnyView {
    set_status(error.code.status());
    let title = match error.code {
        ErrorCode::NotFound => "Not found",
        ErrorCode::Forbidden => "You don't have access",
        ErrorCode::Unauthenticated => "You're signed out",
        ErrorCode::BadUserInput => "This link doesn't work",
        _ => "Something went wrong",
    };
    let who = if error.code == ErrorCode::Forbidden { administrators(request).await } else { Vec::new() };
    let people = (!who.is_empty()).then(|| {
        let people = who
            .into_iter()
            .map(|(name, email)| view! { <li>{name}" — "<a href=format!("mailto:{email}")>{email.clone()}</a></li> });
        view! {
            <h2>"The tenant's administrators"</h2>
            <ul>{people.collect_view()}</ul>
        }
    });
    view! {
        <div class="problem">
            <h1>{title}</h1>
            <p role="alert">{error.message}</p>
            {error.reference.map(|reference| view! { <p>"Reference: " <code>{reference}</code></p> })}
            {people}
            <p>
                <a class="button" href="/">
                    {next_label(request)}
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// Names and email addresses of the tenant's administrators; empty when they can't be loaded.
async fn administrators(request: &RequestContext) -> Vec<(String, String)> {
    let Ok(actor) = request.actor() else { return Vec::new() };
    let found = request.services.members().administrators(actor).await.unwrap_or_default();
    found.into_iter().map(|member| (member.name.to_string(), member.email.as_str().to_owned())).collect()
}
