//! Renders pages with Leptos, in the context of a request.

use std::sync::Arc;

use app::request::{FormOutcome, RequestContext, Theme};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use leptos::{config::LeptosOptions, prelude::provide_context};
use service::Services;
use tower_sessions::Session;

use crate::{
    compression::Uncompressed,
    config::Site,
    headers,
    middleware::{authenticate::Caller, sessions},
};

/// What rendering a page needs.
#[derive(Clone)]
pub(crate) struct PageRenderer {
    services: Services,
    site: Arc<Site>,
    leptos: LeptosOptions,
}

impl PageRenderer {
    /// A renderer of the site's pages.
    pub(crate) fn new(services: Services, site: Arc<Site>) -> Self {
        let leptos = LeptosOptions::builder()
            .output_name(Arc::from(site.assets.names().page.as_str()))
            .site_pkg_dir(Arc::from("pkg"))
            .build();
        Self { services, site, leptos }
    }

    /// The page at the address of `request`, with the outcome of a form that was sent there. `status` is the answer's, unless
    /// the page sets another.
    pub(crate) async fn render(&self, mut request: Parts, form: FormOutcome, status: StatusCode) -> Response {
        let is_form = request.method == Method::POST;
        let context = self.context(&request, form);
        // Leptos routes GET alone; the answer to a form is the page at the same address.
        request.method = Method::GET;
        let options = self.leptos.clone();
        let renderer = leptos_axum::render_app_async_with_context(
            move || provide_context(context.clone()),
            move || app::shell(options.clone()),
        );
        let mut response = renderer(Request::from_parts(request, Body::empty())).await;
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if is_form {
            // It may show a token beside what was typed.
            response.extensions_mut().insert(Uncompressed);
        }
        response
    }

    fn context(&self, request: &Parts, form: FormOutcome) -> RequestContext {
        let site = &self.site;
        let actor = request.extensions.get::<Caller>().and_then(|caller| caller.actor().cloned());
        let session = request.extensions.get::<Session>().and_then(|session| sessions::digest_of(session).ok());
        RequestContext {
            actor,
            session,
            form,
            theme: Theme::from_word(headers::theme(&request.headers).unwrap_or_default()),
            notice: headers::notice(&request.headers).map(str::to_owned),
            return_to: request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
            ..RequestContext::new(self.services.clone(), site.public_url.clone(), site.assets.names().clone())
        }
    }
}

/// `GET` of any page.
pub(crate) async fn render(State(renderer): State<PageRenderer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let has_notice = headers::notice(&parts.headers).is_some();
    let form = FormOutcome { values: prefilled(&parts.uri), ..FormOutcome::default() };
    let mut response = renderer.render(parts, form, StatusCode::OK).await;
    if has_notice {
        headers::remove_notice(&mut response);
    }
    response
}

/// The form's fields that the page's address fills in. Only a person sends the form.
fn prefilled(uri: &Uri) -> Vec<(String, String)> {
    const FIELDS: [&str; 10] =
        ["name", "expiry", "date", "tenant_id", "role", "email", "slug", "overlap", "wait", "keys"];
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    pairs.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).collect()
}
