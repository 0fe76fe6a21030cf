//! GraphQL over HTTP: only `POST` with `application/json`, no batches. An invalid key gets HTTP 200 with the error
//! `UNAUTHENTICATED`, because existing clients understand nothing else.

use async_graphql::{
    Request, Variables,
    parser::types::{ExecutableDocument, Selection},
};
use axum::{
    Json,
    extract::{Request as HttpRequest, State},
    response::{IntoResponse, Response},
};
use domain::ApiError;
use http::{HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_sessions::Session;

use super::{context::ClientVersion, guard, schema::ApiSchema};
use crate::{body, compression::Uncompressed, headers, middleware::authenticate::Caller};

/// The maximum length of a body, in bytes, that is parsed in the request's own task.
const INLINE_BYTES: usize = 1_024;
/// The code of a query that doesn't match the schema, as in other GraphQL servers.
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
/// The header in which Prefect's clients send their version.
const VERSION_HEADER: &str = "x-prefect-core-version";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    query: String,
    #[serde(default)]
    variables: Value,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it, nothing here needs it")]
    extensions: Value,
}

/// `POST /graphql` and `POST /`.
pub(crate) async fn serve(State(schema): State<ApiSchema>, request: HttpRequest) -> Response {
    if request.method() != Method::POST {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "Use the POST method.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !headers::is_json(request.headers()) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.");
    }
    let (parts, body) = request.into_parts();
    let bytes = body::bytes(body).await;
    let read = if bytes.len() > INLINE_BYTES {
        // Parsing takes up to 0.5 ms, even for a query that is then rejected, and would delay other requests.
        tokio::task::spawn_blocking(move || read(&bytes)).await.unwrap_or(Err("The query couldn't be parsed."))
    } else {
        read(&bytes)
    };
    let (body, document) = match read {
        Ok(read) => read,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, reason),
    };
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
    let actor = match caller.require() {
        Ok(actor) => actor.clone(),
        Err(error) => return unauthenticated(&document, &error),
    };
    let mut query = Request::new(body.query).variables(variables(body.variables)).data(actor);
    let version = headers::text(&parts.headers, VERSION_HEADER);
    query = query.data(ClientVersion(version.map(str::to_owned)));
    query.operation_name = body.operation_name;
    query.set_parsed_query(document);
    if let Some(session) = parts.extensions.get::<Session>() {
        query = query.data(session.clone());
    }
    answer(schema.execute(query).await)
}

/// Parses the body and its query. Checks the guard's limits.
fn read(bytes: &[u8]) -> Result<(Body, ExecutableDocument), &'static str> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err("Batched queries aren't supported. Send one operation per request.");
    }
    let mut body: Body = body::json_object(bytes)
        .ok_or("The body must be a JSON object with \"query\", and optionally \"variables\" and \"operationName\".")?;
    // Prefect's clients send the variables as a string of JSON.
    if let Value::String(text) = &body.variables {
        body.variables = serde_json::from_str(text).map_err(|_| "The variables aren't valid JSON.")?;
    }
    if !matches!(body.variables, Value::Null | Value::Object(_)) {
        return Err("The variables must be an object.");
    }
    guard::scan(&body.query)?;
    let document = async_graphql::parser::parse_query(&body.query).map_err(|_| "The query isn't valid GraphQL.")?;
    guard::count(&document)?;
    Ok((body, document))
}

fn variables(value: Value) -> Variables {
    if value.is_null() { Variables::default() } else { Variables::from_json(value) }
}

fn answer(mut response: async_graphql::Response) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            // Validation errors have no code.
            extensions.set("code", INVALID);
        }
    }
    let mut answer = Json(response).into_response();
    answer.extensions_mut().insert(Uncompressed);
    answer
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    let body = json!({"errors": [{"message": reason, "extensions": {"code": "BAD_REQUEST"}}]});
    (status, Json(body)).into_response()
}

/// Builds the response that existing clients expect. Its code tells an invalid key from an unavailable database.
fn unauthenticated(document: &ExecutableDocument, error: &ApiError) -> Response {
    let field = document.operations.iter().next().and_then(|(_, operation)| {
        operation.node.selection_set.node.items.iter().find_map(|selection| match &selection.node {
            Selection::Field(field) => Some(field.node.response_key().node.to_string()),
            _ => None,
        })
    });
    let path: Vec<String> = field.into_iter().collect();
    let body = json!({
        "data": null,
        "errors": [{"message": error.message, "path": path, "extensions": {"code": error.code.as_str()}}],
    });
    Json(body).into_response()
}
