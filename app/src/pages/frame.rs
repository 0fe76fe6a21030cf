//! What is around every page: the rail with the tenant, the navigation and the person.

use domain::{Operation, Viewer};
use leptos::prelude::*;
use service::{Actor, offers};

use crate::{
    components::{
        icon::{Icon, Picture},
        toast::Toast,
    },
    live::Live,
    request::Theme,
};

/// The rail and the page beside it.
#[component]
pub fn Frame(
    actor: Actor,
    viewer: Viewer,
    return_to: String,
    theme: Theme,
    notice: Option<String>,
    children: Children,
) -> impl IntoView {
    let tenant = viewer.tenant_id.to_string();
    view! {
        <a class="skip" href="#main">"Skip to the page"</a>
        <div class="frame">
            <header class="rail">
                <input type="checkbox" id="rail-open" class="rail-toggle visually-hidden" aria-label="Show the navigation" />
                <div class="rail-top">
                    <a class="brand" href="/">"Latchkey"</a>
                    <label for="rail-open" class="icon-button rail-button" aria-hidden="true"><Picture icon=Icon::Menu /></label>
                </div>
                <div class="rail-body" id="rail">
                    <TenantSwitcher viewer=viewer.clone() return_to=return_to.clone() />
                    <Navigation actor return_to=return_to.clone() />
                    <Person name=viewer.user.name.to_string() return_to theme />
                </div>
            </header>
            <main id="main" tabindex="-1" data-tenant=tenant><div id="page">{children()}</div><Live /></main>
        </div>
        <Toast text=notice />
    }
}

/// A page without a rail: for those who aren't signed in.
#[component]
pub fn Plain(children: Children) -> impl IntoView {
    view! { <main id="main" class="plain"><a class="brand" href="/">"Latchkey"</a>{children()}</main> }
}

#[component]
fn TenantSwitcher(viewer: Viewer, return_to: String) -> impl IntoView {
    let current = viewer.current().map(|membership| (membership.tenant.name.to_string(), membership.role.label()));
    let (name, role) = current.unwrap_or_default();
    if viewer.memberships.len() < 2 {
        return view! { <div class="tenant"><strong>{name}</strong><span class="sub">{role}</span></div> }.into_any();
    }
    let options = viewer.memberships.iter().map(|membership| {
        let chosen = membership.tenant.id == viewer.tenant_id;
        view! { <option value=membership.tenant.id.to_string() selected=chosen>{membership.tenant.name.to_string()}</option> }
    });
    view! {
        <form class="tenant" method="post" action="/switch-tenant">
            <input type="hidden" name="return_to" value=return_to />
            <label for="tenant" class="visually-hidden">"Tenant"</label>
            <select id="tenant" name="tenant_id">{options.collect_view()}</select>
            <div class="tenant-row"><span class="sub">{role}</span><button type="submit" class="button small">"Switch"</button></div>
        </form>
    }
    .into_any()
}

#[component]
fn Navigation(actor: Actor, return_to: String) -> impl IntoView {
    let link = |path: &'static str, label: &'static str, icon: Icon| {
        let here = return_to.split('?').next().is_some_and(|current| current.starts_with(path));
        view! { <li><a href=path aria-current=here.then_some("page")><Picture icon />{label}</a></li> }
    };
    let offered = |operation, path, label, icon| offers(&actor, operation).then(|| link(path, label, icon));
    let accounts = offered(Operation::ListServiceAccounts, "/team/service-accounts", "Service Accounts", Icon::Robot);
    let log = offered(Operation::ListAuditLog, "/team/audit-log", "Audit log", Icon::Log);
    let settings = offered(Operation::RenameTenant, "/team/settings", "Settings", Icon::Gear);
    let keys = offered(Operation::ListTenantKeys, "/team/keys", "All keys", Icon::Keys);
    view! {
        <nav aria-label="Main">
            <h2 class="nav-title">"User"</h2>
            <ul>{link("/user/api-keys", "API Keys", Icon::Key)}{link("/user/profile", "Profile", Icon::Person)}{link("/user/sessions", "Sessions", Icon::Screen)}</ul>
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
        view! { <button type="submit" name="theme" value=choice.word() aria-pressed=pressed>{label}</button> }
    });
    view! {
        <div class="person">
            <p class="person-name"><Picture icon=Icon::Person />{name}</p>
            <form class="themes" method="post" action="/preferences/theme" aria-label="Theme">
                <input type="hidden" name="return_to" value=return_to />
                {themes.into_iter().collect_view()}
            </form>
            <form method="post" action="/sign-out"><button type="submit" class="button small">"Sign out"</button></form>
        </div>
    }
}
