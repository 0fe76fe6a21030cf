//! Reports of leaked keys, in the form of GitHub's secret scanning partner program.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::{Secret, audit::Channel, usage::number_text};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use service::{LeakedToken, MAX_REPORTED, Services, UnverifiedReport};
use sha2::{Digest, Sha256};

use crate::{
    config::Site,
    headers,
    middleware::{authenticate::client, limits},
    problem,
    report_keys::{ReportKeys, SignatureError},
};

/// The maximum size of a report, in bytes.
const MAX_BYTES: usize = 512 * 1_024;
/// The longest type that the answer repeats, in characters.
const MAX_TYPE: usize = 100;
const DEFAULT_TYPE: &str = "latchkey_api_key";
const KEY_HEADER: &str = "github-public-key-identifier";
const SIGNATURE_HEADER: &str = "github-public-key-signature";
const FORMAT: &str = "The body must be a JSON array of objects, each with \"token\" and, if known, \"type\", \"url\" and \
                      \"source\", all of them strings.";

/// One reported text.
struct Reported {
    leaked: LeakedToken,
    token_type: String,
}

impl Reported {
    /// Returns `None` if a member is missing or not a string.
    fn of(mut members: Map<String, Value>) -> Option<Self> {
        let mut text = |name: &str| match members.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text)),
            Some(_) => None,
        };
        let (token, token_type) = (text("token")??, text("type")?);
        let (source, url) = (text("source")?.unwrap_or_default(), text("url")?.unwrap_or_default());
        let token_type = token_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned()).chars().take(MAX_TYPE).collect();
        Some(Self { leaked: LeakedToken { token: Secret::new(token), source, url }, token_type })
    }
}

/// What the reporter learns about one text: whether it is a token of this site, and nothing else.
#[derive(Serialize)]
struct Feedback {
    /// The SHA-256 of the text, in hexadecimal digits.
    token_hash: String,
    token_type: String,
    label: &'static str,
}

impl Feedback {
    fn new(reported: Reported, is_key: bool) -> Self {
        Self {
            token_hash: format!("{:x}", Sha256::digest(reported.leaked.token.expose())),
            token_type: reported.token_type,
            label: if is_key { "true_positive" } else { "false_positive" },
        }
    }
}

/// `POST /api/v1/leaks`: marks the keys of the reported tokens as exposed.
pub(crate) async fn report(
    State(services): State<Services>,
    State(site): State<Arc<Site>>,
    request: Request,
) -> Response {
    match answer(&services, &site, request).await {
        Ok(feedback) => {
            let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            ([no_store], Json(feedback)).into_response()
        }
        Err(refusal) => *refusal,
    }
}

async fn answer(services: &Services, site: &Site, request: Request) -> Result<Vec<Feedback>, Box<Response>> {
    if !headers::is_json(request.headers()) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.");
    }
    let signature = Signature::of(request.headers(), site.leak_reports.keys.as_ref());
    if signature.is_none() && site.leak_reports.requires_signature {
        return refuse(StatusCode::FORBIDDEN, "This server accepts only signed reports.");
    }
    let client = client(request.headers(), request.extensions(), Channel::Rest);
    let leaks = services.leak_reports();
    let refused = |error: service::Error| Box::new(problem::of(&error.into()));
    // Before the body is read, so that a flood doesn't fill the memory.
    let body = if let Some(signature) = &signature {
        let unverified = leaks.admit_signed(&client).map_err(refused)?;
        signature.verified(request, unverified).await?
    } else {
        leaks.take_unsigned(&client).map_err(refused)?;
        let (parts, body) = request.into_parts();
        limits::collect(&parts.headers, body, MAX_BYTES).await?
    };
    let found = parse(&body)?;
    let tokens: Vec<_> = found.iter().map(|one| one.leaked.clone()).collect();
    let signed_by = signature.as_ref().map(|signature| signature.identifier.as_str());
    let answers = leaks.report(&tokens, signed_by, &client).await;
    let answers = answers.map_err(|error| Box::new(problem::of(&error.into())))?;
    Ok(found.into_iter().zip(answers).map(|(one, is_key)| Feedback::new(one, is_key)).collect())
}

fn refuse<T>(status: StatusCode, detail: &str) -> Result<T, Box<Response>> {
    Err(Box::new(problem::answer(status, detail)))
}

fn parse(body: &[u8]) -> Result<Vec<Reported>, Box<Response>> {
    let Ok(all) = serde_json::from_slice::<Vec<Map<String, Value>>>(body) else {
        return refuse(StatusCode::BAD_REQUEST, FORMAT);
    };
    if all.len() > MAX_REPORTED {
        let most = number_text(MAX_REPORTED as u64);
        return refuse(StatusCode::BAD_REQUEST, &format!("A report can contain at most {most} tokens."));
    }
    match all.into_iter().map(Reported::of).collect() {
        Some(reported) => Ok(reported),
        None => refuse(StatusCode::BAD_REQUEST, FORMAT),
    }
}

/// The signature of a report.
struct Signature<'a> {
    keys: &'a ReportKeys,
    identifier: String,
    encoded: String,
}

impl<'a> Signature<'a> {
    /// Returns the signature in the headers. One header without the other is a signature that doesn't match.
    fn of(headers: &HeaderMap, keys: Option<&'a ReportKeys>) -> Option<Self> {
        let keys = keys?;
        if !headers.contains_key(KEY_HEADER) && !headers.contains_key(SIGNATURE_HEADER) {
            return None;
        }
        let text = |name| headers::text(headers, name).unwrap_or_default().to_owned();
        Some(Self { keys, identifier: text(KEY_HEADER), encoded: text(SIGNATURE_HEADER) })
    }

    /// Reads the body and checks the signature. Returns the body of a report with a valid signature.
    async fn verified(&self, request: Request, mut unverified: UnverifiedReport) -> Result<Bytes, Box<Response>> {
        let (parts, body) = request.into_parts();
        let body = tokio::select! {
            biased;
            body = limits::collect(&parts.headers, body, MAX_BYTES) => body?,
            () = unverified.displaced() => {
                return refuse(StatusCode::REQUEST_TIMEOUT, "The report arrived too slowly. Send it again.");
            }
        };
        match self.keys.verify(&self.identifier, &self.encoded, &body).await {
            Ok(()) => {
                unverified.stop_counting();
                Ok(body)
            }
            Err(SignatureError::Mismatch) => {
                refuse(StatusCode::FORBIDDEN, "The signature doesn't match the report, or its key is unknown.")
            }
            Err(error @ SignatureError::Keys(_)) => {
                unverified.stop_counting();
                let fault = service::Error::Fault(format!("signed leak reports can't be checked: {error}"));
                Err(Box::new(problem::of(&fault.into())))
            }
        }
    }
}
