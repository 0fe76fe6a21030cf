//! The feed of changes for services that keep answers about keys in their own process (`server/verifier`).

use std::{collections::BTreeMap, convert::Infallible, fmt::Write, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use chrono::SecondsFormat;
use domain::{ApiError, ErrorCode, Owner, Scope, audit::Channel};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use service::{Change, Client, Cursor, FeedEvent, KeyReport, Services, Subscription, VerifierReport};

use super::{credential::Credential, verify::json};
use crate::{
    accept::Drain,
    body,
    config::Site,
    headers,
    middleware::{authenticate, limits::ReadRequest},
    problem, rest,
};

/// How an `EventSource` names the last event that it has received.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What has changed, in the data of an event.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Told {
    Key { key: String },
    Owner { owner: ToldOwner },
    Tenant,
    Catalogue,
    Imported,
}

#[derive(Serialize)]
struct ToldOwner {
    kind: &'static str,
    id: String,
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        let owner = |owner: Owner| ToldOwner { kind: owner.kind().as_str(), id: owner.to_string() };
        match change {
            Change::Key(key) => Self::Key { key: key.to_string() },
            Change::Owner(of) => Self::Owner { owner: owner(of) },
            Change::Tenant => Self::Tenant,
            Change::Catalogue => Self::Catalogue,
            Change::Imported => Self::Imported,
        }
    }
}

/// Writes events as WHATWG HTML §9.2 describes. The id of each is the cursor after it.
fn lines_of(events: &[FeedEvent]) -> Bytes {
    let mut text = String::new();
    for event in events {
        let (name, cursor, data) = match event {
            FeedEvent::Reset { cursor, has_imported } => ("reset", cursor, format!("{{\"imported\":{has_imported}}}")),
            FeedEvent::Change(cursor, change) => ("change", cursor, data_of(&Told::from(*change))),
            FeedEvent::Heartbeat { cursor, age, has_imported } => {
                ("heartbeat", cursor, format!("{{\"age_ms\":{},\"imported\":{has_imported}}}", millis(*age)))
            }
        };
        // Writing to a `String` can't fail.
        write!(text, "event: {name}\nid: {cursor}\ndata: {data}\n\n").ok();
    }
    text.into()
}

fn data_of(told: &Told) -> String {
    // Structs with string keys only can't fail.
    serde_json::to_string(told).unwrap_or_default()
}

/// Returns an age in milliseconds, rounded up: it must not seem younger.
fn millis(age: i64) -> i64 {
    age.div_euclid(1_000) + 1
}

/// What a running feed needs.
struct Running {
    services: Services,
    drain: Drain,
    subscription: Subscription,
}

/// `GET /api/v1/changes`: the changes of the caller's tenant, as server-sent events. Ends when the server is about to stop,
/// or the caller's key no longer allows it.
pub(super) async fn changes(services: &Services, site: &Site, request: ReadRequest) -> Response {
    let (token, client) = match caller(site, &request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let query = request.uri().query().unwrap_or_default();
    let named = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = headers::text(request.headers(), LAST_EVENT_ID).map(str::to_owned);
    // A client that reconnects by itself repeats the query of its first request, so the header is newer.
    let after = after.or_else(|| named.map(|(_, value)| value.into_owned()));
    let subscription = match services.changes().subscribe(&token, after.as_deref(), &client).await {
        Ok(subscription) => subscription,
        Err(error) => return refuse(&error.into()),
    };
    let running = Running { services: services.clone(), drain: site.drain.clone(), subscription };
    let events = futures::stream::unfold(running, async |mut running| {
        let events = {
            let changes = running.services.changes();
            tokio::select! {
                events = changes.next(&mut running.subscription) => events?,
                () = running.drain.begun() => return None,
            }
        };
        Some((Ok::<_, Infallible>(lines_of(&events)), running))
    });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx collects answers otherwise.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    ([kind, unbuffered], Body::from_stream(events)).into_response()
}

/// A verifier's report.
#[derive(Deserialize)]
struct Report {
    verifier: String,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    usage: Vec<ReportedKey>,
}

#[derive(Deserialize)]
struct ReportedKey {
    digest: String,
    #[serde(default)]
    accepted: u64,
    #[serde(default)]
    age_ms: u32,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    scopes: BTreeMap<String, ReportedScope>,
}

#[derive(Deserialize)]
struct ReportedScope {
    #[serde(default)]
    met: u64,
    #[serde(default)]
    lacking: u64,
}

/// How far this server has read the changes.
#[derive(Serialize)]
struct Answer {
    cursor: Option<String>,
    age_ms: Option<i64>,
    /// Milliseconds since the Unix epoch, rounded up.
    now_ms: i64,
    now: String,
}

/// `POST /api/v1/changes/seen`: a verifier reports how far it has read the feed, and the requests that it answered.
pub(super) async fn seen(services: &Services, site: &Site, request: ReadRequest) -> Response {
    if !headers::is_json(request.headers()) {
        return problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.");
    }
    let (token, client) = match caller(site, &request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Some(report) = body::json_object::<Report>(request.body()) else {
        return problem::answer(StatusCode::BAD_REQUEST, "The body must be a JSON object with \"verifier\", a string.");
    };
    let report = match read(report) {
        Ok(report) => report,
        Err(error) => return problem::of(&error),
    };
    match services.changes().report(&token, &report, &client).await {
        Ok(state) => json(&Answer {
            cursor: state.cursor.as_ref().map(Cursor::to_string),
            age_ms: state.age.map(millis),
            now_ms: state.now.timestamp_millis() + 1,
            now: state.now.to_rfc3339_opts(SecondsFormat::Millis, true),
        }),
        Err(error) => refuse(&error.into()),
    }
}

fn read(report: Report) -> Result<VerifierReport, ApiError> {
    let mut usage = Vec::with_capacity(report.usage.len());
    for one in report.usage {
        let digest = service::digest_of_hex(&one.digest)
            .ok_or_else(|| ApiError::field("usage", "Each digest must be a SHA-256 of 64 hexadecimal digits."))?;
        let address = one.address.filter(|address| !address.is_empty());
        let address = address.map(|text| text.parse::<std::net::IpAddr>()).transpose();
        let address = address.map_err(|_| ApiError::field("usage", "Each address must be an IP address."))?;
        let address = address.map(|address| address.to_canonical().to_string());
        let user_agent = one.user_agent.map(|text| headers::as_recorded(&text, authenticate::MAX_AGENT_CHARS));
        // A scope that can't exist isn't in the catalogue either, and only those are counted.
        let scopes = one.scopes.iter().filter_map(|(scope, of)| Some((Scope::parse(scope).ok()?, of.met, of.lacking)));
        let scopes = scopes.collect();
        let age = Duration::from_millis(one.age_ms.into());
        usage.push(KeyReport { digest, accepted: one.accepted, age, client: (address, user_agent), scopes });
    }
    Ok(VerifierReport { verifier: report.verifier, cursor: report.cursor, usage })
}

/// Returns the token of the caller's key.
fn caller(site: &Site, request: &ReadRequest) -> Result<(String, Client), Box<Response>> {
    match Credential::find(request.headers(), &site.key_header) {
        Credential::None => Err(Box::new(rest::missing_key())),
        Credential::Unusable => Err(Box::new(rest::invalid_key())),
        Credential::Token(token) => {
            let client = authenticate::client(request.headers(), request.extensions(), Channel::Rest);
            Ok((token.into_owned(), client))
        }
    }
}

fn refuse(error: &ApiError) -> Response {
    if error.code == ErrorCode::Unauthenticated { rest::invalid_key() } else { problem::of(error) }
}
