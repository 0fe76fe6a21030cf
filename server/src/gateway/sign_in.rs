//! People reach a gateway with their session at Latchkey. Its cookie isn't sent to the gateway's host, so the browser gets a
//! pass there: the gateway sends it to Latchkey, where the person signs in, and Latchkey sends it back with a code that the
//! gateway exchanges for the pass. Also the page after the sign-in, and the page for a person without access.

use std::{collections::HashMap, sync::Arc};

use app::{
    list_url::encode,
    pages::gateways::{self, Place, Refusal},
};
use axum::{
    Extension,
    body::Body,
    extract::{Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::ApiError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use service::GatewayPasses;
use sha2::{Digest, Sha256};

use super::gateways::{Gateway, Gateways, OWN_FILES, OWN_FOLDER};
use crate::{
    assets, authority::Authority, compression::Uncompressed, form::own_path, headers, middleware::authenticate::Caller,
    problem,
};

/// The path at Latchkey that issues codes.
pub(crate) const ENTER_PATH: &str = "/gateway/enter";
/// What the pages may load.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";
/// How long a browser's state is kept while its user signs in, in seconds.
const STATE_SECONDS: u32 = 1_800;
/// The length of secrets in cookies.
const SECRET_CHARS: usize = 43;

impl Gateway {
    fn is_secure(&self) -> bool {
        self.public_url().starts_with("https://")
    }

    /// Returns the name of the cookie with the pass. Other gateways on the same host have other cookies.
    fn pass_cookie(&self) -> String {
        format!("{}latchkey-gateway-{}", if self.is_secure() { "__Host-" } else { "" }, self.entry.name)
    }

    fn state_cookie(&self) -> String {
        format!("{}-state", self.pass_cookie())
    }

    /// Returns the pass that a browser shows.
    pub(super) fn pass(&self, headers: &HeaderMap) -> Option<String> {
        headers::cookie(headers, &self.pass_cookie()).filter(|pass| pass.len() == SECRET_CHARS)
    }

    /// Whether a request comes from a page of the gateway's own origin, as its browser says.
    pub(super) fn is_own_page(headers: &HeaderMap) -> bool {
        let host = headers::text(headers, header::HOST).and_then(Authority::parse);
        let origin = headers::text(headers, header::ORIGIN);
        let is_own = |origin: &str| {
            let port = if origin.starts_with("https://") { 443 } else { 80 };
            let origin = origin.split_once("://").and_then(|(_, host)| Authority::parse(host));
            origin.zip(host.clone()).is_some_and(|(origin, host)| origin.or_port(port) == host.or_port(port))
        };
        match (headers.get("sec-fetch-site"), origin) {
            (Some(site), None) => site.as_bytes() == b"same-origin",
            (Some(site), Some(origin)) => site.as_bytes() == b"same-origin" && is_own(origin),
            (None, Some(origin)) => is_own(origin),
            (None, None) => false,
        }
    }

    /// Whether a browser navigates to a page, so that it can be sent to the sign-in page.
    pub(super) fn is_navigation(request: &Request) -> bool {
        let mode = request.headers().get("sec-fetch-mode");
        request.method() == Method::GET
            && headers::wants_page(request.headers())
            && mode.is_none_or(|mode| mode.as_bytes() == b"navigate")
    }

    /// Sends a browser to Latchkey, and back to this page afterwards.
    pub(super) fn ask_to_sign_in(&self, request: &Request) -> Response {
        let known = headers::cookie(request.headers(), &self.state_cookie());
        let known =
            known.filter(|state| state.len() == SECRET_CHARS && state.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let state = known.unwrap_or_else(|| GatewayPasses::draw_state().expose().to_owned());
        let page = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let digest = format!("{:x}", Sha256::digest(state.as_bytes()));
        let (site, name) = (&self.shared.site.public_url, &self.entry.name);
        let to = format!("{site}{ENTER_PATH}?gateway={name}&state={digest}&next={}", encode(page));
        let mut response = Redirect::to(&to).into_response();
        self.set_cookie(&mut response, &self.state_cookie(), &state, Some(STATE_SECONDS));
        response
    }

    fn set_cookie(&self, response: &mut Response, name: &str, value: &str, seconds: Option<u32>) {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }

    /// Returns the page for a person without access. The gateway serves the stylesheet itself, because browsers don't
    /// load Latchkey's from another host.
    pub(super) fn refused_page(&self, status: StatusCode, refusal: Refusal) -> Response {
        let site = &self.shared.site;
        let stylesheet = format!("{OWN_FILES}{}", site.assets.names().stylesheet);
        let place = Place { gateway: &self.entry.name, stylesheet: &stylesheet, latchkey: &site.public_url };
        page(status, gateways::refused(place, refusal))
    }

    async fn stylesheet(&self, headers: &HeaderMap) -> Response {
        let assets = Arc::clone(&self.shared.site.assets);
        let mut request = Request::new(Body::empty());
        request
            .headers_mut()
            .extend(headers.get(header::ACCEPT_ENCODING).map(|value| (header::ACCEPT_ENCODING, value.clone())));
        let path = format!("/pkg/{}", assets.names().stylesheet);
        match path.parse() {
            Ok(path) => *request.uri_mut() = path,
            Err(_) => return problem::of(&ApiError::not_found()),
        }
        assets::serve(State(assets), request).await
    }

    /// Answers at the gateway's own pages: exchanges a code for a pass.
    pub(super) async fn own_page(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        if let Some(file) = uri.path().strip_prefix(OWN_FILES)
            && file == self.shared.site.assets.names().stylesheet
            && method.is_safe()
        {
            return self.stylesheet(headers).await;
        }
        let path = format!("{OWN_FOLDER}/enter/{}", self.entry.name);
        if uri.path() != path || *method != Method::GET {
            return problem::of(&ApiError::not_found());
        }
        let query: HashMap<String, String> =
            serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let state = headers::cookie(headers, &self.state_cookie()).unwrap_or_default();
        match self.shared.services.gateway_passes().exchange(text("code"), &self.entry.name, &state).await {
            Ok(Some(pass)) => {
                let mut response = Redirect::to(own_path(text("next"))).into_response();
                self.set_cookie(&mut response, &self.pass_cookie(), pass.expose(), None);
                self.set_cookie(&mut response, &self.state_cookie(), "", Some(0));
                response
            }
            Ok(None) => self.refused_page(StatusCode::BAD_REQUEST, Refusal::UsedAddress),
            Err(error) => problem::of(&error.into()),
        }
    }
}

/// `GET /gateway/enter` at Latchkey: issues a code to a person who has signed in, and sends the browser back with it.
///
/// By a page that moves on instead of a redirect: the sign-in form may lead here, and its Content-Security-Policy lets it
/// lead to Latchkey's own pages only.
pub(crate) async fn enter(
    State(gateways): State<Gateways>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let issued = async {
        let gateway = gateways.find(text("gateway")).ok_or_else(ApiError::not_found)?;
        let state = service::digest_of_hex(text("state")).ok_or_else(ApiError::not_found)?;
        let tenant = gateway.tenant().await?;
        let passes = gateway.shared.services.gateway_passes();
        let code = passes.issue(caller.require()?, tenant, &gateway.entry.name, state).await?;
        Ok::<_, ApiError>((gateway, code))
    };
    let (gateway, code) = match issued.await {
        Ok(issued) => issued,
        Err(error) => {
            let Some(gateway) = gateways.find(text("gateway")) else { return problem::of(&error) };
            return at_latchkey(gateway, |place| {
                page(problem::status_of(&error), gateways::refused(place, Refusal::Other(error.message.clone())))
            });
        }
    };
    let (name, host) = (&gateway.entry.name, gateway.public_url());
    let next = encode(own_path(text("next")));
    let to = format!("{host}{OWN_FOLDER}/enter/{name}?code={}&next={next}", code.expose());
    at_latchkey(gateway, |place| page(StatusCode::OK, gateways::leads_on(place, &to)))
}

/// Builds a page of a gateway at Latchkey's own address.
fn at_latchkey(gateway: &Gateway, build: impl FnOnce(Place<'_>) -> Response) -> Response {
    let site = &gateway.shared.site;
    let stylesheet = format!("/pkg/{}", site.assets.names().stylesheet);
    build(Place { gateway: &gateway.entry.name, stylesheet: &stylesheet, latchkey: &site.public_url })
}

fn page(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = (status, headers, page).into_response();
    // It may contain a code.
    response.extensions_mut().insert(Uncompressed);
    response
}
