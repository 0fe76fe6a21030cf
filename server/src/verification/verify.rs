//! `POST /api/v1/verify`: whether a token is valid and, if so, whose it is and whether it has the demanded scopes. Never
//! says why a token is invalid, unless its key has only reached its rate limit.

use axum::{body::Body, response::Response};
use domain::{ApiError, Endpoint, ErrorCode, Scope, TenantId, audit::Channel};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize, ser::SerializeMap};
use service::{Authorized, Client, Services, Verification, VerifiedKey};

use super::{credential::Credential, cursor, demand, facts::Facts};
use crate::{
    body::{self, Shape},
    config::Site,
    headers,
    middleware::{authenticate, limits::ReadRequest},
    problem, rest,
};

/// How long most answers are, in bytes.
const ANSWER: usize = 512;
/// How many tokens one request can contain.
const MAX_BATCH: usize = 100;

/// One or several scopes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
}

/// The members of [`Question`] and [`Batch`], for the error about any other.
const QUESTION: Shape = Shape::Object(&[
    ("token", Shape::Any),
    ("scope", Shape::Any),
    ("client", Shape::Object(&[("address", Shape::Any), ("user_agent", Shape::Any)])),
]);
const BATCH: Shape = Shape::Object(&[("keys", Shape::Array(&QUESTION))]);

/// A token to verify.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    token: String,
    #[serde(default)]
    scope: Option<Scopes>,
    #[serde(default)]
    client: Option<EndClient>,
}

/// The client whose request the caller asks about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndClient {
    address: Option<String>,
    user_agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    keys: Vec<Question>,
}

#[derive(Serialize)]
struct BatchAnswer {
    results: Vec<VerifyAnswer>,
}

/// The answer about a token. `valid` is true only if the key also has every demanded scope.
#[derive(Default)]
pub(crate) struct VerifyAnswer {
    key: Option<VerifiedKey>,
    missing: Option<Vec<Scope>>,
    /// Seconds until a key that has reached its rate limit may be used again.
    retry_after: Option<u32>,
}

impl VerifyAnswer {
    /// Whether the answer is the same for every client and every request, until something about the key changes. A
    /// refusal may be about the address, or about a token that is imported later.
    fn may_be_kept(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.limits().is_none())
    }
}

impl Serialize for VerifyAnswer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lacks = self.missing.as_deref();
        // Not derived with `#[serde(flatten)]`: it took 5 % of the CPU time of a request.
        let mut written = serializer.serialize_map(None)?;
        written.serialize_entry("valid", &(self.key.is_some() && lacks.is_none()))?;
        if let Some(error) = lacks.map(|_| "insufficient_scope").or(self.retry_after.map(|_| "rate_limited")) {
            written.serialize_entry("error", error)?;
        }
        if let Some(missing) = lacks {
            written.serialize_entry("missing_scopes", missing)?;
        }
        if let Some(wait) = self.retry_after {
            written.serialize_entry("retry_after", &wait)?;
        }
        if let Some(key) = &self.key {
            Facts::from(key).write(&mut written)?;
        }
        written.end()
    }
}

impl From<Authorized> for VerifyAnswer {
    fn from(authorized: Authorized) -> Self {
        match authorized {
            Authorized::Refused => Self::default(),
            Authorized::RateLimited(wait) => Self { retry_after: Some(wait), ..Self::default() },
            Authorized::Granted(key) => Self { key: Some(key), ..Self::default() },
            Authorized::Lacks(key, missing) => {
                let missing = missing.lacks.into_iter().map(|lack| lack.scope).collect();
                Self { key: Some(key), missing: Some(missing), retry_after: None }
            }
        }
    }
}

/// `POST /api/v1/verify`.
pub(super) async fn one(services: &Services, site: &Site, request: ReadRequest) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match Caller::find(services, site, &parts).await {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Some(question) = body::json_object::<Question>(&body) else {
        return malformed(&body, &QUESTION, "The body must be a JSON object with \"token\", a string.");
    };
    // Before the answer is looked for, so that the answer includes the changes up to it.
    let cursor = caller.tenant.and_then(|tenant| services.changes().cursor(tenant));
    match caller.answer(services, question).await {
        Ok(answer) => {
            let mut response = json(&answer);
            cursor::add(&mut response, cursor.filter(|_| answer.may_be_kept()));
            response
        }
        Err(error) => problem::of(&error),
    }
}

/// `POST /api/v1/verify/batch`.
pub(super) async fn batch(services: &Services, site: &Site, request: ReadRequest) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match Caller::find(services, site, &parts).await {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let wrong = || {
        let detail = format!(
            "The body must be a JSON object with \"keys\", an array of 1 to {MAX_BATCH} objects with \"token\"."
        );
        malformed(&body, &BATCH, &detail)
    };
    let Some(batch) = body::json_object::<Batch>(&body) else { return wrong() };
    if batch.keys.is_empty() || batch.keys.len() > MAX_BATCH {
        return wrong();
    }
    let mut results = Vec::with_capacity(batch.keys.len());
    for question in batch.keys {
        match caller.answer(services, question).await {
            Ok(answer) => results.push(answer),
            // Half an answer could be mistaken for a whole one.
            Err(error) => return problem::of(&error),
        }
    }
    json(&BatchAnswer { results })
}

/// Responds to a body that can't be read: names its unknown members or, without any, says what it must be.
fn malformed(body: &[u8], shape: &Shape, detail: &str) -> Response {
    match body::unknown_members(body, shape) {
        Some(error) => problem::of(&error),
        None => problem::answer(StatusCode::BAD_REQUEST, detail),
    }
}

/// The service that verifies keys, and its tenant if it has authenticated.
struct Caller {
    client: Client,
    /// The tenant of the caller's key, if it sent one.
    tenant: Option<TenantId>,
}

impl Caller {
    async fn find(services: &Services, site: &Site, request: &Parts) -> Result<Self, Box<Response>> {
        if !headers::is_json(&request.headers) {
            return Err(Box::new(problem::answer(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Content-Type must be application/json.",
            )));
        }
        let client = authenticate::client(&request.headers, &request.extensions, Channel::Rest).at(Endpoint::Verify);
        let tenant = match Credential::find_of_caller(&request.headers, &site.key_header) {
            Credential::None => None,
            Credential::Unusable => return Err(Box::new(rest::invalid_key())),
            Credential::Token(token) => {
                match services.verification().caller(&token, &client).await.map_err(ApiError::from) {
                    Ok(tenant) => Some(tenant),
                    Err(error) if error.code == ErrorCode::Unauthenticated => {
                        return Err(Box::new(rest::invalid_key()));
                    }
                    Err(error) => return Err(Box::new(problem::of(&error))),
                }
            }
        };
        Ok(Self { client, tenant })
    }

    async fn answer(&self, services: &Services, question: Question) -> Result<VerifyAnswer, ApiError> {
        let mut demanded = Vec::new();
        let texts = match question.scope {
            None => Vec::new(),
            Some(Scopes::Text(text)) => vec![text],
            Some(Scopes::List(list)) => list,
        };
        for text in texts {
            demand::parse_stated(&text, &mut demanded).map_err(|detail| ApiError::field("scope", detail))?;
        }
        let client = match question.client {
            None => self.client.clone(),
            Some(end) => end_client(self.tenant, &self.client, end.address.as_deref(), end.user_agent.as_deref())?,
        };
        answer(services, &question.token, &demanded, &client, self.tenant).await
    }
}

/// Returns the client that a caller names.
///
/// # Errors
/// As [`Verification::end_client`].
pub(super) fn end_client(
    caller: Option<TenantId>,
    client: &Client,
    address: Option<&str>,
    user_agent: Option<&str>,
) -> Result<Client, ApiError> {
    let user_agent = user_agent.map(|text| headers::as_recorded(text, authenticate::MAX_AGENT_CHARS));
    Ok(Verification::end_client(caller, client, (address, user_agent))?)
}

/// Verifies a token for `client`, and records the request as usage of its key. With a tenant, only its keys are known.
///
/// # Errors
/// When the token can't be checked.
pub(crate) async fn answer(
    services: &Services,
    token: &str,
    demanded: &[Scope],
    client: &Client,
    tenant: Option<TenantId>,
) -> Result<VerifyAnswer, ApiError> {
    Ok(services.verification().authorize(token, demanded, tenant, client).await?.into())
}

/// Writes a response in JSON.
pub(super) fn json(answer: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(ANSWER);
    if let Err(error) = serde_json::to_writer(&mut body, answer) {
        return problem::of(&service::Error::Fault(error.to_string()).into());
    }
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
