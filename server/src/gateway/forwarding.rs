//! Forwards requests: reads what they want, admits who sends them, and passes on both ways what follows.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use app::pages::gateways::Refusal;
use axum::{body::Body, extract::Request, response::Response};
use domain::{ApiError, Endpoint, audit::Channel};
use futures::{FutureExt, future::Either};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use hyper::{body::Body as _, upgrade::OnUpgrade};
use service::Client;
use tower::Service;

use super::{
    asked::{Answer, Asked},
    caller::{self, Caller, Refused, Shown},
    entry::{FirstFrame, Mount, Wanted},
    forwarded_head::{self, Came},
    frames,
    gateways::{Gateway, Gateways, OWN_FOLDER, Shared},
    line::Reply,
    open::Seat,
    path::{PlainPath, is_below_in_any_case},
    prefect,
    transfer::{Broken, Download, Progress, Upload},
    upstream::{Failure, Manner},
    websocket::{self, Tunnel},
};
use crate::{
    accept::{Abort, Peer},
    headers,
    metrics::Outcome,
    middleware::{authenticate, draining, forwarded, heads, trace},
    problem, rest, traces,
    verification::{credential::Credential, forward},
};

/// The protocol of the websockets of Prefect 3.
const PREFECT: &str = "prefect";
/// The header in which a worker of Prefect 3 names itself.
const WORKER_NAME: HeaderName = HeaderName::from_static("x-prefect-worker-name");

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// A gateway at an address of its own.
#[derive(Clone)]
pub struct GatewayService(Arc<Gateway>);

impl Service<Request> for GatewayService {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let gateway = Arc::clone(&self.0);
        Box::pin(async move { Ok(gateway.handle(request).await) })
    }
}

/// The gateways with hosts of their own, in front of the site.
#[derive(Clone)]
pub struct WithGateways<S> {
    gateways: Gateways,
    site: S,
}

impl<S> WithGateways<S> {
    pub(crate) fn new(gateways: Gateways, site: S) -> Self {
        Self { gateways, site }
    }
}

impl<S> Service<Request> for WithGateways<S>
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
        if self.gateways.0.is_empty() {
            return Either::Right(self.site.call(request));
        }
        match self.gateways.of_host(&request) {
            None => Either::Right(self.site.call(request)),
            Some(Err(())) => Either::Left(Box::pin(async { Ok(problem::of(&ApiError::not_found())) })),
            Some(Ok(gateway)) => {
                let gateway = Arc::clone(gateway);
                Either::Left(Box::pin(async move { Ok(gateway.handle(request).await) }))
            }
        }
    }
}

/// Returns the gateways that listen at addresses of their own, in the order of their entries.
pub fn listeners(gateways: &Gateways) -> impl Iterator<Item = GatewayService> {
    let is_listener = |gateway: &&Arc<Gateway>| matches!(gateway.entry.mount, Mount::Listener(_));
    gateways.0.iter().filter(is_listener).map(|gateway| GatewayService(Arc::clone(gateway)))
}

impl Gateway {
    async fn handle(self: Arc<Self>, request: Request) -> Response {
        if !traces::are_recorded() {
            return self.handle_untraced(request).await;
        }
        let (site, route) = (Arc::clone(&self.shared.site), format!("gateway {}", self.entry.name));
        Box::pin(traces::follow_as(&site, request, Some(&route), |request| self.handle_untraced(request))).await
    }

    async fn handle_untraced(self: Arc<Self>, request: Request) -> Response {
        let begun = Instant::now();
        let line = trace::access_line(&request);
        let answered = AssertUnwindSafe(self.answer(request)).catch_unwind().await;
        let (outcome, mut response) = answered.unwrap_or_else(|cause| (Outcome::Failed, problem::panicked(cause)));
        self.shared.metrics.count(&self.entry.name, outcome);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            draining::close_if_stopping(&self.shared.site, &mut response);
        }
        if let Some(line) = line {
            line.write(&mut response, begun);
        }
        response
    }

    async fn answer(self: &Arc<Self>, mut request: Request) -> Answer {
        let asked = match self.read(&mut request).await {
            Ok(asked) => asked,
            Err(answer) => return *answer,
        };
        if asked.wanted.demand.is_public {
            return self.forward(request, asked, None).await;
        }
        if let Some(answer) = self.refuse_hidden_query(&request) {
            return answer;
        }
        let is_graphql = self.is_graphql(request.method());
        let refuse = |refused, headers: &HeaderMap| {
            if is_graphql { prefect::refusal(refused, headers) } else { refusal(refused) }
        };
        let greets = self.entry.first_frame == Some(FirstFrame::Prefect)
            && asked.is_websocket
            && websocket::offers(request.headers(), PREFECT);
        let shown = match Credential::find(request.headers(), &self.shared.site.key_header) {
            Credential::Token(token) => Some(Shown::Token(token.into_owned())),
            Credential::Unusable => return refuse(Refused::Invalid, request.headers()),
            Credential::None => self.pass(request.headers()).map(Shown::Pass),
        };
        let is_pass = matches!(shown, Some(Shown::Pass(_)));
        if is_pass && (asked.is_websocket || !request.method().is_safe()) && !Self::is_own_page(request.headers()) {
            let detail = "The request came from another site.";
            return (Outcome::Forbidden, problem::answer(StatusCode::FORBIDDEN, detail));
        }
        let caller = match shown {
            None if greets => None,
            None if is_graphql => return refuse(Refused::Invalid, request.headers()),
            None => return self.ask_for_key(&request),
            Some(shown) => match self.admit(shown, &asked.wanted, &asked.client).await {
                Ok(caller) => Some(caller),
                Err(Refused::Invalid) if is_pass && !is_graphql => return self.ask_for_key(&request),
                Err(Refused::Role(_)) if is_pass && Self::is_navigation(&request) => {
                    return (Outcome::Forbidden, self.refused_page(StatusCode::FORBIDDEN, Refusal::Role));
                }
                Err(Refused::Scopes(_)) if is_pass && Self::is_navigation(&request) => {
                    return (Outcome::Forbidden, self.refused_page(StatusCode::FORBIDDEN, Refusal::Scopes));
                }
                Err(refused) => return refuse(refused, request.headers()),
            },
        };
        match (caller, self.entry.upstream_tenant) {
            (Some(caller), Some(upstream)) if is_graphql => {
                Box::pin(self.answer_operations(request, asked, caller, upstream)).await
            }
            (Some(caller), _) if !greets => self.forward(request, asked, Some(caller)).await,
            (caller, _) => self.greet(request, asked, caller),
        }
    }

    /// Reads the head of a request, and finds out what it demands.
    async fn read(self: &Arc<Self>, request: &mut Request) -> Result<Asked, Box<Answer>> {
        let bad = |detail: &str| Box::new((Outcome::BadRequest, problem::answer(StatusCode::BAD_REQUEST, detail)));
        if let Some(response) = heads::refuse_ambiguous(request) {
            return Err(Box::new((Outcome::BadRequest, response)));
        }
        if request.uri().authority().is_some() || request.method() == Method::CONNECT {
            return Err(bad("The request's target must be a path."));
        }
        // Some servers read methods in any case. TRACE would show the client what the upstream gets.
        if !request.method().as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            return Err(bad("The request's method must be in capital letters."));
        }
        if request.method() == Method::TRACE {
            let refused = problem::answer(StatusCode::METHOD_NOT_ALLOWED, "TRACE isn't forwarded.");
            return Err(Box::new((Outcome::BadRequest, refused)));
        }
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let is_trusted = forwarded::find(&self.shared.site, request);
        let ambiguous = "The path could be read in more than one way.";
        let Some(path) = PlainPath::parse(request.uri().path()) else { return Err(bad(ambiguous)) };
        if is_below_in_any_case(path.bytes(), OWN_FOLDER.as_bytes()) {
            let page = Box::pin(self.own_page(request.method(), request.uri(), request.headers()));
            return Err(Box::new((Outcome::Own, page.await)));
        }
        let Some((inner, target)) = self.entry.target(request.uri()) else {
            return Err(Box::new((Outcome::BadRequest, problem::of(&ApiError::not_found()))));
        };
        let is_websocket = websocket::is_asked(request);
        let inner = if inner == request.uri().path() { Some(path) } else { PlainPath::parse(inner) };
        let wanted = inner.and_then(|inner| self.entry.wanted(request.method(), &inner, is_websocket));
        let Some(wanted) = wanted else { return Err(bad(ambiguous)) };
        let length =
            headers::text(request.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if length.zip(self.entry.max_body).is_some_and(|(length, max)| length > max) {
            return Err(Box::new(failed(Failure::Body(Broken::TooLarge))));
        }
        let client = client(request.headers(), request.extensions());
        let abort = request.extensions().get::<Abort>().cloned();
        Ok(Asked { wanted, client, target, is_trusted, peer, is_websocket, abort })
    }

    async fn admit(&self, shown: Shown, wanted: &Wanted, client: &Client) -> Result<Caller, Refused> {
        let tenant = self.tenant().await.map_err(Refused::Failed)?;
        Caller::admit(&self.shared.services, (&self.entry, tenant), shown, wanted, client).await
    }

    /// Answers a request that shows nothing valid: with the sign-in page for a person, else with a challenge.
    fn ask_for_key(&self, request: &Request) -> Answer {
        if Self::is_navigation(request) {
            (Outcome::SignIn, self.ask_to_sign_in(request))
        } else {
            (Outcome::Unauthenticated, rest::missing_key())
        }
    }

    /// Forwards a request. `caller`: who was admitted; `None` for a public path.
    pub(super) async fn forward(
        self: &Arc<Self>,
        mut request: Request,
        asked: Asked,
        caller: Option<Caller>,
    ) -> Answer {
        let upgrade = asked.is_websocket.then(|| hyper::upgrade::on(&mut request));
        let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
        let (mut parts, body) = request.into_parts();
        let of_graphql = self.is_graphql(&parts.method).then(|| parts.headers.clone());
        if let Err(error) = self.prepare(&mut parts, &asked, caller.as_ref()).await {
            return (Outcome::Failed, problem::of(&error));
        }
        let is_upgrade = asked.is_websocket;
        let seat = match caller {
            Some(caller) => match self.open(caller, asked).await {
                Ok(seat) => Some(seat),
                Err(error) => return (Outcome::Failed, problem::of(&error)),
            },
            None => None,
        };
        let answering = self.send(parts, body, is_upgrade);
        let response = match &seat {
            Some(seat) => tokio::select! {
                response = answering => response,
                () = seat.cut().given() => return match of_graphql {
                    Some(headers) => prefect::refusal(Refused::Invalid, &headers),
                    None => refusal(Refused::Invalid),
                },
            },
            None => answering.await,
        };
        let mut response = match response {
            Ok(response) => response,
            Err(failure) => return failed(failure),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let is_opened = key.is_some_and(|key| websocket::is_opened(response.headers(), key.as_bytes()));
            let Some(upgrade) = upgrade.filter(|_| is_opened) else { return failed(Failure::Broken) };
            let upstream = hyper::upgrade::on(&mut response);
            tokio::spawn(self.tunnel(seat).run(upgrade, upstream));
            let mut response = response.map(|_| Body::empty());
            forwarded_head::clean_response(response.headers_mut());
            websocket::ask(response.headers_mut());
            return (Outcome::Websocket, response);
        }
        forwarded_head::clean_response(response.headers_mut());
        // An upstream's HTTP/1.0 is that of another connection. In HTTP/1.1, a body without a length has an end.
        *response.version_mut() = Version::HTTP_11;
        let idle = self.entry.idle_timeout;
        let download = |body: Reply| {
            // Nothing follows that could be cut off.
            if body.is_end_stream() { Body::empty() } else { Body::new(Download::new(body, idle, seat)) }
        };
        (Outcome::Forwarded, response.map(download))
    }

    async fn open(&self, caller: Caller, asked: Asked) -> Result<Seat, ApiError> {
        let tenant = self.tenant().await?;
        // A websocket ends with a message, whether its client reads or not.
        let abort = asked.abort.filter(|_| !asked.is_websocket);
        Ok(self.shared.open.open((&self.entry, tenant), caller, asked.wanted, asked.client, abort))
    }

    fn tunnel(&self, seat: Option<Seat>) -> Tunnel {
        Tunnel { seat, idle: self.entry.idle_timeout, drain: self.shared.site.drain.clone() }
    }

    /// Makes the head of a request that of the request to the upstream.
    async fn prepare(&self, parts: &mut Parts, asked: &Asked, caller: Option<&Caller>) -> Result<(), ApiError> {
        let headers = &mut parts.headers;
        let host = headers.get(header::HOST).cloned();
        let scheme = self.public_url().split_once("://").map_or("http", |(scheme, _)| scheme);
        let came = Came { peer: asked.peer, is_trusted: asked.is_trusted, scheme, host: host.clone() };
        forwarded_head::clean(headers, &self.shared.site.key_header, &came);
        forwarded_head::add_forwarded(headers, came);
        match caller {
            Some(caller) => {
                let Shared { services, identities, .. } = &*self.shared;
                caller.identify(services, identities, headers, &asked.wanted.demand.scopes).await?;
            }
            None => caller::write_nobody(headers),
        }
        if let Some(authorization) = &self.entry.upstream_authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        match host.filter(|_| self.entry.keeps_host).or_else(|| self.upstream.host.clone()) {
            Some(host) => headers.insert(header::HOST, host),
            None => headers.remove(header::HOST),
        };
        if asked.is_websocket {
            websocket::ask(headers);
        }
        parts.version = Version::HTTP_11;
        parts.uri = asked.target.clone().into();
        Ok(())
    }

    /// Sends a request to the upstream. One that only reads is sent again if the upstream has just closed the connection.
    async fn send(&self, mut parts: Parts, body: Body, is_upgrade: bool) -> Result<http::Response<Reply>, Failure> {
        let manner = match parts.method.is_safe() && body.is_end_stream() {
            _ if is_upgrade => Manner::Upgrade,
            true => Manner::Repeatable,
            false => Manner::Once,
        };
        let progress = Progress::default();
        let upload = Upload::new(body, self.entry.max_body, progress.clone());
        // What the server knows about the request isn't sent, and would be copied with the head.
        parts.extensions = http::Extensions::new();
        self.upstream.send(parts, upload, progress, manner).await
    }

    /// Opens a websocket whose client shows its key, or nothing, in its first message. `caller`: who was admitted by the
    /// handshake.
    fn greet(self: &Arc<Self>, mut request: Request, asked: Asked, caller: Option<Caller>) -> Answer {
        let response = websocket::accept(request.headers(), PREFECT);
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let gateway = Arc::clone(self);
        tokio::spawn(async move { gateway.run_greeted(upgrade, parts, asked, caller).await });
        (Outcome::Websocket, response)
    }

    async fn run_greeted(&self, upgrade: OnUpgrade, mut parts: Parts, asked: Asked, caller: Option<Caller>) {
        let greeting = match websocket::Client::greet(upgrade).await {
            Ok(greeting) => greeting,
            Err(Some(client)) => {
                return client.close(frames::POLICY, "The first message must be of the type auth.").await;
            }
            Err(None) => return,
        };
        let client = greeting.client;
        let caller = match (caller, greeting.token) {
            (Some(caller), _) => caller,
            (None, None) => {
                self.shared.metrics.count(&self.entry.name, Outcome::Unauthenticated);
                return client.close(frames::POLICY, "This connection needs an API key.").await;
            }
            (None, Some(token)) => match self.admit(Shown::Token(token), &asked.wanted, &asked.client).await {
                Ok(caller) => caller,
                Err(refused) => {
                    let (status, reason) = match &refused {
                        Refused::Invalid => (frames::POLICY, "This API key isn't valid here.".to_owned()),
                        Refused::RateLimited(_) => (frames::TRY_LATER, "This API key was used too often.".to_owned()),
                        Refused::Role(reason) => (frames::POLICY, reason.clone()),
                        Refused::Scopes(missing) => (frames::POLICY, missing.to_string()),
                        Refused::Failed(_) => (frames::TRY_LATER, "The key can't be checked now.".to_owned()),
                    };
                    self.shared.metrics.count(&self.entry.name, refusal(refused).0);
                    return client.close(status, &reason).await;
                }
            },
        };
        let failed = "The upstream can't be reached.";
        let is_prepared = self.prepare(&mut parts, &asked, Some(&caller)).await.is_ok();
        let (true, Ok(seat)) = (is_prepared, self.open(caller, asked).await) else {
            return client.close(frames::TRY_LATER, failed).await;
        };
        parts.headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        parts.headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PREFECT));
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let answer = tokio::select! {
            answer = self.send(parts, Body::empty(), true) => answer,
            () = seat.cut().given() => return client.close(frames::POLICY, websocket::NOT_VALID).await,
        };
        match (answer, key) {
            (Ok(mut response), Some(key)) if websocket::is_opened(response.headers(), key.as_bytes()) => {
                let upstream = hyper::upgrade::on(&mut response);
                let authorization = self.entry.upstream_authorization.as_ref();
                self.tunnel(Some(seat)).run_greeted(client, upstream, authorization).await;
            }
            _ => client.close(frames::TRY_LATER, failed).await,
        }
    }
}

/// Returns the client of a request, with the name of its worker if it has one.
fn client(headers: &HeaderMap, extensions: &http::Extensions) -> Client {
    let client = authenticate::client(headers, extensions, Channel::Rest).at(Endpoint::Gateway);
    let Some(worker) = headers::recorded(headers, WORKER_NAME, authenticate::MAX_AGENT_CHARS) else { return client };
    let agent = client.user_agent.as_deref().unwrap_or_default();
    let named = headers::as_recorded(&format!("{worker} {agent}"), authenticate::MAX_AGENT_CHARS);
    Client { user_agent: Some(named), ..client }
}

/// Answers somebody who isn't admitted.
fn refusal(refused: Refused) -> Answer {
    match refused {
        Refused::Invalid => (Outcome::Unauthenticated, rest::invalid_key()),
        Refused::RateLimited(wait) => (Outcome::RateLimited, problem::of(&ApiError::key_rate_limited(wait))),
        Refused::Role(reason) => (Outcome::Forbidden, problem::answer(StatusCode::FORBIDDEN, &reason)),
        Refused::Scopes(missing) => (Outcome::Forbidden, forward::insufficient(&missing)),
        Refused::Failed(error) => (Outcome::Failed, problem::of(&error)),
    }
}

/// Answers a request that the upstream doesn't answer.
fn failed(failure: Failure) -> Answer {
    let (outcome, status, detail) = match failure {
        Failure::Unreachable => (Outcome::Upstream, StatusCode::BAD_GATEWAY, "The upstream can't be reached."),
        Failure::Broken => (Outcome::Upstream, StatusCode::BAD_GATEWAY, "The upstream's response is broken."),
        Failure::ConnectTimeout => {
            (Outcome::Timeout, StatusCode::GATEWAY_TIMEOUT, "Connecting to the upstream took too long.")
        }
        Failure::ResponseTimeout => {
            (Outcome::Timeout, StatusCode::GATEWAY_TIMEOUT, "The upstream didn't respond in time.")
        }
        Failure::Body(Broken::Idle) => {
            (Outcome::Timeout, StatusCode::REQUEST_TIMEOUT, "The request's body took too long.")
        }
        Failure::Body(Broken::TooLarge) => {
            (Outcome::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than this gateway allows.")
        }
        Failure::Body(_) => (Outcome::BadRequest, StatusCode::BAD_REQUEST, "The request's body is incomplete."),
    };
    (outcome, problem::answer(status, detail))
}
