//! The verification endpoints: whether a key is valid, whose it is, and whether it may do something. They are asked for every
//! request of other APIs, so they pass through one layer instead of the site's twenty.

mod changes;
pub(crate) mod credential;
mod cursor;
mod demand;
pub(crate) mod facts;
pub(crate) mod forward;
pub(crate) mod grpc;
mod introspect;
pub(crate) mod verify;
mod whoami;

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{body::Bytes, extract::Request, response::Response};
use futures::{FutureExt, future::Either};
use http::{HeaderValue, Method, StatusCode, header};
use service::Services;
use tower::Service;

use crate::{
    config::Site,
    metrics::{self, HttpMetrics},
    middleware::{
        draining, forwarded, heads,
        limits::{self, ReadRequest},
        trace,
    },
    problem, traces,
};

/// The endpoints, in front of the rest of the site. Not routes of the site's router: matching, boxing and passing on a request
/// would cost as much as verifying a key. The endpoints answer under any host, and read neither cookies nor `Origin`.
#[derive(Clone)]
pub struct VerificationApi<S> {
    shared: Arc<Shared>,
    site: S,
}

/// What the endpoints share.
struct Shared {
    services: Services,
    site: Arc<Site>,
    metrics: HttpMetrics,
    is_traced: bool,
}

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Verify,
    VerifyBatch,
    WhoAmI,
    Changes,
    ChangesSeen,
    Introspect,
    Metadata,
    Forward,
    Envoy,
}

impl Route {
    const ALL: [Self; 9] = [
        Self::Verify,
        Self::VerifyBatch,
        Self::WhoAmI,
        Self::Changes,
        Self::ChangesSeen,
        Self::Introspect,
        Self::Metadata,
        Self::Forward,
        Self::Envoy,
    ];

    /// Returns the endpoint at a path. As in the rest of the site, a trailing slash makes no difference.
    fn at(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        Self::ALL.into_iter().find(|route| match route {
            Self::Forward | Self::Envoy => is_below(path, route.template()),
            _ => path == route.template(),
        })
    }

    /// The endpoint's path, which also names it in metrics and traces.
    fn template(self) -> &'static str {
        match self {
            Self::Verify => "/api/v1/verify",
            Self::VerifyBatch => "/api/v1/verify/batch",
            Self::WhoAmI => "/api/v1/whoami",
            Self::Changes => "/api/v1/changes",
            Self::ChangesSeen => "/api/v1/changes/seen",
            Self::Introspect => "/oauth2/introspect",
            Self::Metadata => "/.well-known/oauth-authorization-server",
            Self::Forward => "/auth/forward",
            Self::Envoy => "/auth/envoy",
        }
    }

    /// The methods that the endpoint answers to; `None` means all.
    fn methods(self) -> Option<&'static str> {
        match self {
            Self::Verify | Self::VerifyBatch | Self::Introspect | Self::ChangesSeen => Some("POST"),
            Self::Changes => Some("GET"),
            Self::WhoAmI | Self::Metadata => Some("GET,HEAD"),
            Self::Forward | Self::Envoy => None,
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.methods().is_none_or(|methods| methods.split(',').any(|allowed| allowed == method.as_str()))
    }
}

/// Whether a path is `folder`, or one below it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<S> VerificationApi<S> {
    /// Puts the endpoints in front of the site's other routes.
    pub(crate) fn new(services: Services, site: Arc<Site>, metrics: HttpMetrics, others: S) -> Self {
        let shared = Shared { services, site, metrics, is_traced: traces::are_recorded() };
        Self { shared: Arc::new(shared), site: others }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for VerificationApi<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Answering, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.site.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Some(route) = Route::at(request.uri().path()) else { return Either::Right(self.site.call(request)) };
        let shared = Arc::clone(&self.shared);
        Either::Left(Box::pin(async move {
            if !shared.is_traced {
                return Ok(shared.guard(route, request).await);
            }
            let next = |request| shared.guard(route, request);
            Ok(traces::follow_as(&shared.site, request, Some(route.template()), next).await)
        }))
    }
}

impl Shared {
    /// Everything that the site's layers do and an endpoint needs: refuses ambiguous heads, finds the client, answers after a
    /// panic, sets the headers that matter for an API, measures, and logs one line at the level `debug`.
    async fn guard(&self, route: Route, request: Request) -> Response {
        let begun = Instant::now();
        let method = metrics::name_of(request.method());
        let line = trace::access_line(&request);
        let active = self.metrics.begin();
        let mut response = self.answer(route, request).await;
        drop(active);
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        draining::close_if_stopping(&self.site, &mut response);
        self.metrics.observe(method, route.template(), response.status(), begun);
        if let Some(line) = line {
            line.write(&mut response, begun);
        }
        response
    }

    async fn answer(&self, route: Route, mut request: Request) -> Response {
        if let Some(refusal) = heads::refuse(&mut request) {
            return refusal;
        }
        if forwarded::find(&self.site, &mut request) {
            demand::note_method(&mut request);
        }
        if !route.allows(request.method()) {
            return not_allowed(route);
        }
        // The body of the request that a proxy asks about has no meaning here, and may never come.
        let read = match route {
            Route::Forward | Route::Envoy => Ok(request.map(|_| Bytes::new())),
            _ => limits::read_whole(request).await,
        };
        match read {
            Ok(request) => {
                let answer = AssertUnwindSafe(self.open(route, request)).catch_unwind();
                answer.await.unwrap_or_else(problem::panicked)
            }
            Err(refusal) => *refusal,
        }
    }

    async fn open(&self, route: Route, request: ReadRequest) -> Response {
        let (services, site) = (&self.services, &*self.site);
        // The largest future is moved for every route, so those of the rarer ones are boxed.
        match route {
            Route::Verify => verify::one(services, site, request).await,
            Route::VerifyBatch => Box::pin(verify::batch(services, site, request)).await,
            Route::WhoAmI => whoami::whoami(services, site, request).await,
            Route::Changes => Box::pin(changes::changes(services, site, request)).await,
            Route::ChangesSeen => Box::pin(changes::seen(services, site, request)).await,
            Route::Introspect => introspect::introspect(services, site, request).await,
            Route::Metadata => introspect::metadata(site),
            Route::Forward => forward::forward(services, site, request).await,
            Route::Envoy => forward::envoy(services, site, request).await,
        }
    }
}

/// RFC 9110 §15.5.6.
fn not_allowed(route: Route) -> Response {
    let methods = route.methods().unwrap_or_default();
    let mut response = problem::answer(StatusCode::METHOD_NOT_ALLOWED, &format!("The methods here are {methods}."));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_found_by_its_whole_path() {
        for (path, route) in [
            ("/api/v1/verify", Some(Route::Verify)),
            ("/api/v1/verify/", Some(Route::Verify)),
            ("/api/v1/verify/batch", Some(Route::VerifyBatch)),
            ("/api/v1/verify/x", None),
            ("/api/v1/verifyx", None),
            ("/auth/forward", Some(Route::Forward)),
            ("/auth/forward/", Some(Route::Forward)),
            ("/auth/forward/a/b", Some(Route::Forward)),
            ("/auth/forwarded", None),
            ("/auth/envoy/auth/forward", Some(Route::Envoy)),
            ("//api/v1/verify", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(Route::at(path), route, "{path}");
        }
    }

    #[test]
    fn a_door_answers_to_its_own_methods_only() {
        assert!(Route::Verify.allows(&Method::POST) && !Route::Verify.allows(&Method::GET));
        assert!(Route::WhoAmI.allows(&Method::HEAD) && !Route::WhoAmI.allows(&Method::POST));
        assert!(Route::Forward.allows(&Method::from_bytes(b"PROPFIND").unwrap()));
    }
}
