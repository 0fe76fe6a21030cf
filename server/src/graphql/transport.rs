//! GraphQL over HTTP: only `POST` with `application/json`, no batches. An invalid key gets HTTP 200 with the error
//! `UNAUTHENTICATED`, because existing clients understand nothing else; a client that accepts
//! `application/graphql-response+json` gets the status that says so.

use std::panic::AssertUnwindSafe;

use async_graphql::{PathSegment, Request, ServerError, Variables, parser::types::ExecutableDocument};
use axum::{
    body::{Body, Bytes},
    extract::{Request as HttpRequest, State},
    response::{IntoResponse, Response},
};
use domain::ApiError;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower_sessions::Session;
use tracing::Instrument;

use super::{
    coercion,
    context::{ClientVersion, RefusedInData, ResponseBytes},
    error::{self, server_error},
    guard, key_list,
    media_type::MediaType,
    response::Shape,
    schema::ApiSchema,
    streaming::Pages,
};
use crate::{
    body,
    compression::Uncompressed,
    headers,
    middleware::{authenticate::Caller, limits},
    problem::{self, Refusal},
};

/// The maximum length of a body, in bytes, that is parsed in the request's own task.
const INLINE_BYTES: usize = 1_024;
/// Limits how many bodies that are longer than usual are in memory at once. Others wait.
static LONG_BODIES: Semaphore = Semaphore::const_new(16);
/// The code of a request that isn't GraphQL over HTTP, or exceeds a limit.
const BAD_REQUEST: &str = "BAD_REQUEST";
/// The code of a query that can't be parsed, as in other GraphQL servers.
const UNPARSABLE: &str = "GRAPHQL_PARSE_FAILED";
/// The header in which Prefect's clients send their version.
const VERSION_HEADER: &str = "x-prefect-core-version";

/// The members of a request. Clients send further ones, such as `documentId`, which count as absent.
#[derive(Deserialize)]
struct Envelope {
    query: String,
    #[serde(default)]
    variables: Value,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    extensions: Value,
}

/// A request whose query was parsed.
struct Query {
    text: String,
    document: ExecutableDocument,
    variables: Variables,
    operation_name: Option<String>,
}

/// Why a body contains no query.
enum Unreadable {
    /// The request isn't GraphQL over HTTP, or exceeds a limit.
    Request(&'static str),
    /// The query isn't valid GraphQL.
    Query(ServerError),
}

impl From<&'static str> for Unreadable {
    fn from(reason: &'static str) -> Self {
        Self::Request(reason)
    }
}

#[derive(Serialize)]
struct Answer {
    /// Missing if nothing was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<async_graphql::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
}

/// `POST /graphql` and `POST /`.
pub(crate) async fn serve(State(schema): State<ApiSchema>, request: HttpRequest) -> Response {
    let media_type = MediaType::accepted(request.headers());
    let bad_request =
        |status, reason: &str| write(media_type, status, refused(server_error(BAD_REQUEST, reason, None)));
    if request.method() != Method::POST {
        let mut response = bad_request(StatusCode::METHOD_NOT_ALLOWED, "Use the POST method.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !headers::is_json(request.headers()) {
        return bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.");
    }
    let (parts, body) = request.into_parts();
    let most = max_bytes(&schema, &parts);
    let _held = hold_if_long(&parts.headers, most).await;
    let bytes = if schema.has_flow_runs() {
        match limits::collect(&parts.headers, body, most).await {
            Ok(bytes) => bytes,
            Err(refusal) => return *refusal,
        }
    } else {
        body::bytes(body).await
    };
    respond(&schema, bytes, &parts).await
}

/// Executes a request whose body was read. Its extensions contain the caller.
pub(crate) async fn respond(schema: &ApiSchema, bytes: Bytes, parts: &Parts) -> Response {
    let media_type = MediaType::accepted(&parts.headers);
    let max_query = if schema.has_flow_runs() { guard::MAX_FLOW_QUERY_BYTES } else { guard::MAX_QUERY_BYTES };
    let read = if bytes.len() > INLINE_BYTES {
        // Parsing takes up to 0.5 ms, even for a query that is then rejected, and would delay other requests.
        let parsed = tokio::task::spawn_blocking(move || read(&bytes, max_query)).await;
        parsed.unwrap_or(Err(Unreadable::Request("The query couldn't be parsed.")))
    } else {
        read(&bytes, max_query)
    };
    match read {
        Ok(query) => execute(schema, query, parts, media_type).await,
        Err(Unreadable::Request(reason)) => {
            write(media_type, StatusCode::BAD_REQUEST, refused(server_error(BAD_REQUEST, reason, None)))
        }
        Err(Unreadable::Query(error)) => write(media_type, not_executed(media_type), refused(error)),
    }
}

/// Returns how long a body may be: while the built-in backend for flow runs is on and with a valid key, long enough for a
/// flow or a part of a log.
fn max_bytes(schema: &ApiSchema, parts: &Parts) -> usize {
    let actor = parts.extensions.get::<Caller>().and_then(Caller::actor);
    let is_by_key = actor.is_some_and(|actor| actor.key_id().is_some());
    if schema.has_flow_runs() && is_by_key { limits::MAX_FLOW_BYTES } else { body::MAX_BYTES }
}

/// Waits until a body may be read, if it is longer than usual, or may be. `most`: how long it may be.
pub(crate) async fn hold_if_long(headers: &HeaderMap, most: usize) -> Option<SemaphorePermit<'static>> {
    let declared = headers::text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let is_long = most > body::MAX_BYTES && declared.is_none_or(|length| length > body::MAX_BYTES);
    if is_long { LONG_BODIES.acquire().await.ok() } else { None }
}

/// Builds the response to a request that isn't executed, in the way that its client expects.
pub(crate) fn refuse(error: &ApiError, headers: &HeaderMap) -> Response {
    failed(error, MediaType::accepted(headers))
}

/// Parses the body and its query. Checks the guard's limits. `max_query`: the maximum length of the query.
fn read(bytes: &[u8], max_query: usize) -> Result<Query, Unreadable> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err("Batched queries aren't supported. Send one operation per request.".into());
    }
    let body: Envelope = body::json_object(bytes)
        .ok_or("The body must be a JSON object with \"query\", and optionally \"variables\" and \"operationName\".")?;
    if !matches!(body.extensions, Value::Null | Value::Object(_)) {
        return Err("The extensions must be an object.".into());
    }
    let variables = variables(body.variables)?;
    guard::scan_within(&body.query, max_query)?;
    let document = async_graphql::parser::parse_query(&body.query).map_err(|cause| {
        let error = server_error(UNPARSABLE, "The query isn't valid GraphQL.", None);
        Unreadable::Query(ServerError { locations: cause.positions().collect(), ..error })
    })?;
    guard::count(&document)?;
    let operation_name = body.operation_name.filter(|name| !name.is_empty());
    Ok(Query { text: body.query, document, variables, operation_name })
}

/// Prefect's clients send the variables as a string of JSON, and others an empty string for none.
fn variables(value: Value) -> Result<Variables, &'static str> {
    let value = match value {
        Value::String(text) if text.trim().is_empty() => Value::Null,
        Value::String(text) => serde_json::from_str(&text).map_err(|_| "The variables aren't valid JSON.")?,
        other => other,
    };
    match value {
        Value::Null => Ok(Variables::default()),
        Value::Object(_) => Ok(Variables::from_json(value)),
        _ => Err("The variables must be an object."),
    }
}

async fn execute(schema: &ApiSchema, mut query: Query, parts: &Parts, media_type: MediaType) -> Response {
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
    let actor = match caller.require() {
        Ok(actor) => actor.clone(),
        Err(error) => return unauthenticated(&query, &error, media_type),
    };
    let name = query.operation_name.as_deref();
    if let Err(errors) = coercion::check(schema.inputs(), &mut query.document, name, &query.variables) {
        return write(media_type, not_executed(media_type), Answer { data: None, errors });
    }
    let operation = coercion::selected(&query.document.operations, name);
    let may_be_long = operation.is_some_and(|operation| {
        coercion::top_fields(&query.document, &operation.node.selection_set.node)
            .any(|field| key_list::FIELDS.contains(&field.node.name.node.as_str()))
    });
    let shape = operation.map(|operation| Shape::of(&query.document, &operation.node)).unwrap_or_default();
    let version = headers::text(&parts.headers, VERSION_HEADER);
    let refused = RefusedInData::default();
    let mut request = Request::new(query.text).variables(query.variables);
    request = request.data(actor).data(ClientVersion(version.map(str::to_owned))).data(refused.clone());
    request = request.data(ResponseBytes::default());
    request.operation_name = query.operation_name;
    request.set_parsed_query(query.document);
    if let Some(session) = parts.extensions.get::<Session>() {
        request = request.data(session.clone());
    }
    if may_be_long {
        return execute_with_lists(schema.clone(), request, shape, media_type).await;
    }
    let mut response = match AssertUnwindSafe(schema.execute(request)).catch_unwind().await {
        Ok(response) => answer(response, &shape, media_type),
        Err(cause) => failed(&problem::of_panic(&*cause), media_type),
    };
    if refused.is_set() {
        response.extensions_mut().insert(refusal(media_type));
    }
    response
}

/// Executes an operation that may return long lists. The task ends when the client is gone.
async fn execute_with_lists(schema: ApiSchema, request: Request, shape: Shape, media_type: MediaType) -> Response {
    let (pages, parts) = Pages::new();
    let request = request.data(pages.clone());
    let task = async move {
        let response = AssertUnwindSafe(schema.execute(request)).catch_unwind().await;
        let response = match response {
            Ok(response) => response,
            Err(cause) => return failed(&problem::of_panic(&*cause), media_type),
        };
        let begun = pages.begun().await;
        if begun.is_empty() {
            return answer(response, &shape, media_type);
        }
        finish(response, &shape, &pages, &begun).await;
        StatusCode::OK.into_response()
    };
    let task = tokio::spawn(task.in_current_span());
    match parts.body().await {
        Some(body) => marked(media_type, StatusCode::OK, body),
        None => task.await.unwrap_or_else(|error| failed(&problem::of_panic(&error.to_string()), media_type)),
    }
}

/// Writes what follows the long lists. Without it, the response breaks off.
async fn finish(response: async_graphql::Response, shape: &Shape, pages: &Pages, begun: &[String]) {
    let errors: Vec<ServerError> = response.errors.into_iter().map(error::complete).collect();
    let is_list = |path: &[PathSegment]| matches!(path, [PathSegment::Field(key), ..] if begun.contains(key));
    if errors.iter().any(|error| is_list(&error.path)) {
        tracing::debug!("a list of a GraphQL response was broken off");
        return;
    }
    let data = shape.complete(response.data, &errors);
    let errors = if errors.is_empty() { String::new() } else { serde_json::to_string(&errors).unwrap_or_default() };
    pages.finish(data, &errors).await.ok();
}

/// Builds the response of an operation. A field that failed is null; the others keep their values.
fn answer(response: async_graphql::Response, shape: &Shape, media_type: MediaType) -> Response {
    let errors: Vec<ServerError> = response.errors.into_iter().map(error::complete).collect();
    let is_executed = errors.is_empty()
        || response.data != async_graphql::Value::Null
        || errors.iter().any(|error| !error.path.is_empty());
    if !is_executed {
        return write(media_type, not_executed(media_type), Answer { data: None, errors });
    }
    let data = Some(shape.complete(response.data, &errors));
    write(media_type, StatusCode::OK, Answer { data, errors })
}

fn refused(error: ServerError) -> Answer {
    Answer { data: None, errors: vec![error] }
}

/// The status of a request that wasn't executed although its body is a GraphQL request.
fn not_executed(media_type: MediaType) -> StatusCode {
    match media_type {
        MediaType::Json => StatusCode::OK,
        MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
    }
}

/// Builds the response that existing clients expect. Its code tells an invalid key from an unavailable database.
fn unauthenticated(query: &Query, error: &ApiError, media_type: MediaType) -> Response {
    let operation = coercion::selected(&query.document.operations, query.operation_name.as_deref());
    let field = operation.and_then(|operation| {
        let field = coercion::top_fields(&query.document, &operation.node.selection_set.node).next()?;
        Some(field.node.response_key().node.to_string())
    });
    if media_type == MediaType::GraphqlResponse {
        return failed(error, media_type);
    }
    let mut error = error::refused(error);
    error.path = field.into_iter().map(PathSegment::Field).collect();
    let answer = Answer { data: Some(async_graphql::Value::Null), errors: vec![error] };
    write(media_type, StatusCode::OK, answer)
}

/// Builds the response for an error that kept the operation from being executed, or its result from being known.
fn failed(error: &ApiError, media_type: MediaType) -> Response {
    let status = match media_type {
        MediaType::Json => StatusCode::OK,
        MediaType::GraphqlResponse => problem::status_of(error),
    };
    let mut response = write(media_type, status, refused(error::refused(error)));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, problem::CHALLENGE);
    }
    problem::set_retry_after(&mut response, error.retry_after);
    response
}

/// Writes a response, which isn't compressed, because it may contain a token.
fn write(media_type: MediaType, status: StatusCode, answer: Answer) -> Response {
    let body = serde_json::to_string(&answer).unwrap_or_default();
    let mut response = marked(media_type, status, body.into());
    if answer.errors.iter().any(|error| !error::is_fault(error)) {
        response.extensions_mut().insert(refusal(media_type));
    }
    response
}

fn refusal(media_type: MediaType) -> Refusal {
    Refusal(match media_type {
        MediaType::Json => |error| failed(error, MediaType::Json),
        MediaType::GraphqlResponse => |error| failed(error, MediaType::GraphqlResponse),
    })
}

fn marked(media_type: MediaType, status: StatusCode, body: Body) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, media_type.header())], body).into_response();
    response.extensions_mut().insert(Uncompressed);
    response
}
