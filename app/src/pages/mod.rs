//! Pages: HTML from the server; the one island stands in `live.rs`. One file a group of pages; `frame.rs` is what is around them.

mod agents;
mod api_keys;
mod audit_log;
mod entry;
mod frame;
mod graphiql;
mod inventory;
mod key_acts;
mod key_details;
mod members;
mod policies;
mod problem;
mod profile;
mod second_factor;
mod service_accounts;
mod sessions;
mod tenants;
mod toolbar;

use axum::http::header;
use domain::ApiError;
use leptos::{config::LeptosOptions, nonce::use_nonce, prelude::*};
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::request::{Theme, context, set_header};

/// The document around every page.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    provide_meta_context();
    set_content_policy(false);
    let theme = match context().theme {
        Theme::System => None,
        chosen => Some(chosen.word()),
    };
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link id="leptos" rel="stylesheet" href=format!("/pkg/{}", context().assets.stylesheet) />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The content policy of a page (W3C CSP3): scripts by nonce alone, WASM allowed, nothing inline. `styles`: whether
/// stylesheets in the page are taken too, with the nonce.
fn set_content_policy(styles: bool) {
    let nonce = use_nonce().map(|nonce| format!("'nonce-{nonce}'")).unwrap_or_default();
    let style_nonce = if styles { nonce.as_str() } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self' {nonce} 'wasm-unsafe-eval'; style-src 'self' {style_nonce}; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    set_header(header::CONTENT_SECURITY_POLICY, &policy);
}

/// The route table.
#[component]
fn App() -> impl IntoView {
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Latchkey".to_owned() } else { format!("{title} · Latchkey") } />
        <Router>
            <Routes fallback=problem::NotFound>
                <Route path=path!("/sign-in") view=entry::SignIn ssr=SsrMode::Async />
                <Route path=path!("/sign-in/code") view=entry::Code ssr=SsrMode::Async />
                <Route path=path!("/set-up/:token") view=entry::SetUp ssr=SsrMode::Async />
                <Route path=path!("/user/api-keys") view=api_keys::OwnKeys ssr=SsrMode::Async />
                <Route path=path!("/user/api-keys/new") view=api_keys::NewOwnKey ssr=SsrMode::Async />
                <Route path=path!("/user/api-keys/:key") view=key_details::OwnKey ssr=SsrMode::Async />
                <Route path=path!("/user/api-keys/:key/:act") view=key_acts::OwnKeyAct ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts") view=service_accounts::Accounts ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/new") view=service_accounts::NewAccount ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account") view=service_accounts::OneAccount ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account/delete") view=service_accounts::DeleteAccount ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account/keys/new") view=service_accounts::NewAccountKey ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account/keys/:key") view=key_details::AccountKey ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account/keys/:key/:act") view=key_acts::AccountKeyAct ssr=SsrMode::Async />
                <Route path=path!("/team/service-accounts/:account/:act") view=service_accounts::AccountAct ssr=SsrMode::Async />
                <Route path=path!("/user/profile") view=profile::Profile ssr=SsrMode::Async />
                <Route path=path!("/user/profile/:act") view=profile::ProfileAct ssr=SsrMode::Async />
                <Route path=path!("/user/second-factor/:act") view=second_factor::SecondFactor ssr=SsrMode::Async />
                <Route path=path!("/user/sessions") view=sessions::Sessions ssr=SsrMode::Async />
                <Route path=path!("/user/sessions/end-others") view=sessions::EndOthers ssr=SsrMode::Async />
                <Route path=path!("/user/sessions/:session/end") view=sessions::EndSession ssr=SsrMode::Async />
                <Route path=path!("/team/members") view=members::Members ssr=SsrMode::Async />
                <Route path=path!("/team/members/:user/:act") view=members::MemberAct ssr=SsrMode::Async />
                <Route path=path!("/team/members/invite") view=members::Invite ssr=SsrMode::Async />
                <Route path=path!("/team/members/invitations/:invitation/cancel") view=members::CancelInvitation ssr=SsrMode::Async />
                <Route path=path!("/team/keys") view=inventory::Inventory ssr=SsrMode::Async />
                <Route path=path!("/team/keys/:bulk") view=inventory::Bulk ssr=SsrMode::Async />
                <Route path=path!("/team/settings/policies/:policy") view=policies::Policy ssr=SsrMode::Async />
                <Route path=path!("/team/settings/policies/:policy/off") view=policies::PolicyOff ssr=SsrMode::Async />
                <Route path=path!("/team/settings") view=tenants::Settings ssr=SsrMode::Async />
                <Route path=path!("/team/settings/rename") view=tenants::RenameTenant ssr=SsrMode::Async />
                <Route path=path!("/tenants/new") view=tenants::NewTenant ssr=SsrMode::Async />
                <Route path=path!("/invitations/:token") view=tenants::AcceptInvitation ssr=SsrMode::Async />
                <Route path=path!("/user/calendar/:act") view=profile::CalendarAct ssr=SsrMode::Async />
                <Route path=path!("/team/audit-log") view=audit_log::Log ssr=SsrMode::Async />
                <Route path=path!("/team/audit-log/:line") view=audit_log::Line ssr=SsrMode::Async />
                <Route path=path!("/graphiql") view=graphiql::Graphiql ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}

/// A page whose contents come from the services: in its frame, or as the problem that came instead.
fn page<F>(title: &'static str, load: F) -> impl IntoView
where
    F: Future<Output = Result<AnyView, ApiError>> + Send + 'static,
{
    let request = context();
    view! {
        <Title text=title />
        {Suspend::new(async move {
            let reader = match request.actor() {
                Ok(actor) => {
                    let viewer = request.services.users().viewer(actor).await;
                    viewer.map(|viewer| (actor.clone(), viewer)).map_err(ApiError::from)
                }
                Err(error) => Err(error),
            };
            match reader {
                Ok((actor, viewer)) => {
                    let contents = match load.await {
                        Ok(contents) => contents,
                        Err(error) => problem::contents(&request, error).await,
                    };
                    view! { <frame::Frame actor viewer return_to=request.return_to.clone() theme=request.theme notice=notice(&request)>{contents}</frame::Frame> }.into_any()
                }
                Err(error) => {
                    let contents = problem::contents(&request, error).await;
                    view! { <frame::Plain>{contents}</frame::Plain> }.into_any()
                }
            }
        })}
    }
}

/// A parameter of the path, as an id; a text that is none is a thing that isn't there.
fn path_id<T: std::str::FromStr>(name: &str) -> Result<T, ApiError> {
    path_word(name).parse().map_err(|_| ApiError::not_found())
}

/// A word of the path.
fn path_word(name: &str) -> String {
    leptos_router::hooks::use_params_map().with_untracked(|params| params.get(name)).unwrap_or_default()
}

/// The parameters of the list in the query.
fn list_params() -> crate::list_url::ListParams {
    let query = leptos_router::hooks::use_query_map();
    let get = |name: &str| query.with_untracked(|query| query.get(name));
    crate::list_url::ListParams {
        search: get("q"),
        state: get("state"),
        sort: get("sort"),
        direction: get("dir"),
        after: get("after"),
        before: get("before"),
    }
}

/// The sentence of a notice's word.
fn notice(request: &crate::request::RequestContext) -> Option<String> {
    let sentence = match request.notice.as_deref()? {
        "key-revoked" => "The API key has been revoked.",
        "key-renamed" => "The API key has another name now.",
        "key-suspended" => "The API key is suspended.",
        "key-resumed" => "The API key works again.",
        "roll-finished" => "The roll is finished: the old token is refused from now on.",
        "roll-extended" => "The old token works longer.",
        "roll-cancelled" => "The roll is taken back: the new token is refused, the old one is as it was.",
        "account-changed" => "The service account has been changed.",
        "account-suspended" => "The service account is suspended, and all its keys.",
        "account-resumed" => "The service account's keys work again.",
        "account-deleted" => "The service account has been deleted.",
        "member-changed" => "The member has another role now.",
        "member-removed" => "The member has been removed, and their keys here with them.",
        "invitation-cancelled" => "The invitation is taken back.",
        "joined" => "You are a member now.",
        "tenant-renamed" => "The tenant has another name now.",
        "tenant-created" => "The tenant has been made, and you stand in it.",
        "calendar-revoked" => "The calendar's link works no more.",
        "keys-suspended" => "The chosen API keys are suspended.",
        "keys-revoked" => "The chosen API keys have been revoked.",
        "some-keys-suspended" => {
            "Some of the chosen API keys are suspended; the others were stopped or over already, or aren't of this tenant."
        }
        "some-keys-revoked" => {
            "Some of the chosen API keys have been revoked; the others were over already, or aren't of this tenant."
        }
        "elsewhere" => {
            "You stand in another tenant than when that page was opened. Nothing was changed: look again before you go on."
        }
        "not-there" => "You don't belong to that tenant any more.",
        "policy-set" => "The policy is set.",
        "policy-cleared" => "The policy is off.",
        "profile-changed" => "Your name has been changed.",
        "password-changed" => "Your password has been changed; your other sessions have ended.",
        "session-ended" => "The session has ended.",
        "sessions-ended" => "Your other sessions have ended.",
        "second-factor-disabled" => "The second factor is off.",
        "signed-out" => "You are signed out.",
        _ => return None,
    };
    Some(sentence.to_owned())
}

/// A fresh id for a form: the same form twice makes one thing.
fn form_id() -> String {
    service::new_form_id()
}
