//! All routes, on one screen.

use std::sync::Arc;

use app::{api::wire::CONFIRM_PATH, route::Access};
use axum::{
    Router,
    body::Body,
    extract::FromRef,
    middleware::{from_fn, from_fn_with_state, map_response, map_response_with_state},
    routing::{any, get, post},
};
use domain::Operation;
use service::Services;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, normalize_path::NormalizePath,
    request_id::PropagateRequestIdLayer, set_header::SetRequestHeaderLayer, trace::TraceLayer,
};

use crate::{
    act,
    assets::{self, Assets},
    compression::UnlessMarked,
    config::Site,
    gateway::{
        Gateways, WithGateways,
        sign_in::{self as gateway_sign_in, ENTER_PATH},
    },
    graphql::{
        schema::{self, ApiSchema},
        transport as graphql,
    },
    invitation,
    metrics::{self, Metrics},
    middleware::{
        authenticate, browsers, dialogs, draining, faults, forwarded, heads, limits,
        origin::{self, OwnSite},
        security_headers, sessions, settled, trace,
    },
    pages::{self, PageRenderer},
    password, preferences, problem, rest, second_factor, set_up, sign_in, start, test_key, traces,
    verification::VerificationApi,
};

/// The state that the handlers share. Each handler takes the parts that it uses, as its `State`.
#[derive(Clone, FromRef)]
struct AppState {
    services: Services,
    site: Arc<Site>,
    assets: Arc<Assets>,
    renderer: PageRenderer,
    schema: ApiSchema,
    gateways: Gateways,
}

impl AppState {
    fn new(services: Services, site: Arc<Site>, gateways: Gateways) -> Self {
        Self {
            assets: Arc::clone(&site.assets),
            renderer: PageRenderer::new(services.clone(), Arc::clone(&site)),
            schema: schema::build(services.clone(), site.public_url.clone()),
            services,
            site,
            gateways,
        }
    }
}

/// The whole site: the gateways with hosts of their own, the verification endpoints, and behind them all other routes. A path with a trailing slash is the same page
/// and accepts the same forms.
pub type WholeSite = WithGateways<VerificationApi<NormalizePath<Router>>>;

/// Builds the whole site.
pub fn build(services: Services, site: Site) -> WholeSite {
    build_measured(services, site, &Metrics::default(), Gateways::default())
}

/// Builds the whole site, whose requests are counted.
pub fn build_measured(
    services: Services,
    site: impl Into<Arc<Site>>,
    metrics: &Metrics,
    gateways: Gateways,
) -> WholeSite {
    // Fails if it is already initialized, which is harmless.
    any_spawner::Executor::init_tokio().ok();
    let state = AppState::new(services, site.into(), gateways.clone());
    if state.site.hides_clients() {
        state.services.set_addresses_are_shared(true);
    }
    let own = OwnSite::new(Arc::clone(&state.site));
    let site = browser(&state)
        .layer(from_fn_with_state(own.clone(), origin::check))
        .merge(api(&state).layer(from_fn_with_state(own, origin::check_without_key)))
        .layer(from_fn(sessions::renew_ids))
        .layer(sessions::layer(state.services.clone(), &state.site))
        .layer(from_fn_with_state(Arc::clone(&state.site), sessions::complete_removal))
        .layer(from_fn_with_state(state.clone(), browsers::keep))
        .merge(open_apis())
        .layer(from_fn_with_state(state.services.clone(), settled::before_response))
        .layer(from_fn_with_state(state.services.clone(), limits::read_body))
        .merge(leak_reports(&state))
        .merge(health())
        .layer(map_response(faults::name))
        .layer(CompressionLayer::new().compress_when(UnlessMarked))
        .route("/pkg/{*file}", get(assets::serve))
        .route("/favicon.svg", get(assets::serve))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&state.site), draining::announce))
        .layer(from_fn(heads::check))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(
            ServiceBuilder::new()
                .layer(SetRequestHeaderLayer::overriding(trace::REQUEST_ID, trace::new_id::<Body>))
                .layer(PropagateRequestIdLayer::new(trace::REQUEST_ID))
                .layer(
                    TraceLayer::new_for_http()
                        .make_span_with(trace::span::<Body>)
                        .on_request(())
                        .on_response(trace::log_response::<Body>)
                        .on_failure(()),
                )
                .layer(from_fn(trace::keep_span))
                .layer(map_response_with_state(Arc::clone(&state.site), security_headers::set)),
        )
        .layer(from_fn_with_state(Arc::clone(&state.site), forwarded::find_client))
        .layer(from_fn_with_state(metrics.http().clone(), metrics::measure));
    let site = if traces::are_recorded() {
        site.layer(from_fn_with_state(Arc::clone(&state.site), traces::follow))
    } else {
        site
    };
    let (services, settings) = (state.services.clone(), Arc::clone(&state.site));
    let others = NormalizePath::trim_trailing_slash(site.with_state(state));
    WithGateways::new(gateways, VerificationApi::new(services, settings, metrics.http().clone(), others))
}

/// The dashboard, authenticated by session: the pages of the route table, the server functions, and the forms that
/// contain secrets.
fn browser(state: &AppState) -> Router<AppState> {
    let renderer = &state.renderer;
    let person = renderer
        .routes(Access::Person)
        .route("/user/profile/{act}", post(password::change))
        .route("/user/api-keys/test", post(test_key::test))
        .route("/user/second-factor/{act}", post(second_factor::act))
        .route(ENTER_PATH, get(gateway_sign_in::enter))
        .layer(from_fn_with_state(Arc::clone(&state.site), authenticate::require_person));
    let anyone = renderer
        .routes(Access::Anyone)
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-in/code", post(sign_in::check_code))
        .route("/set-up/{token}", post(set_up::set_up))
        .route("/invitations/{token}", post(invitation::accept))
        .layer(from_fn(sign_in::skip_if_signed_in))
        .layer(from_fn_with_state(state.services.clone(), sign_in::require_password_first));
    let others = Router::new()
        .route("/fn/{operation}", post(act::call))
        .route(CONFIRM_PATH, post(sign_in::confirm))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/preferences/theme", post(preferences::set_theme))
        .fallback(pages::not_found);
    person
        .merge(anyone)
        .merge(renderer.routes(Access::Public))
        .merge(others)
        .layer(from_fn_with_state(renderer.clone(), pages::require_utf8_path))
        .layer(from_fn(dialogs::name_redirects))
        .layer(from_fn_with_state(state.services.clone(), authenticate::session_only))
}

/// The APIs that are authenticated by key or session.
fn api(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/graphql", any(graphql::serve))
        .route("/", get(start::first_page).fallback(graphql::serve))
        .route("/api/v1/audit-log.jsonl", get(rest::audit_log::export))
        .route("/api/v1/audit-log.csv", get(rest::audit_log::export))
        .layer(from_fn(rest::require_utf8_path))
        .layer(from_fn_with_state(state.services.clone(), authenticate::by_key_or_session))
}

/// The APIs that read neither `Authorization` nor a session: the secret is in the URL or in the body. They answer under
/// any host.
fn open_apis() -> Router<AppState> {
    Router::new()
        .route("/calendar/{file}", get(rest::calendar::feed))
        .route("/api/{*rest}", any(rest::not_found))
        .layer(from_fn(rest::require_utf8_path))
}

/// The reports of leaked keys, whose bodies may be longer. The handler reads them itself, once it has counted the report.
fn leak_reports(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/api/v1/leaks", post(rest::leaks::report))
        .layer(from_fn_with_state(state.services.clone(), settled::before_response))
}

/// The health checks.
fn health() -> Router<AppState> {
    Router::new().route("/health/live", get(rest::health::live)).route("/health/ready", get(rest::health::ready))
}

/// The operations whose forms contain secrets and so aren't server functions; for the parity test.
pub const PLAIN_FORMS: [Operation; 7] = [
    Operation::ConfirmSignIn,
    Operation::ChangePassword,
    Operation::BeginSecondFactor,
    Operation::EnableSecondFactor,
    Operation::RenewRecoveryCodes,
    Operation::DisableSecondFactor,
    Operation::AcceptInvitation,
];
