//! The frame of every page: a rail with the tenant switcher, the navigation and the person.

use domain::{Operation, Viewer, user::input::SwitchTenant};
use leptos::prelude::*;
use service::{Actor, offers};

use super::search::search_template;
use crate::{
    api::wire::SEARCH,
    components::{
        act_form::act_form,
        icon::{Icon, Mark, Picture},
        toast::Toast,
    },
    live::Live,
    request::{RequestContext, Theme},
    route::in_another_tenant,
    words::{frame as words, labels},
};

/// The rail with the page next to it, for a signed-in person. On narrow screens the rail is a drawer: a popover, which
/// works without script.
pub fn frame(request: &RequestContext, contents: AnyView) -> AnyView {
    let (Some(actor), Some(viewer)) = (request.actor.clone(), request.viewer.clone()) else { return plain(contents) };
    let search = search_template(&actor);
    let (tenant, path) = (viewer.tenant_id.to_string(), request.path().to_owned());
    let tenant_name = viewer.current().map(|membership| membership.tenant.name.to_string());
    view! {
        <a class="skip" href="#main">
            {words::skip_to_content()}
        </a>
        <div class="frame">
            <header class="head">
                <div class="top-bar" id="bar">
                    <button type="button" class="icon-button" popovertarget="rail" aria-label=words::menu()>
                        <Picture icon=Icon::Menu />
                    </button>
                    <Brand />
                    <span class="top-tenant" translate="no">
                        {tenant_name}
                    </span>
                </div>
                <div class="rail" id="rail" popover="auto">
                    <div class="rail-top">
                        <Brand />
                        <button
                            type="button"
                            class="icon-button rail-close"
                            popovertarget="rail"
                            popovertargetaction="hide"
                            aria-label=words::close_menu()
                            autofocus
                        >
                            <Picture icon=Icon::Close />
                        </button>
                    </div>
                    {tenant_menu(request, &viewer)}
                    <a class="rail-search" href=SEARCH data-dialog="">
                        <Picture icon=Icon::Search />
                        {words::search()}
                        <kbd class="script-only" title=words::search_shortcut() aria-hidden="true" data-mac="⌘K">
                            "Ctrl K"
                        </kbd>
                    </a>
                    <Navigation actor path />
                    <Person viewer=viewer.clone() return_to=request.return_to.clone() theme=request.theme />
                </div>
            </header>
            <main id="main" tabindex="-1" data-tenant=tenant data-person=viewer.user.id.to_string()>
                <div id="page">{contents}</div>
                <Live />
            </main>
        </div>
        {search}
        <Toast notice=request.notice.clone() path=request.path().to_owned() />
    }
    .into_any()
}

/// A page without the rail, for people who aren't signed in.
pub fn plain(contents: AnyView) -> AnyView {
    plain_from("/".to_owned(), contents)
}

/// As [`plain`], at another address. `home`: that of Latchkey's first page.
pub fn plain_from(home: String, contents: AnyView) -> AnyView {
    view! {
        <main id="main" class="plain">
            <Brand home />
            {contents}
            <Live />
        </main>
    }
    .into_any()
}

#[component]
fn Brand(#[prop(default = "/".to_owned())] home: String) -> impl IntoView {
    view! {
        <a class="brand" href=home>
            <Mark />
            "Latchkey"
        </a>
    }
}

/// The selected tenant with the person's role; for a person with several tenants, the button of a menu in which one
/// press selects another. Each entry is a form of its own, because the script doesn't send a button's value.
fn tenant_menu(request: &RequestContext, viewer: &Viewer) -> AnyView {
    let current = viewer.current().map(|membership| (membership.tenant.name.to_string(), membership.role.label()));
    let (name, role) = current.unwrap_or_default();
    if viewer.memberships.len() < 2 {
        return view! {
            <div class="tenant">
                <strong translate="no">{name}</strong>
                <span class="sub">{role}</span>
            </div>
        }
        .into_any();
    }
    // The resource of the current page may not exist in another tenant.
    let then = in_another_tenant(request.path());
    let entries = viewer.memberships.iter().map(|membership| {
        let id = membership.tenant.id;
        let label = view! {
            <span>
                <span translate="no">{membership.tenant.name.to_string()}</span>
                <span class="sub">{membership.role.label()}</span>
            </span>
        };
        let entry = if id == viewer.tenant_id {
            view! {
                <div class="here" aria-current="true">
                    {label}
                    <Picture icon=Icon::Check />
                </div>
            }
            .into_any()
        } else {
            let button = view! { <button type="submit">{label}</button> };
            act_form::<SwitchTenant>(request, then, &[("tenant_id", id.to_string())], button.into_any())
        };
        view! { <li>{entry}</li> }
    });
    view! {
        <div class="menu">
            <button type="button" class="tenant" popovertarget="tenants">
                <span class="visually-hidden">{words::tenant()}</span>
                <strong translate="no">{name}</strong>
                <span class="sub">{role}</span>
                <Picture icon=Icon::Choose />
            </button>
            <ul class="menu-list tenant-list" id="tenants" popover="auto">
                {entries.collect_view()}
            </ul>
        </div>
    }
    .into_any()
}

#[component]
fn Navigation(actor: Actor, path: String) -> impl IntoView {
    let link = |target: &'static str, label: &'static str, icon: Icon| {
        let is_here = path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        view! {
            <li>
                <a href=target aria-current=is_here.then_some("page")>
                    <Picture icon />
                    {label}
                </a>
            </li>
        }
    };
    let offered = |operation, target, label, icon| offers(&actor, operation).then(|| link(target, label, icon));
    let overview = offered(Operation::ListTenantKeys, "/team/overview", labels::overview(), Icon::Overview);
    let accounts =
        offered(Operation::ListServiceAccounts, "/team/service-accounts", labels::service_accounts(), Icon::Robot);
    let log = offered(Operation::ListAuditLog, "/team/audit-log", labels::audit_log(), Icon::Log);
    let settings = offered(Operation::RenameTenant, "/team/settings", labels::settings(), Icon::Gear);
    let keys = offered(Operation::ListTenantKeys, "/team/keys", labels::all_keys(), Icon::Keys);
    view! {
        <nav aria-label=words::main()>
            <h2 class="nav-title">{labels::user()}</h2>
            <ul>
                {link("/user/api-keys", labels::api_keys(), Icon::Key)}
                {link("/user/profile", labels::profile(), Icon::Person)}
                {link("/user/sessions", labels::sessions(), Icon::Screen)}
            </ul>
            <h2 class="nav-title">{words::team()}</h2>
            <ul>{overview}{accounts}{keys}{link("/team/members", labels::members(), Icon::People)}{log}{settings}</ul>
            <h2 class="nav-title">{words::api()}</h2>
            <ul>{link("/docs", labels::documentation(), Icon::Book)}{link("/graphiql", "GraphiQL", Icon::Braces)}</ul>
        </nav>
    }
}

/// The signed-in person, as the button of a menu: the theme, the shortcuts, sign-out.
#[component]
fn Person(viewer: Viewer, return_to: String, theme: Theme) -> impl IntoView {
    let (name, email) = (viewer.user.name.to_string(), viewer.user.email.as_str().to_owned());
    let themes = Theme::ALL.map(|choice| {
        let label = match choice {
            Theme::System => words::system(),
            Theme::Light => words::light(),
            Theme::Dark => words::dark(),
        };
        let pressed = if choice == theme { "true" } else { "false" };
        view! {
            <button type="submit" name="theme" value=choice.code() aria-pressed=pressed>
                {label}
            </button>
        }
    });
    view! {
        <div class="menu person">
            <button type="button" class="tenant" popovertarget="person">
                <span class="visually-hidden">{words::you()}</span>
                <strong translate="no">{name}</strong>
                <span class="sub" translate="no">
                    {email}
                </span>
                <Picture icon=Icon::Choose />
            </button>
            <div class="menu-list person-list" id="person" popover="auto">
                <form class="themes" method="post" action="/preferences/theme" aria-label=words::theme()>
                    <input type="hidden" name="return_to" value=return_to />
                    {themes.into_iter().collect_view()}
                </form>
                <ul>
                    <li class="script-only">
                        <a href="/shortcuts" data-dialog="">
                            {words::keyboard_shortcuts()}
                        </a>
                    </li>
                    <li>
                        <form method="post" action="/sign-out">
                            <button type="submit">{labels::sign_out()}</button>
                        </form>
                    </li>
                </ul>
            </div>
        </div>
    }
}
