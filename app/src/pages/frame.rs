//! The frame of every page: a rail with the tenant switcher, the navigation and the person.

use domain::{Notice, Operation, Viewer, user::input::SwitchTenant};
use leptos::prelude::*;
use service::{Actor, offers};

use crate::{
    components::{
        act_form::act_form,
        icon::{Icon, Picture},
        toast::Toast,
    },
    live::Live,
    request::{RequestContext, Theme},
    route::in_another_tenant,
};

/// The rail with the page next to it, for a signed-in person.
pub fn frame(request: &RequestContext, contents: AnyView) -> AnyView {
    let (Some(actor), Some(viewer)) = (request.actor.clone(), request.viewer.clone()) else { return plain(contents) };
    let (tenant, path) = (viewer.tenant_id.to_string(), request.path().to_owned());
    let notice = request.notice.as_ref().and_then(Notice::sentence);
    view! {
        <a class="skip" href="#main">
            "Skip to content"
        </a>
        <div class="frame">
            <header class="rail">
                <input type="checkbox" id="rail-open" class="rail-toggle visually-hidden" aria-label="Menu" />
                <div class="rail-top">
                    <a class="brand" href="/">
                        "Latchkey"
                    </a>
                    <label for="rail-open" class="icon-button rail-button" aria-hidden="true">
                        <Picture icon=Icon::Menu />
                    </label>
                </div>
                <div class="rail-body" id="rail">
                    {tenant_switcher(request, &viewer)}
                    <Navigation actor return_to=path />
                    <Person name=viewer.user.name.to_string() return_to=request.return_to.clone() theme=request.theme />
                </div>
            </header>
            <main id="main" tabindex="-1" data-tenant=tenant>
                <div id="page">{contents}</div>
                <Live />
            </main>
        </div>
        <Toast text=notice />
    }
    .into_any()
}

/// A page without the rail, for people who aren't signed in.
pub fn plain(contents: AnyView) -> AnyView {
    view! {
        <main id="main" class="plain">
            <a class="brand" href="/">
                "Latchkey"
            </a>
            {contents}
        </main>
    }
    .into_any()
}

fn tenant_switcher(request: &RequestContext, viewer: &Viewer) -> AnyView {
    let current = viewer.current().map(|membership| (membership.tenant.name.to_string(), membership.role.label()));
    let (name, role) = current.unwrap_or_default();
    if viewer.memberships.len() < 2 {
        return view! {
            <div class="tenant">
                <strong>{name}</strong>
                <span class="sub">{role}</span>
            </div>
        }
        .into_any();
    }
    let options = viewer.memberships.iter().map(|membership| {
        let chosen = membership.tenant.id == viewer.tenant_id;
        view! {
            <option value=membership.tenant.id.to_string() selected=chosen>
                {membership.tenant.name.to_string()}
            </option>
        }
    });
    let fields = view! {
        <label for="tenant" class="visually-hidden">
            "Tenant"
        </label>
        <select id="tenant" name="tenant_id">
            {options.collect_view()}
        </select>
        <div class="tenant-row">
            <span class="sub">{role}</span>
            <button type="submit" class="button small">
                "Switch"
            </button>
        </div>
    };
    // The resource of the current page may not exist in another tenant.
    let then = in_another_tenant(request.path());
    view! { <div class="tenant">{act_form::<SwitchTenant>(request, then, &[], fields.into_any())}</div> }.into_any()
}

#[component]
fn Navigation(actor: Actor, return_to: String) -> impl IntoView {
    let link = |path: &'static str, label: &'static str, icon: Icon| {
        let here = return_to.starts_with(path);
        view! {
            <li>
                <a href=path aria-current=here.then_some("page")>
                    <Picture icon />
                    {label}
                </a>
            </li>
        }
    };
    let offered = |operation, path, label, icon| offers(&actor, operation).then(|| link(path, label, icon));
    let accounts = offered(Operation::ListServiceAccounts, "/team/service-accounts", "Service Accounts", Icon::Robot);
    let log = offered(Operation::ListAuditLog, "/team/audit-log", "Audit log", Icon::Log);
    let settings = offered(Operation::RenameTenant, "/team/settings", "Settings", Icon::Gear);
    let keys = offered(Operation::ListTenantKeys, "/team/keys", "All keys", Icon::Keys);
    view! {
        <nav aria-label="Main">
            <h2 class="nav-title">"User"</h2>
            <ul>
                {link("/user/api-keys", "API Keys", Icon::Key)}{link("/user/profile", "Profile", Icon::Person)}
                {link("/user/sessions", "Sessions", Icon::Screen)}
            </ul>
            <h2 class="nav-title">"Team"</h2>
            <ul>{accounts}{keys}{link("/team/members", "Members", Icon::People)}{log}{settings}</ul>
            <h2 class="nav-title">"API"</h2>
            <ul>{link("/graphiql", "GraphiQL", Icon::Braces)}</ul>
        </nav>
    }
}

#[component]
fn Person(name: String, return_to: String, theme: Theme) -> impl IntoView {
    let themes = Theme::ALL.map(|choice| {
        let label = match choice {
            Theme::System => "System",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        };
        let pressed = if choice == theme { "true" } else { "false" };
        view! {
            <button type="submit" name="theme" value=choice.code() aria-pressed=pressed>
                {label}
            </button>
        }
    });
    view! {
        <div class="person">
            <p class="person-name">
                <Picture icon=Icon::Person />
                {name}
            </p>
            <form class="themes" method="post" action="/preferences/theme" aria-label="Theme">
                <input type="hidden" name="return_to" value=return_to />
                {themes.into_iter().collect_view()}
            </form>
            <form method="post" action="/sign-out">
                <button type="submit" class="button small">
                    "Sign out"
                </button>
            </form>
        </div>
    }
}
