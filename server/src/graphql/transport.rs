//! GraphQL over HTTP: only POST with `application/json`, no batches. An invalid key is answered by HTTP 200 with
//! `UNAUTHENTICATED`, because existing clients read nothing else.

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

/// The longest body, in bytes, that is parsed without leaving the request's own task.
const INLINE_BYTES: usize = 1_024;
/// The code of a query that doesn't fit the schema, as other GraphQL servers name it.
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
/// Where Prefect's clients name their version.
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
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "Send a POST request.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !headers::is_json(request.headers()) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/json.");
    }
    let (parts, body) = request.into_parts();
    let bytes = body::bytes(body).await;
    let read = if bytes.len() > INLINE_BYTES {
        // Parsing takes up to half a millisecond, even for a query that is refused then, and would delay other requests.
        tokio::task::spawn_blocking(move || read(&bytes)).await.unwrap_or(Err("The query can't be read."))
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

/// The body and its query, once the guard has passed it.
fn read(bytes: &[u8]) -> Result<(Body, ExecutableDocument), &'static str> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err("Batches are not served. Send one operation a request.");
    }
    let mut body: Body = body::json_object(bytes)
        .ok_or("Send a JSON object with \"query\" and, if needed, \"variables\" and \"operationName\".")?;
    // Clients of the Python kind send the variables as a JSON text.
    if let Value::String(text) = &body.variables {
        body.variables = serde_json::from_str(text).map_err(|_| "The variables are not JSON.")?;
    }
    if !matches!(body.variables, Value::Null | Value::Object(_)) {
        return Err("The variables must be an object.");
    }
    guard::scan(&body.query)?;
    let document = async_graphql::parser::parse_query(&body.query).map_err(|_| "The query is not GraphQL.")?;
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
            // The validation's own errors have no code.
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

/// The shape that existing clients know. The code tells an invalid key from a database that doesn't answer.
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
