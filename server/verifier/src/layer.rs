//! The layers for tower: one that requires a valid key, and one that requires a scope.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    caller::{Caller, ClientAddress},
    known::EndClient,
    verifier::{Refusal, Verifier},
};

/// The longest user agent that is recorded, in characters.
const MAX_AGENT: usize = 200;
const SCHEME: &[u8] = b"Bearer";

/// Requires a valid key. Made by [`Verifier::layer`].
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    verifier: Verifier,
}

impl Verifier {
    /// Returns the layer that refuses requests without a valid key, and gives the others a [`Caller`].
    pub fn layer(&self) -> VerifyLayer {
        VerifyLayer { verifier: self.clone() }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, verifier: self.verifier.clone() }
    }
}

/// Requires a valid key before a request reaches another service.
#[derive(Clone, Debug)]
pub struct Verify<S> {
    inner: S,
    verifier: Verifier,
}

/// Requires a scope of a request that the layer of [`Verifier`] has let pass. The key's page shows which scopes are used.
pub fn require_scope(scope: impl Into<Arc<str>>) -> RequireScopeLayer {
    RequireScopeLayer { scope: scope.into() }
}

/// Requires a scope. Made by [`require_scope`].
#[derive(Clone, Debug)]
pub struct RequireScopeLayer {
    scope: Arc<str>,
}

impl<S> Layer<S> for RequireScopeLayer {
    type Service = RequireScope<S>;

    fn layer(&self, inner: S) -> RequireScope<S> {
        RequireScope { inner, scope: Arc::clone(&self.scope) }
    }
}

/// Requires a scope before a request reaches another service.
#[derive(Clone, Debug)]
pub struct RequireScope<S> {
    inner: S,
    scope: Arc<str>,
}

type Asked<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

pin_project! {
    /// The response to a request, or the way to it.
    #[derive(Debug)]
    pub struct Outcome<F, R, E> {
        #[pin]
        way: Way<F, R, E>,
    }
}

pin_project! {
    #[project = WayProjection]
    enum Way<F, R, E> {
        // The request is passed on.
        Passed { #[pin] response: F },
        // The server is asked first.
        Asked { asked: Asked<R, E> },
        // The request is refused.
        Refused { response: Option<Response<R>> },
    }
}

impl<F, R, E> std::fmt::Debug for Way<F, R, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed { .. } => "Passed",
            Self::Asked { .. } => "Asked",
            Self::Refused { .. } => "Refused",
        })
    }
}

impl<F, R, E> Outcome<F, R, E> {
    fn passed(response: F) -> Self {
        Self { way: Way::Passed { response } }
    }

    fn refused(response: Response<R>) -> Self {
        Self { way: Way::Refused { response: Some(response) } }
    }
}

impl<F, R, E> Future for Outcome<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjection::Passed { response } => response.poll(context),
            WayProjection::Asked { asked } => asked.as_mut().poll(context),
            WayProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
        }
    }
}

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    R: From<&'static str> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Outcome<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let token = match token(request.headers(), &self.verifier) {
            Ok(token) => token,
            Err(refusal) => return Outcome::refused(refused(refusal, self.verifier.realm())),
        };
        match self.verifier.known(token, || end_client(request.headers(), request.extensions())) {
            Ok(Some(caller)) => {
                request.extensions_mut().insert(caller);
                Outcome::passed(self.inner.call(request))
            }
            Err(refusal) => Outcome::refused(refused(refusal, self.verifier.realm())),
            Ok(None) => {
                // What may be a token is ASCII.
                let token = String::from_utf8_lossy(token).into_owned();
                // The clone takes the place of the service that is ready.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                let asked = ask(self.verifier.clone(), ready, token, request);
                Outcome { way: Way::Asked { asked: Box::pin(asked) } }
            }
        }
    }
}

/// Asks the server about the token, and passes the request on if it is valid.
async fn ask<S, B, R>(
    verifier: Verifier,
    mut inner: S,
    token: String,
    mut request: Request<B>,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    let client = end_client(request.headers(), request.extensions());
    match verifier.ask(&token, client).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            inner.call(request).await
        }
        Err(refusal) => Ok(refused(refusal, verifier.realm())),
    }
}

impl<S, B, R> Service<Request<B>> for RequireScope<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Outcome<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = match request.extensions().get::<Caller>() {
            Some(caller) if caller.demand(&self.scope) => {
                return Outcome::passed(self.inner.call(request));
            }
            Some(_) => lacking(&self.scope),
            None => {
                tracing::error!("a route requires a scope, but has no layer of the verifier");
                answer(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        Outcome::refused(response)
    }
}

/// Returns what may be a token: in `Authorization: Bearer`, or in the header of its own. The same in both is one token.
fn token<'r>(headers: &'r HeaderMap, verifier: &Verifier) -> Result<&'r [u8], Refusal> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let mut found = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => bearer(line)?,
        (Some(_), Some(_)) => return Err(Refusal::Invalid),
    };
    if let Some(name) = verifier.header() {
        for line in headers.get_all(name) {
            let own = line.as_bytes().trim_ascii();
            if found.is_some_and(|found| found != own) {
                return Err(Refusal::Invalid);
            }
            found = Some(own);
        }
    }
    found.filter(|token| !token.is_empty()).ok_or(Refusal::Missing)
}

/// Another scheme carries no key.
fn bearer(line: &HeaderValue) -> Result<Option<&[u8]>, Refusal> {
    let line = line.as_bytes().trim_ascii();
    let (scheme, token) = line.split_at(line.len().min(SCHEME.len()));
    if !scheme.eq_ignore_ascii_case(SCHEME) || token.first().is_some_and(|byte| *byte != b' ') {
        return Ok(None);
    }
    let token = token.trim_ascii();
    if token.is_empty() { Err(Refusal::Invalid) } else { Ok(Some(token)) }
}

fn end_client(headers: &HeaderMap, extensions: &http::Extensions) -> EndClient {
    let agent = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    EndClient {
        address: extensions.get::<ClientAddress>().map(|address| address.0.to_canonical().to_string()),
        user_agent: agent.map(|agent| agent.chars().take(MAX_AGENT).collect()),
    }
}

fn answer<R: From<&'static str>>(status: StatusCode, body: &'static str) -> Response<R> {
    let mut response = Response::new(R::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !body.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    response
}

/// Writes a refusal (RFC 6750 §3). All keys that aren't valid get the same bytes.
fn refused<R: From<&'static str>>(refusal: Refusal, realm: &str) -> Response<R> {
    match refusal {
        Refusal::Missing => {
            let body = r#"{"title":"Unauthorized","status":401,"detail":"This request needs an API key. Send it in the header \"Authorization: Bearer KEY\"."}"#;
            challenged(StatusCode::UNAUTHORIZED, body, &format!("Bearer realm=\"{realm}\""))
        }
        Refusal::Invalid => {
            let body = r#"{"title":"Unauthorized","status":401,"detail":"This API key isn't valid here."}"#;
            let challenge = format!("Bearer realm=\"{realm}\", error=\"invalid_token\"");
            challenged(StatusCode::UNAUTHORIZED, body, &challenge)
        }
        Refusal::TooOften(seconds) => {
            let body =
                r#"{"title":"Too Many Requests","status":429,"detail":"This API key has made too many requests."}"#;
            after(answer(StatusCode::TOO_MANY_REQUESTS, body), seconds)
        }
        Refusal::Unavailable => {
            let body = r#"{"title":"Service Unavailable","status":503,"detail":"API keys can't be verified at the moment. Try again in a moment."}"#;
            after(answer(StatusCode::SERVICE_UNAVAILABLE, body), 1)
        }
    }
}

fn lacking<R: From<&'static str>>(scope: &str) -> Response<R> {
    let body = r#"{"title":"Forbidden","status":403,"detail":"This API key lacks a scope that the request needs."}"#;
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    challenged(StatusCode::FORBIDDEN, body, &challenge)
}

fn challenged<R: From<&'static str>>(status: StatusCode, body: &'static str, challenge: &str) -> Response<R> {
    let mut response = answer(status, body);
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn after<R>(mut response: Response<R>, seconds: u32) -> Response<R> {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_found_in_the_places_for_it_and_two_keys_are_refused() {
        let own = http::HeaderName::from_static("x-api-key");
        let verifier = Verifier::builder("http://127.0.0.1:9", "key").header(own).start().unwrap();
        for (lines, expected) in [
            (&[("authorization", "Bearer T")][..], Ok("T")),
            (&[("authorization", "bearer   T ")], Ok("T")),
            (&[("x-api-key", " T ")], Ok("T")),
            (&[("authorization", "Bearer T"), ("x-api-key", "T")], Ok("T")),
            (&[("authorization", "Digest x"), ("x-api-key", "T")], Ok("T")),
            (&[], Err(Refusal::Missing)),
            (&[("authorization", "Basic OlQ=")], Err(Refusal::Missing)),
            (&[("authorization", "BearerT x")], Err(Refusal::Missing)),
            (&[("authorization", "")], Err(Refusal::Missing)),
            (&[("x-api-key", "")], Err(Refusal::Missing)),
            (&[("authorization", "Bearer")], Err(Refusal::Invalid)),
            (&[("authorization", "Bearer ")], Err(Refusal::Invalid)),
            (&[("authorization", "Bearer T"), ("x-api-key", "U")], Err(Refusal::Invalid)),
            (&[("x-api-key", "T"), ("x-api-key", "U")], Err(Refusal::Invalid)),
            (&[("authorization", "Bearer T"), ("authorization", "Bearer T")], Err(Refusal::Invalid)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(token(&headers, &verifier), expected.map(str::as_bytes), "{lines:?}");
        }
    }

    #[test]
    fn every_refusal_has_the_same_bytes_each_time() {
        let invalid: Response<String> = refused_text(Refusal::Invalid);
        assert_eq!(invalid.headers()["www-authenticate"], "Bearer realm=\"API\", error=\"invalid_token\"");
        assert_eq!(refused_text(Refusal::TooOften(7)).headers()["retry-after"], "7");
        assert_eq!(refused_text(Refusal::Unavailable).status(), StatusCode::SERVICE_UNAVAILABLE);
        for refusal in [Refusal::Missing, Refusal::Invalid, Refusal::TooOften(1), Refusal::Unavailable] {
            let response = refused_text(refusal);
            let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
            assert_eq!(body["status"], response.status().as_u16());
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    fn refused_text(refusal: Refusal) -> Response<String> {
        refused(refusal, "API")
    }
}
