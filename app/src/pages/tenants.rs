//! The pages about a tenant itself: its settings, creating a tenant, and joining one by invitation.

use domain::{
    ApiError, Invitation,
    api_key::input::ListKeyPolicies,
    tenant::input::{CreateTenant, RenameTenant},
    user::input::{GetViewer, confirm},
};
use leptos::prelude::*;

use super::{policies::policy_list, scopes::scope_list};
use crate::{
    api::{get_viewer, list_key_policies},
    as_code::AsCode,
    components::{
        act_form::act_form,
        as_code::CodeFold,
        confirm_fields::confirm_fields,
        facts::Facts,
        field::{Field, FormError},
        form_buttons::FormButtons,
        new_password::NewPassword,
        password_field::PasswordField,
        time::ExactMoment,
    },
    list_url::encode,
    request::RequestContext,
    words::{labels, tenants as words},
};

const SETTINGS: &str = "/team/settings";
const OWN_KEYS: &str = "/user/api-keys";

/// `/team/settings`.
pub async fn settings(request: RequestContext) -> Result<AnyView, ApiError> {
    let tenant = request.services.tenants().get_to_change(request.actor()?).await?;
    let now = request.services.now();
    let policies = policy_list(&list_key_policies(ListKeyPolicies {}).await?, now);
    let scopes = scope_list(&request).await?;
    let name = view! {
        {tenant.name.to_string()}
        " "
        <a class="button small" href=format!("{SETTINGS}/rename") data-dialog="">
            {labels::rename()}
        </a>
    };
    let rows = vec![
        (labels::name(), name.into_any()),
        (labels::slug(), view! { <code>{tenant.slug.as_str().to_owned()}</code> }.into_any()),
        (labels::created(), view! { <ExactMoment at=tenant.created_at now /> }.into_any()),
        (labels::id(), view! { <code>{tenant.id.to_string()}</code> }.into_any()),
    ];
    Ok(view! {
        <h1>{labels::settings()}</h1>
        <section aria-labelledby="general-title">
            <h2 id="general-title">{words::general()}</h2>
            <Facts rows />
        </section>
        {policies}
        {scopes}
        <section class="below-table" aria-labelledby="other-title">
            <h2 id="other-title">{words::other_tenants()}</h2>
            <p>
                {words::tenants_are_isolated()} " " <a class="button small" href="/tenants/new" data-dialog="">
                    {labels::create_a_tenant()}
                </a>
            </p>
        </section>
    }
    .into_any())
}

/// `/team/settings/rename`.
pub async fn rename(request: RequestContext) -> Result<AnyView, ApiError> {
    let tenant = request.services.tenants().get_to_change(request.actor()?).await?;
    let typed = request.typed("name");
    let name = if typed.is_empty() { tenant.name.to_string() } else { typed };
    let code = request.code(None)?;
    let example = AsCode::rename_tenant(&code, &name);
    let error = Signal::stored(request.form.error.clone());
    let contents = view! {
        <FormError error fields=&["name"] />
        <Field
            name="name"
            label=labels::tenant_name()
            value=name
            hint=words::rename_hint()
            autocomplete="organization"
            autofocus=true
            error
        />
        <FormButtons cancel=SETTINGS label=labels::rename() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::rename_the_tenant()}</h1>
            {act_form::<RenameTenant>(&request, SETTINGS, &[], contents.into_any())}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// `/tenants/new`.
pub async fn new_tenant(request: RequestContext) -> Result<AnyView, ApiError> {
    request.services.tenants().check_may_create(request.actor()?).await?;
    let confirm = confirm_fields(&request).await?;
    let error = Signal::stored(request.form.error.clone());
    let (name, slug) = (request.typed("name"), request.typed("slug"));
    let example = AsCode::create_tenant(&name, &slug);
    let contents = view! {
        <FormError error fields=&["name", "slug", confirm::PASSWORD, confirm::CODE] />
        <Field
            name="name"
            label=labels::tenant_name()
            value=name
            hint=words::name_hint()
            autocomplete="organization"
            autofocus=true
            error
        />
        <Field name="slug" label=labels::slug() value=slug hint=words::slug_hint() required=false error />
        {confirm}
        <FormButtons cancel=SETTINGS label=words::create_tenant() busy=labels::creating() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::create_a_tenant()}</h1>
            <p>{words::youll_be_its_administrator()}</p>
            {act_form::<CreateTenant>(&request, OWN_KEYS, &[], contents.into_any())}
            <CodeFold code=example public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

/// `/invitations/{token}`: the form to join, for a signed-in person, for a person whose account has no tenant, or for a
/// new person. It is a plain HTML form because its URL contains the secret.
pub async fn accept_invitation(request: RequestContext) -> Result<AnyView, ApiError> {
    let secret = request.param("token");
    let (invitation, has_account) = request.services.invitations().find(secret).await?;
    request.set_title(&words::join(&invitation.tenant_name));
    let path = format!("/invitations/{secret}");
    let form = if request.actor.is_some() {
        join_signed_in(&request, &invitation, path).await?
    } else if request.services.invitations().has_no_tenant(&invitation).await? {
        join_with_password(&request, &invitation, path)
    } else if has_account {
        let href = format!("/sign-in?next={}", encode(&path));
        view! {
            <p>{words::you_already_have_an_account()}</p>
            <div class="buttons">
                <a class="button primary wide" href=href>
                    {words::sign_in_to_join()}
                </a>
            </div>
        }
        .into_any()
    } else {
        join_with_new_account(&request, &invitation, path)
    };
    Ok(view! {
        <div class="card">
            <h1>{words::join(&invitation.tenant_name)}</h1>
            <p>{words::invited_words(&invitation)}</p>
            <p class="muted">{words::invitation_is_for(&invitation.email.as_str())}</p>
            {form}
        </div>
    }
    .into_any())
}

/// The form for a signed-in person. If the invitation is for another email address, a button to sign out.
async fn join_signed_in(request: &RequestContext, invitation: &Invitation, path: String) -> Result<AnyView, ApiError> {
    let user = get_viewer(GetViewer {}).await?.user;
    if user.email != invitation.email {
        return Ok(view! {
            <p>{words::signed_in_as_another(&user.email.as_str())}</p>
            <form method="post" action="/sign-out">
                <div class="buttons">
                    <button type="submit" class="button primary wide">
                        {labels::sign_out()}
                    </button>
                </div>
            </form>
        }
        .into_any());
    }
    let error = Signal::stored(request.form.error.clone());
    Ok(view! {
        <form method="post" action=path>
            <FormError error fields=&[] />
            <div class="buttons">
                <button type="submit" class="button primary wide">
                    {words::join_as(&user.name)}
                </button>
            </div>
        </form>
    }
    .into_any())
}

/// The form for a person who has an account but can't sign in because they don't belong to any tenant.
fn join_with_password(request: &RequestContext, invitation: &Invitation, path: String) -> AnyView {
    let error = Signal::stored(request.form.error.clone());
    view! {
        <form method="post" action=path>
            <FormError error fields=&["password", "code"] />
            <p>{words::you_already_have_an_account()}</p>
            <input type="hidden" autocomplete="username" value=invitation.email.as_str().to_owned() />
            <PasswordField name="password" autofocus=true error />
            <Field
                name="code"
                label=labels::two_factor_code()
                hint=words::code_hint()
                autocomplete="one-time-code"
                required=false
                error
            />
            <div class="buttons">
                <button type="submit" class="button primary wide">
                    {words::join_button()}
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// The form for a person without an account.
fn join_with_new_account(request: &RequestContext, invitation: &Invitation, path: String) -> AnyView {
    let error = Signal::stored(request.form.error.clone());
    view! {
        <form method="post" action=path>
            <FormError error fields=&["name", "password"] />
            <input type="hidden" autocomplete="username" value=invitation.email.as_str().to_owned() />
            <Field
                name="name"
                label=labels::your_name()
                value=request.form.value("name")
                autocomplete="name"
                autofocus=true
                error
            />
            <NewPassword error />
            <div class="buttons">
                <button type="submit" class="button primary wide">
                    {words::join_button()}
                </button>
            </div>
        </form>
    }
    .into_any()
}
