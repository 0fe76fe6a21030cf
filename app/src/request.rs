//! The server's side of a request: what a page finds in its context, and what it says of the answer.

use domain::{ApiError, ErrorCode, IssuedKey, Secret, ServiceAccountId};
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

/// What a plain form's request came to, when it has to be shown on its own page.
#[derive(Clone, Debug, Default)]
pub struct FormOutcome {
    /// What was typed, without passwords.
    pub values: Vec<(String, String)>,
    /// What was wrong.
    pub error: Option<ApiError>,
    /// What was made.
    pub issued: Option<IssuedKey>,
    /// What else is shown this once: recovery codes, a link.
    pub revealed: Vec<Secret>,
}

impl FormOutcome {
    /// What was typed into a field.
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// What the server tells of a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The use cases.
    pub services: Services,
    /// Who is asking.
    pub actor: Option<Actor>,
    /// The colours.
    pub theme: Theme,
    /// What a form's request came to.
    pub form: FormOutcome,
    /// The request's own path and query.
    pub return_to: String,
    /// What was just done, as a short word.
    pub notice: Option<String>,
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
            theme: Theme::default(),
            form: FormOutcome::default(),
            return_to: "/".to_owned(),
            notice: None,
            session: None,
            public_url,
            assets,
        }
    }

    /// What the texts that do the same by program need: for the keys of a service account, or of the person.
    ///
    /// # Errors
    /// When the person can't be found any more.
    pub async fn code(&self, account: Option<ServiceAccountId>) -> Result<CodeContext, ApiError> {
        let actor = self.actor()?;
        let own = actor.require_owner()?;
        let viewer = self.services.users().viewer(actor).await?;
        let here = viewer.memberships.iter().find(|membership| membership.tenant.id == viewer.tenant_id);
        Ok(CodeContext {
            public_url: self.public_url.clone(),
            slug: here.map(|membership| membership.tenant.slug.as_str().to_owned()).unwrap_or_default(),
            owner_id: account.map_or(own.to_string(), |id| id.to_string()),
            email: account.is_none().then(|| viewer.user.email.as_str().to_owned()),
        })
    }

    /// Who is asking.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody.
    pub fn actor(&self) -> Result<&Actor, ApiError> {
        let expired =
            || ApiError::new(ErrorCode::Unauthenticated, "You are signed out. Reload the page to sign in again.");
        self.actor.as_ref().ok_or_else(expired)
    }
}

/// The context of this request.
///
/// # Panics
/// Outside a request: the server provides the context for every page.
pub fn context() -> RequestContext {
    use_context().expect("the server provides it for every page")
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
