//! The pages, rendered to HTML on the server. Each file holds a group of related pages; `frame.rs` renders the frame
//! around them. The paths are in `routes.rs`.

pub(crate) mod account_details;
pub(crate) mod agents;
pub(crate) mod api_keys;
pub(crate) mod audit_log;
pub(crate) mod confirm;
pub(crate) mod docs;
pub(crate) mod empty_list;
pub(crate) mod entry;
pub(crate) mod first_request;
pub(crate) mod flow_runs;
pub(crate) mod frame;
pub mod gateways;
pub(crate) mod graphiql;
pub(crate) mod inventory;
pub(crate) mod key_acts;
pub(crate) mod key_details;
pub(crate) mod key_limits;
mod key_scopes;
pub(crate) mod members;
pub(crate) mod new_key;
pub(crate) mod overview;
pub(crate) mod policies;
pub(crate) mod problem;
pub(crate) mod profile;
pub(crate) mod scopes;
pub(crate) mod search;
pub(crate) mod second_factor;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod shortcuts;
pub(crate) mod tenants;
pub(crate) mod test_key;
pub(crate) mod toolbar;
mod verifiers;

use axum::http::header;
use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::{MetaTags, Title, provide_meta_context};

use crate::{
    components::start_script::start_script,
    list_url::ListParams,
    request::{RequestContext, Theme, context, set_header},
    route::{Access, Route},
};

/// The HTML document of a page. Without a route, of the “Page not found” page.
pub fn shell(route: Option<Route>) -> impl IntoView {
    provide_meta_context();
    set_content_policy(false);
    let request = context();
    let theme = match request.theme {
        Theme::System => None,
        chosen => Some(chosen.code()),
    };
    let stylesheet = format!("/pkg/{}", request.assets.stylesheet);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link id="leptos" rel="stylesheet" href=stylesheet />
                {start_script(&request.assets.page)}
                <MetaTags />
            </head>
            <body>
                <Title formatter=title_text />
                {body(request, route)}
            </body>
        </html>
    }
}

/// The text of `<title>`. Escaped here, because `leptos_meta` writes it into the HTML as it is, and it contains names
/// that people chose.
fn title_text(title: String) -> String {
    if title.is_empty() {
        return "Latchkey".to_owned();
    }
    format!("{} · Latchkey", title.replace('&', "&amp;").replace('<', "&lt;"))
}

fn body(request: RequestContext, route: Option<Route>) -> AnyView {
    let Some(route) = route else { return problem::not_found(&request) };
    let default_title = page_title(&request, route);
    let contents = Suspend::new(async move {
        let loaded = (route.load)(request.clone()).await;
        let is_framed = route.access != Access::Anyone;
        let contents = match loaded {
            Ok(contents) => {
                let title = request.title.get().map(|title| view! { <Title text=title.to_owned() /> });
                view! {
                    {title}
                    {contents}
                }
                .into_any()
            }
            Err(error) => return problem::page(&request, error, is_framed).await,
        };
        match (is_framed, &request.actor, &request.viewer) {
            (true, Some(_), Some(_)) => frame::frame(&request, contents),
            _ => frame::plain(contents),
        }
    });
    view! {
        <Title text=default_title />
        {contents}
    }
    .into_any()
}

/// The title of a page that sets none of its own: that of the route, in the selected tenant.
fn page_title(request: &RequestContext, route: Route) -> String {
    match request.viewer.as_ref().and_then(|viewer| viewer.current()) {
        Some(here) if route.access == Access::Person => format!("{} · {}", route.title, here.tenant.name),
        _ => route.title.to_owned(),
    }
}

/// Sets the page's Content-Security-Policy (W3C CSP3): scripts only from this origin or with the nonce, WASM allowed,
/// nothing inline without the nonce. `styles`: whether inline stylesheets with the nonce are allowed too.
fn set_content_policy(styles: bool) {
    let nonce = use_nonce().map(|nonce| format!("'nonce-{nonce}'")).unwrap_or_default();
    let style_nonce = if styles { nonce.as_str() } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self' {nonce} 'wasm-unsafe-eval'; style-src 'self' {style_nonce}; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    set_header(header::CONTENT_SECURITY_POLICY, &policy);
}

/// The list parameters in the URL's query.
fn list_params(request: &RequestContext) -> ListParams {
    let get = |name: &str| Some(request.query(name).to_owned()).filter(|text| !text.is_empty());
    ListParams {
        search: get("q"),
        state: get("state"),
        sort: get("sort"),
        direction: get("dir"),
        after: get("after"),
        before: get("before"),
        size: get("size"),
    }
}
