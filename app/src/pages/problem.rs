//! Error pages: an HTTP status, the reason, and what to do next.

use domain::{ApiError, ErrorCode, Role, Viewer};
use leptos::prelude::*;
use leptos_meta::Title;

use super::frame;
use crate::{
    request::{RequestContext, set_status},
    words::{frame as words, labels},
};

/// The page for a path that no page has.
pub fn not_found(request: &RequestContext) -> AnyView {
    set_status(404);
    let message =
        if request.actor.is_some() { words::check_the_address() } else { words::check_the_address_or_sign_in() };
    let contents = problem(request, words::page_not_found(), view! { <p>{message}</p> }.into_any(), (), request.path());
    in_frame(request, words::page_not_found(), contents, true)
}

/// Shown instead of a page when its use case returns an error. `is_framed`: whether the page has the navigation.
pub async fn page(request: &RequestContext, error: ApiError, is_framed: bool) -> AnyView {
    set_status(error.code.status());
    let title = match error.code {
        ErrorCode::NotFound => words::not_found(),
        ErrorCode::Forbidden => words::you_dont_have_access(),
        ErrorCode::Unauthenticated => words::youre_signed_out(),
        ErrorCode::BadUserInput => words::this_link_doesnt_work(),
        _ => words::something_went_wrong(),
    };
    let people = if error.code == ErrorCode::Forbidden { administrators(request).await } else { None };
    let message = view! {
        <p role="alert">{error.message}</p>
        {error.reference.map(|reference| view! { <p>{labels::reference(view! { <code>{reference}</code> })}</p> })}
    };
    // The page above a forbidden one may be forbidden too.
    let path = if error.code == ErrorCode::Forbidden { "" } else { request.path() };
    let contents = problem(request, title, message.into_any(), people, path);
    in_frame(request, title, contents, is_framed)
}

/// The contents of every error page. `below`: shown between the message and the link. `path`: see [`next`].
fn problem(
    request: &RequestContext,
    title: &'static str,
    message: AnyView,
    below: impl IntoView,
    path: &str,
) -> AnyView {
    card(title, message, below.into_any(), next(path, request.actor.is_some()))
}

/// A message with its title, and a link to go on. `below`: shown between the message and the link.
pub(super) fn card(
    title: &'static str,
    message: AnyView,
    below: AnyView,
    (href, label): (impl Into<String>, impl Into<String>),
) -> AnyView {
    let (href, label): (String, String) = (href.into(), label.into());
    view! {
        <div class="problem">
            <h1>{title}</h1>
            {message}
            {below}
            <p>
                <a class="button" href=href>
                    {label}
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// The page with its title, inside the navigation for a signed-in person. A notice about what was done before isn't
/// shown beside an error; the next page shows it.
fn in_frame(request: &RequestContext, title: &'static str, contents: AnyView, is_framed: bool) -> AnyView {
    let tenant = request.viewer.as_ref().and_then(Viewer::current).map(|membership| membership.tenant.name.to_string());
    let tab = tenant.map_or_else(|| title.to_owned(), |tenant| format!("{title} · {tenant}"));
    let contents = view! {
        <Title text=tab />
        {contents}
    }
    .into_any();
    if is_framed && request.actor.is_some() && request.viewer.is_some() {
        frame::frame(&RequestContext { notice: None, ..request.clone() }, contents)
    } else {
        frame::plain(contents)
    }
}

/// The link of an error page: to the page above the missing one or, on that page itself, to the person's keys.
fn next(path: &str, is_signed_in: bool) -> (&'static str, &'static str) {
    const PARENTS: [(&str, &str, &str); 7] = [
        ("/team/service-accounts/", "/team/service-accounts", words::go_to_service_accounts()),
        ("/team/keys/", "/team/keys", words::go_to_all_keys()),
        ("/team/members/", "/team/members", words::go_to_members()),
        ("/team/settings/", "/team/settings", words::go_to_settings()),
        ("/team/audit-log/", "/team/audit-log", words::go_to_the_audit_log()),
        ("/user/second-factor/", "/user/profile", words::back_to_profile()),
        ("/user/sessions/", "/user/sessions", words::go_to_sessions()),
    ];
    if !is_signed_in {
        return ("/sign-in", words::go_to_sign_in());
    }
    let parent = PARENTS.iter().find(|(prefix, _, _)| path.starts_with(prefix));
    parent.map_or(("/user/api-keys", words::go_to_api_keys()), |(_, href, label)| (href, label))
}

/// Whom a person who may not see a page can ask: the tenant's administrators or, in a tenant without any, the operator.
/// Nothing for an administrator, whom nobody in the tenant has more rights than, and when the list can't be loaded.
async fn administrators(request: &RequestContext) -> Option<AnyView> {
    let actor = request.actor().ok().filter(|actor| actor.role() < Role::TenantAdmin)?;
    let found = request.services.members().administrators(actor).await.ok()?;
    if found.is_empty() {
        return Some(view! { <p>{words::no_administrator()}</p> }.into_any());
    }
    let people = found.into_iter().map(|member| {
        let email = member.email.as_str().to_owned();
        view! {
            <li>
                <bdi translate="no">{member.name.to_string()}</bdi>
                " — "
                <a href=format!("mailto:{email}")>{email.clone()}</a>
            </li>
        }
    });
    Some(
        view! {
            <h2>{words::the_tenants_administrators()}</h2>
            <ul>{people.collect_view()}</ul>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_page_leads_to_the_list_above_and_never_to_itself() {
        assert_eq!(next("/team/service-accounts/1/keys/2", true).0, "/team/service-accounts");
        assert_eq!(next("/user/second-factor/enable", true).1, "Back to profile");
        for path in ["/team/service-accounts", "/team/settings", "/user/api-keys/1", "/nothing"] {
            assert_eq!(next(path, true).0, "/user/api-keys", "{path}");
        }
        assert_eq!(next("/set-up/used", false), ("/sign-in", "Go to sign-in"));
    }
}
