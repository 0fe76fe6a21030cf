//! The server's side of a request: what a page finds in its context, and what it says of the answer.

use domain::{
    ApiError, ErrorCode, Notice, Secret, ServiceAccountId, Viewer,
    api_key::view::CreatedKey,
    outcome::{IssuedLink, Reveal},
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use service::{Actor, Services};

use crate::as_code::CodeContext;

/// The colours that a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in the cookie and the form.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word; the system's for an unknown one.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.word() == word).unwrap_or_default()
    }
}

/// What the built files are called.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AssetNames {
    /// Of the script and the WASM, without their ends.
    pub page: String,
    /// Of the stylesheet.
    pub stylesheet: String,
    /// GraphiQL's, if it was built.
    pub graphiql: Option<GraphiqlNames>,
}

/// What GraphiQL's files are called.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct GraphiqlNames {
    /// The script.
    pub script: String,
    /// The stylesheet.
    pub stylesheet: String,
}

impl Default for AssetNames {
    /// As cargo-leptos calls them.
    fn default() -> Self {
        Self { page: "latchkey".to_owned(), stylesheet: "latchkey.css".to_owned(), graphiql: None }
    }
}

/// What a form came to, when it has to be shown on its own page.
#[derive(Clone, Debug, Default)]
pub struct FormOutcome {
    /// What was typed, without passwords and codes.
    pub values: Vec<(String, String)>,
    /// What was wrong.
    pub error: Option<ApiError>,
    /// What the act reveals, this once.
    pub reveal: Option<Reveal>,
    /// Recovery codes, shown this once.
    pub recovery_codes: Vec<Secret>,
}

impl FormOutcome {
    /// What was typed into a field; empty, when nothing was.
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The key that was created.
    pub fn created_key(&self) -> Option<&CreatedKey> {
        match &self.reveal {
            Some(Reveal::Key(created)) => Some(created),
            _ => None,
        }
    }

    /// The link that was created.
    pub fn created_link(&self) -> Option<&IssuedLink> {
        match &self.reveal {
            Some(Reveal::Link(issued)) => Some(issued),
            _ => None,
        }
    }
}

/// What a page or a server function knows of its request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The use cases.
    pub services: Services,
    /// Who is asking.
    pub actor: Option<Actor>,
    /// The person who is asking, with their tenants: loaded once, for pages.
    pub viewer: Option<Viewer>,
    /// The colours.
    pub theme: Theme,
    /// What a form came to.
    pub form: FormOutcome,
    /// The request's own path and query.
    pub return_to: String,
    /// The parameters of the path, by the names in the route table.
    pub params: Vec<(String, String)>,
    /// The parameters of the query, decoded once.
    pub query: Vec<(String, String)>,
    /// What is said once about what was just done.
    pub notice: Option<Notice>,
    /// What the browser's session is found by.
    pub session: Option<[u8; 32]>,
    /// Scheme and host of the site.
    pub public_url: String,
    /// What the built files are called.
    pub assets: AssetNames,
}

impl RequestContext {
    /// Of nobody, about nothing.
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
            assets,
        }
    }

    /// What code examples need: for the keys of a service account, or of the person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody.
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

    /// Who is asking.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody.
    pub fn actor(&self) -> Result<&Actor, ApiError> {
        self.actor.as_ref().ok_or_else(signed_out)
    }

    /// The person who is asking, with their tenants.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody.
    pub fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.viewer.as_ref().ok_or_else(signed_out)
    }

    /// The request's path, without its query.
    pub fn path(&self) -> &str {
        self.return_to.split('?').next().unwrap_or_default()
    }

    /// A parameter of the path; empty when the route has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(param, _)| param == name).map_or("", |(_, value)| value)
    }

    /// A parameter of the path, as an id.
    ///
    /// # Errors
    /// `NOT_FOUND` for a text that is no id.
    pub fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, ApiError> {
        self.param(name).parse().map_err(|_| ApiError::not_found())
    }

    /// The first value of a parameter of the query; empty when it isn't there.
    pub fn query<'a>(&'a self, name: &'a str) -> &'a str {
        self.query_all(name).next().unwrap_or_default()
    }

    /// Every value of a parameter of the query.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(param, _)| param == name).map(|(_, value)| value.as_str())
    }

    /// What was typed into a field of the refused form or, on a fresh page, what the address fills in.
    pub fn typed(&self, name: &str) -> String {
        let typed = self.form.value(name);
        if typed.is_empty() && self.form.error.is_none() { self.query(name).to_owned() } else { typed }
    }

    /// The idempotency key for a form: the one that was sent with a refused form, or a new one.
    pub fn idempotency_key(&self) -> String {
        let repeated = self.form.value("idempotency_key");
        let is_used = self.form.error.as_ref().is_some_and(|error| error.code == ErrorCode::Conflict);
        if repeated.is_empty() || is_used { service::new_form_id() } else { repeated }
    }
}

fn signed_out() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, "Your session ended. Sign in to continue.")
}

/// The context of this request.
///
/// # Panics
/// Outside a request: the server provides the context for every page and every server function.
pub fn context() -> RequestContext {
    use_context().expect("the server provides it for every page and every server function")
}

/// Sets the answer's status.
pub fn set_status(status: u16) {
    if let (Some(options), Ok(status)) = (use_context::<ResponseOptions>(), axum::http::StatusCode::from_u16(status)) {
        options.set_status(status);
    }
}

/// Sets a header of the answer.
pub fn set_header(name: axum::http::HeaderName, value: &str) {
    if let (Some(options), Ok(value)) = (use_context::<ResponseOptions>(), axum::http::HeaderValue::from_str(value)) {
        options.insert_header(name, value);
    }
}
