//! The server's side of a request: the context of pages and server functions, and the status and headers of the
//! response.

use std::sync::{Arc, OnceLock};

use domain::{
    ApiError, ErrorCode, Notice, Secret, ServiceAccountId, Viewer,
    api_key::view::CreatedKey,
    outcome::{IssuedLink, Reveal},
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use service::{Actor, Services};

use crate::{as_code::CodeContext, words::session::session_ended};

/// The color theme that a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The theme of the operating system.
    #[default]
    System,
    /// Light, whatever the system's theme is.
    Light,
    /// Dark, whatever the system's theme is.
    Dark,
}

impl Theme {
    /// All themes, in the order of their buttons.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The code in the cookie and the form.
    pub fn code(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme with a code; [`Theme::System`] for an unknown one.
    pub fn from_code(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.code() == word).unwrap_or_default()
    }
}

/// The names of the built files, which contain a hash of their contents.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AssetNames {
    /// The common part of the names of the script and the WASM: `.js` or `_bg.wasm` follows.
    pub page: String,
    /// The stylesheet.
    pub stylesheet: String,
    /// GraphiQL's files, if it was built.
    pub graphiql: Option<GraphiqlNames>,
}

/// The names of GraphiQL's files.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct GraphiqlNames {
    /// The script.
    pub script: String,
    /// The stylesheet.
    pub stylesheet: String,
}

impl Default for AssetNames {
    /// The names that cargo-leptos uses.
    fn default() -> Self {
        Self { page: "latchkey".to_owned(), stylesheet: "latchkey.css".to_owned(), graphiql: None }
    }
}

/// The outcome of a submitted form that is shown on the form's own page.
#[derive(Clone, Debug, Default)]
pub struct FormOutcome {
    /// Names and values of the submitted fields, without passwords and codes.
    pub values: Vec<(String, String)>,
    /// Why the form was rejected.
    pub error: Option<ApiError>,
    /// The token or link that the act created. It is shown only once.
    pub reveal: Option<Reveal>,
    /// New recovery codes, which are shown only once; empty for none.
    pub recovery_codes: Vec<Secret>,
    /// The response of the verification endpoint to the tested key, as JSON; `None` when no key was tested.
    pub verification: Option<String>,
}

impl FormOutcome {
    /// The submitted value of a field; empty when there is none.
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The key that the form created.
    pub fn created_key(&self) -> Option<&CreatedKey> {
        match &self.reveal {
            Some(Reveal::Key(created)) => Some(created),
            _ => None,
        }
    }

    /// The link that the form created.
    pub fn created_link(&self) -> Option<&IssuedLink> {
        match &self.reveal {
            Some(Reveal::Link(issued)) => Some(issued),
            _ => None,
        }
    }
}

/// The context of a page or a server function.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The use cases.
    pub services: Services,
    /// The caller; `None` when nobody is signed in.
    pub actor: Option<Actor>,
    /// The signed-in person with their tenants. Loaded once per request, for pages only.
    pub viewer: Option<Viewer>,
    /// The color theme.
    pub theme: Theme,
    /// The outcome of the submitted form, if there was one.
    pub form: FormOutcome,
    /// The request's own path and query.
    pub return_to: String,
    /// The parameters of the path, with their names from the route table.
    pub params: Vec<(String, String)>,
    /// The decoded parameters of the query.
    pub query: Vec<(String, String)>,
    /// A notice about what was just done, shown once.
    pub notice: Option<Notice>,
    /// The hash of the session cookie's secret, by which the browser session is found.
    pub session: Option<[u8; 32]>,
    /// The scheme and host of the site.
    pub public_url: String,
    /// Whether all clients appear to have one address, because they connect through a proxy that isn't trusted.
    pub hides_clients: bool,
    /// The names of the built files.
    pub assets: AssetNames,
    /// The title of the page in the browser's tab, once the page has set it; see [`RequestContext::set_title`].
    pub title: PageTitle,
}

/// The title that a page sets for itself. All copies of a request's context share it.
#[derive(Clone, Debug, Default)]
pub struct PageTitle(Arc<OnceLock<String>>);

impl PageTitle {
    /// The title, if the page has set one.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl RequestContext {
    /// A context in which nobody is signed in, for the path `/`.
    pub fn new(services: Services, public_url: String, assets: AssetNames) -> Self {
        Self {
            services,
            actor: None,
            viewer: None,
            theme: Theme::default(),
            form: FormOutcome::default(),
            return_to: "/".to_owned(),
            params: Vec::new(),
            query: Vec::new(),
            notice: None,
            session: None,
            public_url,
            hides_clients: false,
            assets,
            title: PageTitle::default(),
        }
    }

    /// Sets the page's title: what the page is about, followed by the selected tenant, like "Settings · Acme". The
    /// first title counts, so that a page can choose a more specific one than its components would.
    pub fn set_title(&self, title: &str) {
        let tenant = self.viewer.as_ref().and_then(Viewer::current).map(|membership| membership.tenant.name.as_str());
        match tenant {
            Some(tenant) => self.set_title_in(tenant, title),
            None => {
                self.title.0.set(title.to_owned()).ok();
            }
        }
    }

    /// Like [`RequestContext::set_title`], for a page about something in a tenant that may not be the selected one.
    pub fn set_title_in(&self, tenant: &str, title: &str) {
        self.title.0.set(format!("{title} · {tenant}")).ok();
    }

    /// The context of code examples, for the keys of a service account or, without one, of the signed-in person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in.
    pub fn code(&self, account: Option<ServiceAccountId>) -> Result<CodeContext, ApiError> {
        let (actor, viewer) = (self.actor()?, self.viewer()?);
        let here = viewer.current();
        Ok(CodeContext {
            public_url: self.public_url.clone(),
            slug: here.map(|membership| membership.tenant.slug.as_str().to_owned()).unwrap_or_default(),
            owner_id: account.map_or(actor.require_owner()?.to_string(), |id| id.to_string()),
            email: account.is_none().then(|| viewer.user.email.as_str().to_owned()),
        })
    }

    /// The caller.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in.
    pub fn actor(&self) -> Result<&Actor, ApiError> {
        self.actor.as_ref().ok_or_else(signed_out)
    }

    /// The signed-in person with their tenants.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in.
    pub fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.viewer.as_ref().ok_or_else(signed_out)
    }

    /// The request's path, without its query.
    pub fn path(&self) -> &str {
        self.return_to.split('?').next().unwrap_or_default()
    }

    /// A parameter of the path; empty when the route has no such parameter.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(param, _)| param == name).map_or("", |(_, value)| value)
    }

    /// A parameter of the path, as an id.
    ///
    /// # Errors
    /// `NOT_FOUND` when the parameter isn't a valid id.
    pub fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, ApiError> {
        self.param(name).parse().map_err(|_| ApiError::not_found())
    }

    /// The first value of a parameter of the query; empty when it is missing.
    pub fn query<'a>(&'a self, name: &'a str) -> &'a str {
        self.query_all(name).next().unwrap_or_default()
    }

    /// All values of a parameter of the query.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(param, _)| param == name).map(|(_, value)| value.as_str())
    }

    /// The initial value of a field: from the rejected form or, on a new page, from the URL's query.
    pub fn typed(&self, name: &str) -> String {
        let typed = self.form.value(name);
        if typed.is_empty() && self.form.error.is_none() { self.query(name).to_owned() } else { typed }
    }

    /// The initial values of a field that a form may post several times, separated by spaces, as [`Self::typed`].
    pub fn typed_list(&self, name: &str) -> String {
        let typed = self.form.value(name);
        if typed.is_empty() && self.form.error.is_none() {
            return self.query_all(name).collect::<Vec<_>>().join(" ");
        }
        typed
    }

    /// The idempotency key for a form: the one of the rejected form, unless it was already used, or a new one.
    pub fn idempotency_key(&self) -> String {
        let repeated = self.form.value("idempotency_key");
        let is_used = self.form.error.as_ref().is_some_and(|error| error.code == ErrorCode::Conflict);
        if repeated.is_empty() || is_used { service::new_form_id() } else { repeated }
    }
}

fn signed_out() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, session_ended())
}

/// The context of the current request.
///
/// # Panics
/// Outside a page or a server function, for which the server provides the context.
pub fn context() -> RequestContext {
    use_context().expect("the server provides it for every page and every server function")
}

/// Sets the status of the response.
pub fn set_status(status: u16) {
    if let (Some(options), Ok(status)) = (use_context::<ResponseOptions>(), axum::http::StatusCode::from_u16(status)) {
        options.set_status(status);
    }
}

/// Sets a header of the response.
pub fn set_header(name: axum::http::HeaderName, value: &str) {
    if let (Some(options), Ok(value)) = (use_context::<ResponseOptions>(), axum::http::HeaderValue::from_str(value)) {
        options.insert_header(name, value);
    }
}
