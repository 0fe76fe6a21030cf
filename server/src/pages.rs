//! Renders the pages of the route table with Leptos, in the context of a request.

use std::sync::Arc;

use app::{
    request::{FormOutcome, RequestContext, Theme},
    route::{Access, Route},
    routes::ROUTES,
};
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, RawPathParams, Request, State},
    middleware::Next,
    response::Response,
    routing::get,
};
use domain::ApiError;
use http::{HeaderValue, StatusCode, Uri, header, request::Parts};
use leptos::prelude::provide_context;
use percent_encoding::percent_decode_str;
use service::Services;
use tokio::sync::Semaphore;
use tower_sessions::Session;

use crate::{
    compression::Uncompressed,
    config::Site,
    headers,
    middleware::{authenticate::Caller, sessions},
    problem,
};

/// Where the paths of pages begin that show a secret, or have one in their own path. Every page also shows its query, in
/// its forms.
const WITH_SECRETS: [&str; 3] = ["/user/second-factor/", "/set-up/", "/invitations/"];

/// How many pages are rendered at once for clients that sent too many requests.
const MAX_REFUSALS: usize = 16;

/// Renders pages with the services and settings of the site.
#[derive(Clone)]
pub(crate) struct PageRenderer {
    services: Services,
    site: Arc<Site>,
    /// The route table by path, to show a form's page again.
    by_path: Arc<matchit::Router<Route>>,
    /// Pages that are being rendered for clients that sent too many requests. Others get a short answer, so that a flood
    /// of them doesn't cost a page each.
    refusals: Arc<Semaphore>,
}

impl PageRenderer {
    /// Creates a renderer of the site's pages.
    pub(crate) fn new(services: Services, site: Arc<Site>) -> Self {
        let mut by_path = matchit::Router::new();
        for route in ROUTES {
            // Two pages of one path would already have failed when the router was built.
            let _ = by_path.insert(route.path, *route);
        }
        Self { services, site, by_path: Arc::new(by_path), refusals: Arc::new(Semaphore::new(MAX_REFUSALS)) }
    }

    /// Returns the routes of the pages in the route table with this access.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self, access: Access) -> Router<S> {
        let pages = ROUTES.iter().filter(|route| route.access == access);
        pages.fold(Router::new(), |router, route| router.route(route.path, get(render))).with_state(self.clone())
    }

    /// Returns the use cases.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// Returns the settings of the site.
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Renders the page at `page`, a path of this site with its query, with the outcome of its form. `request`: the
    /// form's request. `status`: the response's status, unless the page sets another.
    pub(crate) async fn show_form(
        &self,
        mut request: Parts,
        page: &str,
        outcome: FormOutcome,
        status: StatusCode,
    ) -> Response {
        let Ok(uri) = page.parse::<Uri>() else { return problem::of(&ApiError::not_found()) };
        let rendering = self.refusals.try_acquire();
        if status == StatusCode::TOO_MANY_REQUESTS
            && rendering.is_err()
            && let Some(error) = &outcome.error
        {
            return problem::of(error);
        }
        let found = self.by_path.at(uri.path()).ok();
        let params = found
            .iter()
            .flat_map(|found| found.params.iter())
            .map(|(name, value)| (name.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned()));
        let params = params.collect();
        let route = found.as_ref().map(|found| *found.value);
        request.uri = uri.clone();
        let mut response = self.show(&request, route, params, Some((outcome, status))).await;
        // The page may show a token beside the user's input.
        response.extensions_mut().insert(Uncompressed);
        response
    }

    /// Renders a page, or that there is none at this path. `answer`: the outcome of the page's form, and the response's
    /// status, unless the page sets another.
    async fn show(
        &self,
        request: &Parts,
        route: Option<Route>,
        params: Vec<(String, String)>,
        answer: Option<(FormOutcome, StatusCode)>,
    ) -> Response {
        let mut context = match self.page_context(request).await {
            Ok(context) => context,
            Err(error) => return problem::of(&error),
        };
        context.params = params.into_iter().collect();
        let status = answer.as_ref().map(|(_, status)| *status);
        if let Some((outcome, _)) = answer {
            // The notice is about what was done before. It waits for the next page.
            context.notice = None;
            context.form = outcome;
        }
        let may_show_notice = status.is_none() && route.is_some_and(shows_notices);
        let mut response = self.render(route, context).await;
        let has_notice =
            may_show_notice && headers::has_notice(&request.headers) && response.status() == StatusCode::OK;
        if let Some(status) = status.filter(|_| response.status() == StatusCode::OK) {
            *response.status_mut() = status;
        }
        if has_notice {
            headers::remove_notice(&mut response);
        }
        if route.is_some_and(|route| WITH_SECRETS.iter().any(|path| route.path.starts_with(path))) {
            response.extensions_mut().insert(Uncompressed);
        }
        response
    }

    /// Returns the context of a page or a server function.
    pub(crate) fn context(&self, request: &Parts) -> RequestContext {
        let site = &self.site;
        let actor = request.extensions.get::<Caller>().and_then(|caller| caller.actor().cloned());
        let session = request.extensions.get::<Session>().and_then(|session| sessions::digest_of(session).ok());
        let query = request.uri.query().unwrap_or_default();
        RequestContext {
            actor,
            session,
            theme: Theme::from_code(headers::theme(&request.headers).as_deref().unwrap_or_default()),
            notice: headers::notice(&request.headers),
            return_to: request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
            query: serde_urlencoded::from_str(query).unwrap_or_default(),
            hides_clients: site.hides_clients(),
            ..RequestContext::new(self.services.clone(), site.public_url.clone(), site.assets.names().clone())
        }
    }

    /// Returns the context of a page, which includes the signed-in user with their tenants.
    async fn page_context(&self, request: &Parts) -> Result<RequestContext, ApiError> {
        let mut context = self.context(request);
        if let Some(actor) = &context.actor {
            context.viewer = Some(self.services.users().viewer(actor).await?);
        }
        Ok(context)
    }

    async fn render(&self, route: Option<Route>, context: RequestContext) -> Response {
        let renderer = leptos_axum::render_app_async_with_context(
            move || provide_context(context.clone()),
            move || app::shell(route),
        );
        let mut response = renderer(Request::new(Body::empty())).await;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Renders a page of the route table.
async fn render(
    State(renderer): State<PageRenderer>,
    path: MatchedPath,
    params: RawPathParams,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let route = ROUTES.iter().copied().find(|route| route.path == path.as_str());
    renderer.show(&parts, route, params, None).await
}

/// Whether a page shows the notice about what was just done: every page inside the navigation, and the sign-in page. On
/// other pages, the notice waits.
fn shows_notices(route: Route) -> bool {
    route.access == Access::Person || route.path == "/sign-in"
}

/// Renders the page for a path that no page has.
pub(crate) async fn not_found(State(renderer): State<PageRenderer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match renderer.page_context(&parts).await {
        Ok(context) => renderer.render(None, context).await,
        Err(error) => problem::of(&error),
    }
}

/// Middleware: no page has a path that isn't UTF-8. axum would respond with a text of its own.
pub(crate) async fn require_utf8_path(State(renderer): State<PageRenderer>, request: Request, next: Next) -> Response {
    if !headers::is_utf8_path(request.uri()) {
        return not_found(State(renderer), request).await;
    }
    next.run(request).await
}
