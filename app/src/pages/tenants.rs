//! The tenant as a whole: its settings, making one, and coming into one by an invitation.

use domain::{ApiError, Invitation};
use leptos::prelude::*;
use leptos_meta::Title;

use super::{frame::Plain, page, path_word, policies::policy_list, problem};
use crate::{
    as_code::AsCode,
    components::{
        as_code::CodeFold,
        confirm_fields::confirm_fields,
        facts::Facts,
        field::{Field, FormError},
        place::place_field,
        time::Moment,
    },
    request::{RequestContext, context},
};

const SETTINGS: &str = "/team/settings";

/// `/team/settings`.
#[component]
pub fn Settings() -> impl IntoView {
    let request = context();
    page("Settings", async move {
        let actor = request.actor()?;
        let tenant = request.services.tenants().get_to_change(actor).await?;
        let now = request.services.now();
        let policies = policy_list(&request.services.tenant_policies().list(actor).await?, now);
        let name = view! { {tenant.name.to_string()}" "<a class="button small" href=format!("{SETTINGS}/rename") data-dialog="">"Rename"</a> };
        let rows = vec![
            ("Name", name.into_any()),
            ("Short name", view! { <code>{tenant.slug.as_str().to_owned()}</code> }.into_any()),
            ("Created", view! { <Moment at=tenant.created_at now /> }.into_any()),
            ("Id", view! { <code>{tenant.id.to_string()}</code> }.into_any()),
        ];
        Ok(view! {
            <h1>"Settings"</h1>
            <p class="lead">"What holds for the whole tenant."</p>
            <Facts rows />
            {policies}
            <section class="below-table" aria-labelledby="other-title">
                <h2 id="other-title">"Another tenant"</h2>
                <p>"A tenant is a wall: its members, accounts and keys are its own. "<a class="button small" href="/tenants/new" data-dialog="">"Create a tenant"</a></p>
            </section>
        }
        .into_any())
    })
}

/// `/team/settings/rename`.
#[component]
pub fn RenameTenant() -> impl IntoView {
    let request = context();
    page("Rename the tenant", async move {
        let tenant = request.services.tenants().get_to_change(request.actor()?).await?;
        let typed = request.form.value("name");
        let name = if typed.is_empty() { tenant.name.to_string() } else { typed };
        let code = request.code(None).await?;
        let example = AsCode::rename_tenant(&code, &name);
        let error = Signal::stored(request.form.error.clone());
        Ok(view! {
            <div class="card">
                <h1 id="card-title">"Rename the tenant"</h1>
                <form method="post">
                    {place_field(&request)}
                    <FormError error fields=&["name"] />
                    <Field name="name" label="Tenant name" value=name hint="The short name stays: clients and scripts hold it." autocomplete="organization" autofocus=true error />
                    <div class="buttons"><a class="button" href=SETTINGS data-close="">"Cancel"</a><button type="submit" class="button primary">"Rename"</button></div>
                </form>
                <CodeFold code=example public_url=code.public_url />
            </div>
        }
        .into_any())
    })
}

/// `/tenants/new`.
#[component]
pub fn NewTenant() -> impl IntoView {
    let request = context();
    page("Create a tenant", async move {
        request.services.tenants().check_may_create(request.actor()?).await?;
        let confirm = confirm_fields(&request).await?;
        let error = Signal::stored(request.form.error.clone());
        let (name, slug) = (request.form.value("name"), request.form.value("slug"));
        let example = AsCode::create_tenant(&name, &slug);
        Ok(view! {
            <div class="card">
                <h1 id="card-title">"Create a tenant"</h1>
                <p>"You become its first administrator, and stand in it from then on."</p>
                <form method="post">
                    <FormError error fields=&["name", "slug", "confirm_password", "confirm_code"] />
                    <Field name="name" label="Tenant name" value=name hint="An organisation, like Acme Robotics." autocomplete="organization" autofocus=true error />
                    <Field name="slug" label="Tenant short name" value=slug hint="Lower-case letters, digits and hyphens, like acme." error />
                    {confirm}
                    <div class="buttons"><a class="button" href=SETTINGS data-close="">"Cancel"</a><button type="submit" class="button primary">"Create tenant"</button></div>
                </form>
                <CodeFold code=example public_url=request.public_url.clone() />
            </div>
        }
        .into_any())
    })
}

/// `/invitations/{token}`.
#[component]
pub fn AcceptInvitation() -> impl IntoView {
    let (request, secret) = (context(), path_word("token"));
    view! {
        <Title text="Invitation" />
        <Plain>
            {Suspend::new(async move {
                match invitation(&request, &secret).await {
                    Ok(card) => card,
                    Err(error) => problem::contents(&request, error).await,
                }
            })}
        </Plain>
    }
}

async fn invitation(request: &RequestContext, secret: &str) -> Result<AnyView, ApiError> {
    let (invitation, has_account) = request.services.invitations().find(secret).await?;
    let path = format!("/invitations/{secret}");
    let title = format!("Join {}", invitation.tenant_name);
    let words = format!(
        "{} invites you ({}) to become a member of {}, as {}.",
        invitation.created_by,
        invitation.email.as_str(),
        invitation.tenant_name,
        invitation.role.label()
    );
    let form = match request.actor() {
        Ok(actor) => {
            let viewer = request.services.users().viewer(actor).await?;
            if viewer.user.email == invitation.email {
                let error = Signal::stored(request.form.error.clone());
                view! {
                    <form method="post" action=path>
                        <FormError error fields=&[] />
                        <div class="buttons"><button type="submit" class="button primary wide">{format!("Join as {}", viewer.user.name)}</button></div>
                    </form>
                }
                .into_any()
            } else {
                let who =
                    format!("You are signed in as {}. Sign out, and open the link again.", viewer.user.email.as_str());
                view! { <p>{who}</p><form method="post" action="/sign-out"><div class="buttons"><button type="submit" class="button primary wide">"Sign out"</button></div></form> }
                    .into_any()
            }
        }
        Err(_) if request.services.invitations().has_no_tenant(&invitation).await? => {
            let error = Signal::stored(request.form.error.clone());
            view! {
                <form method="post" action=path>
                    <FormError error fields=&["password", "code"] />
                    <p>"You have an account already."</p>
                    <input type="hidden" autocomplete="username" value=invitation.email.as_str().to_owned() />
                    <Field name="password" label="Password" kind="password" autocomplete="current-password" autofocus=true error />
                    <Field name="code" label="Code of your second factor" hint="If you have one: from the app, or a recovery code." autocomplete="one-time-code" required=false error />
                    <div class="buttons"><button type="submit" class="button primary wide">"Join"</button></div>
                </form>
            }
            .into_any()
        }
        Err(_) if has_account => {
            let href = format!("/sign-in?next={}", crate::list_url::encode(&path));
            view! { <p>"You have an account already."</p><div class="buttons"><a class="button primary wide" href=href>"Sign in to join"</a></div> }.into_any()
        }
        Err(_) => new_person(request, &invitation, path),
    };
    Ok(view! { <div class="card"><h1>{title}</h1><p>{words}</p>{form}</div> }.into_any())
}

fn new_person(request: &RequestContext, invitation: &Invitation, path: String) -> AnyView {
    let error = Signal::stored(request.form.error.clone());
    view! {
        <form method="post" action=path>
            <FormError error fields=&["name", "password"] />
            <input type="hidden" autocomplete="username" value=invitation.email.as_str().to_owned() />
            <Field name="name" label="Your name" value=request.form.value("name") autocomplete="name" autofocus=true error />
            <Field name="password" label="Password" kind="password" hint="At least 15 characters. Several words in a row are easy to remember." autocomplete="new-password" error />
            <div class="buttons"><button type="submit" class="button primary wide">"Join"</button></div>
        </form>
    }
    .into_any()
}
