//! Translates a question of Envoy to a request to `/auth/envoy`, and its response to an answer.

use std::net::IpAddr;

use axum::{body::to_bytes, response::Response};
use domain::{Endpoint, Scope};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts};

use super::{
    Authorization,
    call::Failure,
    messages::{
        Allowed, Attributes, CheckRequest, CheckResponse, Denied, Header, HttpRequest, HttpStatus, SetHeader, Source,
        Status,
    },
};
use crate::{
    accept::Peer,
    verification::{demand, forward},
};

/// What the names of identity headers begin with.
const IDENTITY: &str = "x-latchkey-";
/// The largest body of a refusal, in bytes.
const MAX_BODY: usize = 16 * 1_024;
/// Codes of gRPC, in the answer.
const UNAUTHENTICATED: i32 = 16;
const PERMISSION_DENIED: i32 = 7;

impl Authorization {
    /// Answers whether a request may pass.
    ///
    /// # Errors
    /// When the key can't be checked, or the message isn't about a request of HTTP.
    pub(super) async fn check(&self, peer: IpAddr, question: CheckRequest) -> Result<CheckResponse, Failure> {
        let attributes = question.attributes.unwrap_or_default();
        let demanded = demands(&attributes);
        let Attributes { source, request, .. } = attributes;
        let http = request.and_then(|request| request.http).ok_or(Failure::InvalidArgument)?;
        let mut parts = parts_of(http)?;
        // Like X-Forwarded-For: what a proxy says about its client counts only if the proxy is trusted.
        let client = source.filter(|_| self.site.trusts(peer)).and_then(|source| address_of(&source)).unwrap_or(peer);
        parts.extensions.insert(Peer(client));
        let response = forward::decide(&self.services, &self.site, Endpoint::EnvoyGrpc, &parts, demanded).await;
        if response.status() == StatusCode::OK {
            return Ok(self.allowed(response.headers()));
        }
        denied(response).await
    }

    /// Sets every identity header, also the empty ones, and removes the key.
    fn allowed(&self, headers: &HeaderMap) -> CheckResponse {
        let identity = headers.iter().filter(|(name, _)| name.as_str().starts_with(IDENTITY));
        let allowed = Allowed {
            headers: identity.map(|(name, value)| set(name, value)).collect(),
            headers_to_remove: vec![header::AUTHORIZATION.to_string(), self.site.key_header.to_string()],
        };
        CheckResponse { status: Some(Status { code: 0 }), allowed: Some(allowed), denied: None }
    }
}

async fn denied(response: Response) -> Result<CheckResponse, Failure> {
    let (head, body) = response.into_parts();
    let code = match head.status {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        _ => return Err(Failure::Unavailable),
    };
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Failure::Unavailable)?;
    let no_store = set(&header::CACHE_CONTROL, &HeaderValue::from_static("no-store"));
    let denied = Denied {
        status: Some(HttpStatus { code: head.status.as_u16().into() }),
        headers: head.headers.iter().map(|(name, value)| set(name, value)).chain([no_store]).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    Ok(CheckResponse { status: Some(Status { code }), denied: Some(denied), allowed: None })
}

fn set(name: &HeaderName, value: &HeaderValue) -> SetHeader {
    let (key, value) = (name.to_string(), value.to_str().unwrap_or_default().to_owned());
    let header = Header { key, value, raw_value: Vec::new() };
    SetHeader { header: Some(header), append: Some(false), keep_empty_value: true }
}

/// Reads `scope`, `scope_safe` and `scope_unsafe` of the route, like those of a query.
fn demands(attributes: &Attributes) -> Result<Vec<Scope>, String> {
    let method = attributes.request.as_ref().and_then(|request| request.http.as_ref()).map(|http| http.method.as_str());
    let is_safe =
        method.is_some_and(|method| Method::from_bytes(method.as_bytes()).is_ok_and(|method| method.is_safe()));
    let mut demanded = Vec::new();
    for name in ["scope", if is_safe { "scope_safe" } else { "scope_unsafe" }] {
        if let Some(text) = attributes.context_extensions.get(name) {
            demand::parse(text, &mut demanded)?;
        }
    }
    Ok(demanded)
}

/// Returns the head of the request that Envoy asks about, as far as a decision needs it.
fn parts_of(http: HttpRequest) -> Result<Parts, Failure> {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(http.method.as_bytes()).map_err(|_| Failure::InvalidArgument)?;
    let lines = http.header_map.map(|lines| lines.headers).unwrap_or_default();
    let raw = lines.into_iter().map(|line| {
        let value = if line.raw_value.is_empty() { line.value.into_bytes() } else { line.raw_value };
        (line.key, value)
    });
    let joined = http.headers.into_iter().map(|(name, value)| (name, value.into_bytes()));
    for (name, value) in joined.chain(raw) {
        // Names like `:path` are no headers.
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        let value = HeaderValue::from_bytes(&value).map_err(|_| Failure::InvalidArgument)?;
        parts.headers.try_append(name, value).map_err(|_| Failure::InvalidArgument)?;
    }
    // As for requests over HTTP: two readers might use different ones.
    if parts.headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
        return Err(Failure::InvalidArgument);
    }
    Ok(parts)
}

fn address_of(source: &Source) -> Option<IpAddr> {
    let address = source.address.as_ref()?.socket_address.as_ref()?;
    address.address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
