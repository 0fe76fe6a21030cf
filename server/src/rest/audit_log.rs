//! Exports the audit log as JSON Lines or CSV. Streams it, because the log may not fit in memory.

use app::{
    api::wire::CONFIRM_PATH,
    list_url::{AuditParams, encode},
};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, AuditEntry, AuditQuery, ErrorCode, PageRequest};
use futures::stream::{self, Stream, StreamExt};
use http::{HeaderValue, Method, StatusCode, header, request::Parts, uri::PathAndQuery};
use serde::Deserialize;
use service::{Export, Services};

use super::{audit_entry::EntryRow, spreadsheet};
use crate::{headers, middleware::authenticate::Caller, problem};

/// The columns of the export: the fields of [`EntryRow`].
const COLUMNS: [&str; 17] = [
    "number",
    "id",
    "at",
    "operation",
    "result",
    "actor_kind",
    "actor_id",
    "actor_name",
    "channel",
    "key_id",
    "address",
    "user_agent",
    "subject_kind",
    "subject_id",
    "subject_name",
    "detail",
    "hash",
];

/// The format of an export.
#[derive(Clone, Copy)]
enum Format {
    Jsonl,
    Csv,
}

impl Format {
    fn of_file(name: &str) -> Option<Self> {
        match name {
            "audit-log.jsonl" => Some(Self::Jsonl),
            "audit-log.csv" => Some(Self::Csv),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "JSONL",
            Self::Csv => "CSV",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn head(self, encoding: &Encoding) -> Vec<u8> {
        match (self, encoding.bom.as_str()) {
            (Self::Jsonl, _) => Vec::new(),
            (Self::Csv, "1" | "true") => [spreadsheet::BYTE_ORDER_MARK, &columns()].concat(),
            (Self::Csv, _) => columns(),
        }
    }

    fn write(self, entries: Vec<AuditEntry>) -> Vec<u8> {
        let mut text = Vec::new();
        for row in entries.into_iter().map(EntryRow::from) {
            match self {
                Self::Jsonl => {
                    text.extend(serde_json::to_vec(&row).unwrap_or_default());
                    text.push(b'\n');
                }
                Self::Csv => text.extend(spreadsheet::row(|writer| writer.serialize(for_spreadsheets(row)))),
            }
        }
        text
    }
}

/// The row with the names of the columns.
fn columns() -> Vec<u8> {
    spreadsheet::row(|writer| writer.write_record(COLUMNS))
}

/// Makes the texts of a row that anybody could have written inert in spreadsheets.
fn for_spreadsheets(mut row: EntryRow) -> EntryRow {
    for text in [&mut row.actor_name, &mut row.subject_name, &mut row.detail] {
        *text = spreadsheet::without_formulas(text);
    }
    for text in [&mut row.address, &mut row.user_agent].into_iter().flatten() {
        *text = spreadsheet::without_formulas(text);
    }
    row
}

/// How a file is encoded.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Encoding {
    /// `1` for a byte order mark before CSV.
    #[serde(default)]
    bom: String,
}

/// `GET /api/v1/audit-log.jsonl` and `.csv`, with the page's filters; `bom=1` begins CSV with a byte order mark. `HEAD` exports nothing and adds no audit entry.
pub(crate) async fn export(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    params: Result<Query<AuditParams>, QueryRejection>,
    encoding: Result<Query<Encoding>, QueryRejection>,
    request: Parts,
) -> Response {
    let file = request.uri.path().rsplit('/').next().unwrap_or_default();
    let Some(format) = Format::of_file(file) else { return problem::of(&ApiError::not_found()) };
    let actor = match super::require_actor(&caller) {
        Ok(actor) => actor,
        Err(response) => return *response,
    };
    let (Ok(Query(params)), Ok(Query(encoding))) = (params, encoding) else {
        return problem::answer(StatusCode::BAD_REQUEST, "Each filter parameter may be given only once.");
    };
    let query = match params.to_query(services.now()) {
        Ok(query) => query,
        Err(error) => return problem::answer(StatusCode::BAD_REQUEST, &unreadable(&error)),
    };
    let log = services.audit_log();
    let begun = if request.method == Method::HEAD {
        // Reading one entry requires the same permission.
        let one = PageRequest { limit: 1, ..PageRequest::default() };
        log.list(actor, &AuditQuery { page: one, ..AuditQuery::default() }).await.map(|_| None)
    } else {
        log.export(actor, &query, format.name()).await.map(Some)
    };
    let export = match begun.map_err(ApiError::from) {
        Ok(export) => export,
        // A link leads here, so that a browser can download the file.
        Err(error) if error.code == ErrorCode::ConfirmationRequired && headers::wants_page(&request.headers) => {
            let own = request.uri.path_and_query().map_or("", PathAndQuery::as_str);
            return Redirect::to(&format!("{CONFIRM_PATH}?then={}", encode(own))).into_response();
        }
        Err(error) => return problem::of(&error),
    };
    let body = body_of(services, export, format.head(&encoding), format);
    let name = format!("attachment; filename=\"{file}\"");
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, format.content_type())], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// Lists the invalid parameters, each with what it accepts.
fn unreadable(error: &ApiError) -> String {
    let fields = error.fields.iter().map(|error| format!("{}: {}", error.field, error.message));
    fields.collect::<Vec<_>>().join(" ")
}

/// Returns the file. It is empty for `HEAD`, but doesn't declare a length either (RFC 9110 §8.6).
fn body_of(services: Services, export: Option<Export>, head: Vec<u8>, format: Format) -> Body {
    let Some(export) = export else { return Body::from_stream(stream::empty::<std::io::Result<Bytes>>()) };
    let head = stream::once(async move { Ok(Bytes::from(head)) });
    Body::from_stream(head.chain(pages(services, export, format)))
}

/// Streams the rows, a page at a time. An error aborts the connection, so that nobody mistakes a part for the whole.
fn pages(services: Services, export: Export, format: Format) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(Some((services, export)), move |state| async move {
        let Some((services, export)) = state else { return Ok(None) };
        let page = services.audit_log().export_page(export).await;
        let (entries, rest) = page.map_err(|error| std::io::Error::other(ApiError::from(error)))?;
        Ok(Some((Bytes::from(format.write(entries)), rest.map(|rest| (services, rest)))))
    })
}
