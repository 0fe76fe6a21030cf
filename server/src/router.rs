//! Every route on one screen.

use std::sync::Arc;

use app::request::RequestContext;
use async_graphql::EmptySubscription;
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{MethodRouter, any, get, post},
};
use domain::Operation;
use leptos::config::LeptosOptions;
use service::{BulkAct, Services};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    assets,
    config::Site,
    form, forms,
    graphql::{self, Mutation, Query},
    middleware::{authenticate, forwarded, limits, origin, security_headers, sessions},
    pages, problem, rest,
};

/// What the handlers share.
#[derive(Clone)]
pub struct Doors {
    pub(crate) services: Services,
    pub(crate) site: Arc<Site>,
    pub(crate) leptos: LeptosOptions,
    pub(crate) schema: async_graphql::Schema<Query, Mutation, EmptySubscription>,
}

impl Doors {
    /// What a page finds in its context.
    pub(crate) fn context(&self) -> RequestContext {
        RequestContext::new(self.services.clone(), self.site.public_url.clone(), self.site.assets.names().clone())
    }
}

/// The whole site.
pub fn build(services: Services, site: Site) -> Router {
    // The second time it says that it is done already.
    any_spawner::Executor::init_tokio().ok();
    let doors = Doors {
        leptos: pages::leptos_options(&site),
        schema: graphql::schema(services.clone(), site.public_url.clone()),
        services: services.clone(),
        site: Arc::new(site),
    };
    let session_layer = sessions::layer(services, &doors.site);
    let by_session = from_fn_with_state(doors.clone(), authenticate::by_session);
    let by_key_or_session = from_fn_with_state(doors.clone(), authenticate::by_key_or_session);

    let pages = Router::new()
        .route("/user/api-keys", get(pages::render))
        .route("/user/api-keys/{key}", get(pages::render))
        .route("/team/service-accounts", get(pages::render))
        .route("/team/service-accounts/{account}", get(pages::render))
        .route("/team/service-accounts/{account}/keys/{key}", get(pages::render))
        .route("/team/members", get(pages::render))
        .route("/team/settings", get(pages::render))
        .route("/team/keys", get(pages::render))
        .route("/team/keys/bulk", get(pages::render))
        .route("/team/audit-log", get(pages::render))
        .route("/team/audit-log/{line}", get(pages::render))
        .route("/user/profile", get(pages::render))
        .route("/user/sessions", get(pages::render))
        .route("/graphiql", get(pages::render));
    let person = forms()
        .into_iter()
        .fold(pages, |router, (path, _, send)| router.route(path, send.get(pages::render)))
        .layer(from_fn(authenticate::require_person));
    let anyone = Router::new()
        .route("/sign-in", get(form::sign_in_page).post(form::sign_in))
        .route("/sign-in/code", get(form::code_page).post(form::sign_in_code))
        .route("/sign-out", post(form::sign_out))
        .route("/set-up/{token}", get(pages::render).post(form::set_up))
        .route("/invitations/{token}", get(pages::render).post(forms::tenants::accept))
        .route("/preferences/theme", post(form::theme))
        .fallback(pages::render);
    let browser = person.merge(anyone).layer(from_fn(form::for_dialogs)).layer(by_session);

    let api = Router::new()
        .route("/graphql", any(graphql::serve))
        .route("/", get(Redirect::to("/user/api-keys")).fallback(graphql::serve))
        .route("/api/v1/{file}", get(rest::audit_log::export))
        .layer(by_key_or_session);
    let rest = Router::new()
        .route("/calendar/{file}", get(rest::calendar::feed))
        .route("/api/v1/verify", post(rest::verify))
        .route("/api/{*rest}", any(rest::not_found));
    // Asked by address, not by name.
    let health = Router::new().route("/health/live", get(rest::live)).route("/health/ready", get(rest::ready));

    browser
        .merge(api)
        .layer(session_layer)
        .layer(from_fn_with_state(doors.clone(), sessions::complete_removal))
        .merge(rest)
        .layer(from_fn(limits::read_body))
        .layer(from_fn_with_state(doors.clone(), origin::check))
        .merge(health)
        .layer(CompressionLayer::new().compress_when(pages::MayCompress))
        .route("/pkg/{*file}", get(assets::serve))
        .route("/favicon.svg", get(assets::serve))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(doors.clone(), security_headers::harden))
        .layer(from_fn_with_state(doors.clone(), forwarded::find_client))
        .with_state(doors)
}

/// What a person can do in the browser: the page with the form, the operation that it is, and who takes the form.
fn forms() -> Vec<(&'static str, Operation, MethodRouter<Doors>)> {
    use Operation as O;
    use forms::{
        accounts::{self, AccountAct},
        keys::{self, KeyAct},
        members::{self, MemberAct},
    };
    let mut forms = vec![
        ("/user/api-keys/new", O::CreateApiKey, post(keys::create_own)),
        ("/team/service-accounts/new", O::CreateServiceAccount, post(accounts::create)),
        ("/team/service-accounts/{account}/rename", O::RenameServiceAccount, accounts::change(AccountAct::Rename)),
        ("/team/service-accounts/{account}/role", O::ChangeServiceAccountRole, accounts::change(AccountAct::Role)),
        ("/team/service-accounts/{account}/suspend", O::SuspendServiceAccount, accounts::change(AccountAct::Suspend)),
        ("/team/service-accounts/{account}/resume", O::ResumeServiceAccount, accounts::change(AccountAct::Resume)),
        ("/team/service-accounts/{account}/delete", O::DeleteServiceAccount, post(accounts::delete)),
        ("/team/service-accounts/{account}/keys/new", O::CreateApiKey, post(keys::create_of_account)),
        ("/team/members/{user}/role", O::ChangeMemberRole, members::change(MemberAct::Role)),
        ("/team/members/{user}/remove", O::RemoveMember, members::change(MemberAct::Remove)),
        ("/user/profile/name", O::UpdateProfile, post(forms::profile::name)),
        ("/user/profile/password", O::ChangePassword, post(forms::profile::password)),
        ("/user/api-keys/{key}/roll", O::RollApiKey, post(keys::roll_own)),
        ("/team/service-accounts/{account}/keys/{key}/roll", O::RollApiKey, post(keys::roll_of_account)),
        ("/user/sessions/{session}/end", O::EndSession, post(forms::security::end)),
        ("/user/sessions/end-others", O::EndOtherSessions, post(forms::security::end_others)),
        ("/user/second-factor/begin", O::BeginSecondFactor, post(forms::security::begin)),
        ("/user/second-factor/enable", O::EnableSecondFactor, post(forms::security::enable)),
        ("/user/second-factor/codes", O::RenewRecoveryCodes, post(forms::security::renew_codes)),
        ("/user/second-factor/disable", O::DisableSecondFactor, post(forms::security::disable)),
        ("/team/members/invite", O::InviteMember, post(forms::tenants::invite)),
        ("/team/members/invitations/{invitation}/cancel", O::CancelInvitation, post(forms::tenants::cancel_invitation)),
        ("/team/settings/rename", O::RenameTenant, post(forms::tenants::rename)),
        ("/tenants/new", O::CreateTenant, post(forms::tenants::create)),
        ("/user/calendar/create", O::CreateCalendarFeed, post(forms::security::create_calendar)),
        ("/user/calendar/revoke", O::RevokeCalendarFeed, post(forms::security::revoke_calendar)),
        ("/team/keys/suspend", O::SuspendApiKeys, forms::inventory::bulk(BulkAct::Suspend)),
        ("/team/keys/revoke", O::RevokeApiKeys, forms::inventory::bulk(BulkAct::Revoke)),
        ("/team/settings/policies/{policy}", O::SetPolicy, post(forms::inventory::set_policy)),
        ("/team/settings/policies/{policy}/off", O::ClearPolicy, post(forms::inventory::clear_policy)),
        ("/switch-tenant", O::SwitchTenant, post(form::switch_tenant)),
    ];
    // One's own keys and a service account's: the same acts.
    for (own, of_account, operation, act) in [
        (
            "/user/api-keys/{key}/rename",
            "/team/service-accounts/{account}/keys/{key}/rename",
            O::RenameApiKey,
            KeyAct::Rename,
        ),
        (
            "/user/api-keys/{key}/suspend",
            "/team/service-accounts/{account}/keys/{key}/suspend",
            O::SuspendApiKey,
            KeyAct::Suspend,
        ),
        (
            "/user/api-keys/{key}/resume",
            "/team/service-accounts/{account}/keys/{key}/resume",
            O::ResumeApiKey,
            KeyAct::Resume,
        ),
        (
            "/user/api-keys/{key}/revoke",
            "/team/service-accounts/{account}/keys/{key}/revoke",
            O::RevokeApiKey,
            KeyAct::Revoke,
        ),
        (
            "/user/api-keys/{key}/finish-roll",
            "/team/service-accounts/{account}/keys/{key}/finish-roll",
            O::FinishRoll,
            KeyAct::FinishRoll,
        ),
        (
            "/user/api-keys/{key}/extend-roll",
            "/team/service-accounts/{account}/keys/{key}/extend-roll",
            O::ExtendRoll,
            KeyAct::ExtendRoll,
        ),
        (
            "/user/api-keys/{key}/cancel-roll",
            "/team/service-accounts/{account}/keys/{key}/cancel-roll",
            O::CancelRoll,
            KeyAct::CancelRoll,
        ),
    ] {
        forms.push((own, operation, keys::own(act)));
        forms.push((of_account, operation, keys::of_account(act)));
    }
    forms
}

/// Each form of the browser and its operation, for the parity test.
pub fn form_operations() -> Vec<(&'static str, Operation)> {
    forms().into_iter().map(|(path, operation, _)| (path, operation)).collect()
}
