//! Pages, rendered by Leptos in the context of a request.

use std::sync::Arc;

use app::request::{FormOutcome, RequestContext, Theme};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

use tower_sessions::Session;

use crate::{
    config::Site,
    middleware::{authenticate::Caller, sessions},
    router::Doors,
};

/// What Leptos needs to know of the bundle.
pub(crate) fn leptos_options(site: &Site) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name(Arc::from(site.assets.names().page.as_str()))
        .site_pkg_dir(Arc::from("pkg"))
        .build()
}

/// Answers to forms may show a token beside what was typed: compressing those would let lengths tell (BREACH).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MayCompress;

/// Marks an answer that must not be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncompressed;

impl Predicate for MayCompress {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &http::Response<B>) -> bool {
        response.extensions().get::<Uncompressed>().is_none() && DefaultPredicate::new().should_compress(response)
    }
}

/// A page, as asked for by a link.
pub(crate) async fn render(State(doors): State<Doors>, request: Request) -> Response {
    let had_notice = cookie(request.headers(), "notice").is_some();
    let form = FormOutcome { values: prefilled(&request), ..FormOutcome::default() };
    let mut response = render_with(&doors, request, form, StatusCode::OK).await;
    if had_notice {
        response
            .headers_mut()
            .append(header::SET_COOKIE, HeaderValue::from_static("notice=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly"));
    }
    response
}

/// The fields of a form that its address fills in; a form is sent by a person all the same.
fn prefilled(request: &Request) -> Vec<(String, String)> {
    const FIELDS: [&str; 10] =
        ["name", "expiry", "date", "tenant_id", "role", "email", "slug", "overlap", "wait", "keys"];
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(request.uri().query().unwrap_or_default()).unwrap_or_default();
    pairs.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).collect()
}

/// The same page as the answer to its form: with what was typed and what was wrong, or with what was made.
pub(crate) async fn render_with(doors: &Doors, request: Request, form: FormOutcome, status: StatusCode) -> Response {
    let is_form = *request.method() == Method::POST;
    let context = context_of(doors, &request, Some(form));
    // Leptos routes GET alone; the answer to a form is the page at the same address.
    let (mut parts, _) = request.into_parts();
    parts.method = Method::GET;
    let options = doors.leptos.clone();
    let renderer = leptos_axum::render_app_async_with_context(
        move || provide_context(context.clone()),
        move || app::shell(options.clone()),
    );
    let mut response = renderer(Request::from_parts(parts, Body::empty())).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_form {
        response.extensions_mut().insert(Uncompressed);
    }
    response
}

/// Whether a body is declared as JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn context_of(doors: &Doors, request: &Request, form: Option<FormOutcome>) -> RequestContext {
    let headers = request.headers();
    let actor = request.extensions().get::<Caller>().and_then(|caller| caller.actor().cloned());
    let session = request.extensions().get::<Session>().and_then(|session| sessions::digest_of(session).ok());
    RequestContext {
        actor,
        session,
        form: form.unwrap_or_default(),
        theme: Theme::from_word(cookie(headers, "theme").unwrap_or_default()),
        notice: cookie(headers, "notice").map(str::to_owned),
        return_to: request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
        ..doors.context()
    }
}

/// A cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
