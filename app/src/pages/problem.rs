//! Pages of what went wrong: pages of the product, with its status and what to do.

use domain::{ApiError, ErrorCode};
use leptos::prelude::*;
use leptos_meta::Title;

use super::frame::Plain;
use crate::request::{RequestContext, context, set_status};

/// 404, for an address that nothing stands at.
#[component]
pub fn NotFound() -> impl IntoView {
    set_status(404);
    let signed_in = context().actor.is_some();
    view! {
        <Title text="Not found" />
        <Plain>
            <h1>"There is no such page"</h1>
            <p>"The address may be mistyped, or what stood there is gone."</p>
            <p><a class="button" href="/">{if signed_in { "To your API keys" } else { "To the start" }}</a></p>
        </Plain>
    }
}

/// What stands in a page's place when a use case refused or failed.
pub async fn contents(request: &RequestContext, error: ApiError) -> AnyView {
    set_status(error.code.status());
    let title = match error.code {
        ErrorCode::NotFound => "There is nothing here",
        ErrorCode::Forbidden => "This isn't yours to see",
        ErrorCode::Unauthenticated => "You are signed out",
        ErrorCode::BadUserInput => "This link doesn't work",
        _ => "That didn't work",
    };
    let who = if error.code == ErrorCode::Forbidden { administrators(request).await } else { Vec::new() };
    let people = (!who.is_empty()).then(|| {
        let people = who
            .into_iter()
            .map(|(name, email)| view! { <li>{name}" — "<a href=format!("mailto:{email}")>{email.clone()}</a></li> });
        view! { <h2>"The tenant's administrators"</h2><ul>{people.collect_view()}</ul> }
    });
    view! {
        <div class="problem">
            <h1>{title}</h1>
            <p role="alert">{error.message}</p>
            {error.reference.map(|reference| view! { <p>"Reference to quote: " <code>{reference}</code></p> })}
            {people}
            <p><a class="button" href="/">{if request.actor.is_some() { "To your API keys" } else { "To the start" }}</a></p>
        </div>
    }
    .into_any()
}

async fn administrators(request: &RequestContext) -> Vec<(String, String)> {
    let Ok(actor) = request.actor() else { return Vec::new() };
    let found = request.services.members().administrators(actor).await.unwrap_or_default();
    found.into_iter().map(|member| (member.name.to_string(), member.email.as_str().to_owned())).collect()
}
