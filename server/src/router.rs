//! Every route on one screen.

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRef,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{MethodRouter, any, get, post},
};
use domain::Operation;
use service::{BulkAct, Services};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    assets::{self, Assets},
    compression::UnlessMarked,
    config::Site,
    forms,
    graphql::{
        schema::{self, ApiSchema},
        transport as graphql,
    },
    invitation,
    middleware::{authenticate, dialogs, forwarded, limits, origin, security_headers, sessions},
    pages::{self, PageRenderer},
    password, preferences, problem, rest, second_factor, set_up, sign_in, switch_tenant,
};

/// What all handlers need together. Each takes the parts that it uses, as its `State`.
#[derive(Clone, FromRef)]
struct AppState {
    services: Services,
    site: Arc<Site>,
    assets: Arc<Assets>,
    renderer: PageRenderer,
    schema: ApiSchema,
}

impl AppState {
    fn new(services: Services, site: Site) -> Self {
        let site = Arc::new(site);
        Self {
            assets: Arc::clone(&site.assets),
            renderer: PageRenderer::new(services.clone(), Arc::clone(&site)),
            schema: schema::build(services.clone(), site.public_url.clone()),
            services,
            site,
        }
    }
}

/// The whole site.
pub fn build(services: Services, site: Site) -> Router {
    // A second call fails, and needn't do anything.
    any_spawner::Executor::init_tokio().ok();
    let state = AppState::new(services, site);
    browser(&state)
        .merge(api(&state))
        .layer(sessions::layer(state.services.clone(), &state.site))
        .layer(from_fn_with_state(Arc::clone(&state.site), sessions::complete_removal))
        .merge(open_apis())
        .layer(from_fn(limits::read_body))
        .layer(from_fn_with_state(Arc::clone(&state.site), origin::check))
        .merge(health())
        .layer(CompressionLayer::new().compress_when(UnlessMarked))
        .route("/pkg/{*file}", get(assets::serve))
        .route("/favicon.svg", get(assets::serve))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(Arc::clone(&state.site), security_headers::set))
        .layer(from_fn_with_state(Arc::clone(&state.site), forwarded::find_client))
        .with_state(state)
}

/// The dashboard, by session.
fn browser(state: &AppState) -> Router<AppState> {
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
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/code", get(sign_in::code_page).post(sign_in::check_code))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/set-up/{token}", get(pages::render).post(set_up::set_up))
        .route("/invitations/{token}", get(pages::render).post(invitation::accept))
        .route("/preferences/theme", post(preferences::set_theme))
        .fallback(pages::render);
    person
        .merge(anyone)
        .layer(from_fn(dialogs::name_redirects))
        .layer(from_fn_with_state(state.services.clone(), authenticate::by_session))
}

/// APIs by key or session.
fn api(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/graphql", any(graphql::serve))
        .route("/", get(Redirect::to("/user/api-keys")).fallback(graphql::serve))
        .route("/api/v1/{file}", get(rest::audit_log::export))
        .layer(from_fn_with_state(state.services.clone(), authenticate::by_key_or_session))
}

/// APIs that read neither `Authorization` nor a session: the address or the body says what is asked for.
fn open_apis() -> Router<AppState> {
    Router::new()
        .route("/calendar/{file}", get(rest::calendar::feed))
        .route("/api/v1/verify", post(rest::verification::verify))
        .route("/api/{*rest}", any(rest::not_found))
}

/// Outside the check of the `Host`: load balancers ask by address.
fn health() -> Router<AppState> {
    Router::new().route("/health/live", get(rest::health::live)).route("/health/ready", get(rest::health::ready))
}

/// The forms of the dashboard: the address of the page, which its form is sent to, the operation, and the handler.
fn forms() -> Vec<(&'static str, Operation, MethodRouter<AppState>)> {
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
        ("/user/profile/password", O::ChangePassword, post(password::change)),
        ("/user/api-keys/{key}/roll", O::RollApiKey, post(keys::roll_own)),
        ("/team/service-accounts/{account}/keys/{key}/roll", O::RollApiKey, post(keys::roll_of_account)),
        ("/user/sessions/{session}/end", O::EndSession, post(forms::security::end)),
        ("/user/sessions/end-others", O::EndOtherSessions, post(forms::security::end_others)),
        ("/user/second-factor/begin", O::BeginSecondFactor, post(second_factor::begin)),
        ("/user/second-factor/enable", O::EnableSecondFactor, post(second_factor::enable)),
        ("/user/second-factor/codes", O::RenewRecoveryCodes, post(second_factor::renew_codes)),
        ("/user/second-factor/disable", O::DisableSecondFactor, post(second_factor::disable)),
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
        ("/switch-tenant", O::SwitchTenant, post(switch_tenant::switch_tenant)),
    ];
    // The same acts on one's own keys and on a service account's.
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
