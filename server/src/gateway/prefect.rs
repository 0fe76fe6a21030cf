//! In front of a server of Prefect 0.14 to 1.x: requests are GraphQL, and so are refusals, because clients understand nothing
//! else. Latchkey answers the operations about keys itself, with the same code as at its own address.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use domain::{ApiError, ErrorCode, audit::Channel};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use service::{Actors, Client};
use uuid::Uuid;

use super::{
    asked::{Answer, Asked},
    caller::{Caller, Refused},
    entry::Wanted,
    gateways::Gateway,
    operations::{Operation, Operations, Tenants},
};
use crate::{
    graphql::{answered::AnsweredBy, transport},
    headers,
    metrics::Outcome,
    middleware::{authenticate, limits},
    problem,
};

/// The largest response of the upstream to a batch that Latchkey answers in part, in bytes.
const MAX_RESPONSE: usize = 16 * 1_024 * 1_024;
/// Bodies of at most this length are parsed in the request's own task, in bytes.
const INLINE_BYTES: usize = 1_024;
/// Parameters by which servers take a query from the address of a request.
const IN_QUERY: [&str; 6] = ["query", "operationName", "variables", "extensions", "id", "documentId"];

/// What becomes of an operation.
enum Fate<'a> {
    /// Latchkey executes it.
    Own(&'a Operation),
    /// The upstream gets it.
    Forwarded(&'a RawValue),
    /// Nobody executes it.
    Refused(ApiError),
}

/// An answer of Latchkey in a batch.
#[derive(Serialize)]
struct Failed<'a> {
    data: (),
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    extensions: Extensions,
}

#[derive(Serialize)]
struct Extensions {
    code: &'static str,
}

impl Gateway {
    /// Whether a request is GraphQL for a server of Prefect.
    pub(super) fn is_graphql(&self, method: &Method) -> bool {
        self.entry.upstream_tenant.is_some() && *method == Method::POST
    }

    /// Refuses requests by which a server could take an operation from elsewhere than from a body of JSON, where it is judged.
    pub(super) fn refuse_hidden_query(&self, request: &Request) -> Option<Answer> {
        self.entry.upstream_tenant?;
        let answer = |status, detail: &str| Some((Outcome::BadRequest, problem::answer(status, detail)));
        if *request.method() == Method::POST {
            let detail = "Content-Type must be application/json.";
            return if headers::is_json(request.headers()) {
                None
            } else {
                answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            };
        }
        let parameters: Result<Vec<(String, String)>, _> =
            serde_urlencoded::from_str(request.uri().query().unwrap_or_default());
        let has_query = parameters.map_or(true, |parameters| {
            parameters.iter().any(|(name, _)| IN_QUERY.iter().any(|known| name.eq_ignore_ascii_case(known)))
        });
        if has_query { answer(StatusCode::METHOD_NOT_ALLOWED, "Use the POST method for GraphQL.") } else { None }
    }

    /// Answers GraphQL of a caller who was admitted.
    pub(super) async fn answer_operations(
        self: &Arc<Self>,
        request: Request,
        mut asked: Asked,
        caller: Caller,
        upstream: Uuid,
    ) -> Answer {
        let own = match self.tenant().await {
            Ok(tenant) => tenant,
            Err(error) => return refusal(Refused::Failed(error), request.headers()),
        };
        if authenticate::names_other_tenant(request.headers(), own) {
            return refusal(Refused::Invalid, request.headers());
        }
        let (mut parts, body) = request.into_parts();
        let most = self.entry.max_body.and_then(|most| usize::try_from(most).ok());
        let most = most.map_or(limits::MAX_FLOW_BYTES, |most| most.min(limits::MAX_FLOW_BYTES));
        let held = transport::hold_if_long(&parts.headers, most).await;
        let body = match limits::collect(&parts.headers, body, most).await {
            Ok(body) => body,
            Err(response) if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return (Outcome::TooLarge, *response);
            }
            Err(response) => return (Outcome::BadRequest, *response),
        };
        let tenants = Tenants { own, upstream };
        let operations = if body.len() > INLINE_BYTES {
            let read = tokio::task::spawn_blocking(move || Operations::read(&body, tenants)).await;
            read.unwrap_or(Err("The body couldn't be read."))
        } else {
            Operations::read(&body, tenants)
        };
        let operations = match operations {
            Ok(operations) => operations,
            Err(detail) => return (Outcome::BadRequest, problem::answer(StatusCode::BAD_REQUEST, detail)),
        };
        drop(held);
        // The body may have taken long.
        let caller = match self.still_admitted(&caller, &asked, own).await {
            Ok(caller) => caller,
            Err(refused) => return refusal(refused, &parts.headers),
        };
        let fates: Vec<Fate<'_>> =
            operations.list.iter().map(|operation| fate(operation, &asked.wanted, &caller)).collect();
        // What is refused doesn't count: the rest would be cut off.
        let forwarded = operations.list.iter().zip(&fates).filter(|(_, fate)| matches!(fate, Fate::Forwarded(_)));
        asked.wanted.only_reads = forwarded.map(|(operation, _)| operation).all(Operation::only_reads);
        if parts.headers.contains_key(authenticate::TENANT_HEADER)
            && let Ok(id) = HeaderValue::try_from(upstream.to_string())
        {
            parts.headers.insert(authenticate::TENANT_HEADER, id);
        }
        match &fates[..] {
            [Fate::Refused(error)] if !operations.is_batch => {
                (outcome_of(error), transport::refuse(error, &parts.headers))
            }
            [Fate::Own(operation)] if !operations.is_batch => {
                (Outcome::Own, self.execute(operation, &parts, &asked.client, &caller).await)
            }
            [Fate::Forwarded(operation)] if !operations.is_batch => {
                let body = Body::from(operation.get().to_owned());
                self.forward(Request::from_parts(parts, body), asked, Some(caller)).await
            }
            fates => self.answer_batch(parts, asked, caller, fates).await,
        }
    }

    /// Returns the caller as of now.
    async fn still_admitted(
        &self,
        caller: &Caller,
        asked: &Asked,
        tenant: domain::TenantId,
    ) -> Result<Caller, Refused> {
        let services = &self.shared.services;
        let failed = |error: service::Error| Refused::Failed(error.into());
        let caller = caller.recheck(services, &self.entry.name, tenant).await.map_err(failed)?;
        let caller = caller.ok_or(Refused::Invalid)?;
        match caller.may(services, &asked.wanted, &asked.client).await.map_err(failed)? {
            Some(refused) => Err(refused),
            None => Ok(caller),
        }
    }

    /// Answers a batch. The upstream gets its part of it first, in one request: what it fails doesn't lose a new key.
    async fn answer_batch(self: &Arc<Self>, parts: Parts, asked: Asked, caller: Caller, fates: &[Fate<'_>]) -> Answer {
        let forwarded: Vec<&RawValue> = fates.iter().filter_map(Fate::forwarded).collect();
        let client = asked.client.clone();
        let mut answers = Vec::new();
        if !forwarded.is_empty() {
            let Ok(body) = serde_json::to_string(&forwarded) else {
                return refusal(Refused::Failed(ApiError::not_found()), &parts.headers);
            };
            let mut request = Request::from_parts(parts.clone(), Body::from(body));
            if forwarded.len() == fates.len() {
                return self.forward(request, asked, Some(caller)).await;
            }
            // The response is read here.
            request.headers_mut().remove(header::ACCEPT_ENCODING);
            let (outcome, response) = self.forward(request, asked, Some(caller.clone())).await;
            if outcome != Outcome::Forwarded || !response.status().is_success() {
                // Clients repeat what fails in this way, as a whole.
                return (outcome, response);
            }
            answers = match answers_of(response).await.filter(|answers| answers.len() == forwarded.len()) {
                Some(answers) => answers,
                None => forwarded.iter().map(|_| failed(&upstream_failed())).collect(),
            };
        }
        let mut answers = answers.into_iter();
        let mut all = Vec::with_capacity(fates.len());
        for fate in fates {
            all.push(match fate {
                Fate::Forwarded(_) => answers.next().unwrap_or_else(|| failed(&upstream_failed())),
                Fate::Refused(error) => failed(error),
                Fate::Own(operation) => self.execute_in_batch(operation, &parts, &client, &caller).await,
            });
        }
        let body = serde_json::to_string(&all).unwrap_or_default();
        (
            Outcome::Own,
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response(),
        )
    }

    /// Executes an operation about keys, once the changes that it may be based on are committed.
    async fn execute(&self, operation: &Operation, parts: &Parts, client: &Client, caller: &Caller) -> Response {
        let services = &self.shared.services;
        let (Caller::Key(key), Some(schema)) = (caller, &self.shared.schema) else {
            return transport::refuse(&ApiError::unauthenticated(), &parts.headers);
        };
        let mark = services.settling_mark();
        let client = Client { channel: Channel::Graphql, ..client.clone() };
        let mut parts = parts.clone();
        let actor = Actors::of_key(key, client);
        parts.extensions.insert(authenticate::Caller::Known(Box::new(actor)));
        let mut response = transport::respond(schema, operation.sent.get().as_bytes().to_vec().into(), &parts).await;
        if let Err(error) = services.settle(mark).await {
            return transport::refuse(&error.into(), &parts.headers);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// As [`Gateway::execute`]. Returns the body of the response.
    async fn execute_in_batch(
        &self,
        operation: &Operation,
        parts: &Parts,
        client: &Client,
        caller: &Caller,
    ) -> Box<RawValue> {
        let mut parts = parts.clone();
        // So that the answer is one of `application/json`, as the whole.
        parts.headers.remove(header::ACCEPT);
        // An operation before it in the batch may have revoked the key.
        let caller = match caller.recheck(&self.shared.services, &self.entry.name, caller.tenant()).await {
            Ok(Some(caller)) => caller,
            Ok(None) => return failed(&ApiError::unauthenticated()),
            Err(error) => return failed(&error.into()),
        };
        let response = self.execute(operation, &parts, client, &caller).await;
        let body = body_of(response).await;
        body.and_then(|body| serde_json::from_slice(&body).ok())
            .unwrap_or_else(|| failed(&ApiError::new(ErrorCode::Unavailable, "The response is too long for a batch.")))
    }
}

impl<'a> Fate<'a> {
    fn forwarded(&self) -> Option<&'a RawValue> {
        match self {
            Self::Forwarded(operation) => Some(operation),
            Self::Own(_) | Self::Refused(_) => None,
        }
    }
}

/// Decides about an operation. What can't be parsed reaches the upstream only for somebody who may change everything there,
/// so it doesn't matter what it is; about keys, an upstream can't do anything. A person's pages are those of the upstream,
/// so what they ask is for the upstream, too.
fn fate<'a>(operation: &'a Operation, wanted: &Wanted, caller: &Caller) -> Fate<'a> {
    match (operation.answered_by(), caller) {
        (AnsweredBy::Latchkey, Caller::Key(_)) => return Fate::Own(operation),
        (AnsweredBy::Both, Caller::Key(_)) => {
            let message = "Latchkey answers operations about keys. Send them separately from others.";
            return Fate::Refused(ApiError::new(ErrorCode::BadUserInput, message));
        }
        _ => (),
    }
    let wanted = Wanted { only_reads: operation.only_reads(), ..wanted.clone() };
    if wanted.allows(caller.role()) {
        Fate::Forwarded(operation.forwarded())
    } else {
        Fate::Refused(ApiError::forbidden("The role READ_ONLY_USER may only send queries."))
    }
}

fn outcome_of(error: &ApiError) -> Outcome {
    if error.code == ErrorCode::Forbidden { Outcome::Forbidden } else { Outcome::BadRequest }
}

/// Answers somebody who isn't admitted.
pub(super) fn refusal(refused: Refused, headers: &HeaderMap) -> Answer {
    let (outcome, error) = match refused {
        Refused::Invalid => (Outcome::Unauthenticated, ApiError::unauthenticated()),
        Refused::RateLimited(wait) => (Outcome::RateLimited, ApiError::key_rate_limited(wait)),
        Refused::Role(reason) => (Outcome::Forbidden, ApiError::forbidden(reason)),
        Refused::Scopes(missing) => (Outcome::Forbidden, ApiError::forbidden(missing.to_string())),
        Refused::Failed(error) => (Outcome::Failed, error),
    };
    (outcome, transport::refuse(&error, headers))
}

fn upstream_failed() -> ApiError {
    ApiError::new(ErrorCode::Unavailable, "The upstream's response to the batch is broken.")
}

fn failed(error: &ApiError) -> Box<RawValue> {
    let extensions = Extensions { code: error.code.as_str() };
    let failed = Failed { data: (), errors: [Error { message: &error.message, extensions }] };
    to_raw_value(&failed).expect("texts are valid JSON")
}

async fn answers_of(response: Response) -> Option<Vec<Box<RawValue>>> {
    if response.headers().contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let body = body_of(response).await?;
    tokio::task::spawn_blocking(move || serde_json::from_slice(&body).ok()).await.ok()?
}

async fn body_of(response: Response) -> Option<axum::body::Bytes> {
    let body = http_body_util::Limited::new(response.into_body(), MAX_RESPONSE);
    Some(body.collect().await.ok()?.to_bytes())
}
