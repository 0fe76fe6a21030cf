//! Exports the audit log as JSON Lines or CSV. Streams it, because the log may not fit in memory.

use app::list_url::AuditParams;
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use domain::{ApiError, AuditEntry, AuditQuery, PageRequest};
use futures::stream::{self, Stream, StreamExt};
use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use service::{Export, Services};

use crate::{middleware::authenticate::Caller, problem};

/// An exported entry. Its fields are in the order of the columns.
#[derive(Serialize)]
struct Row {
    number: u64,
    id: String,
    at: String,
    operation: String,
    result: &'static str,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    channel: String,
    key_id: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    subject_kind: String,
    subject_id: Option<String>,
    subject_name: String,
    detail: String,
    hash: String,
}

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

impl From<AuditEntry> for Row {
    fn from(line: AuditEntry) -> Self {
        Self {
            number: line.number,
            id: line.id.to_string(),
            at: line.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            operation: line.operation,
            result: line.outcome.as_str(),
            actor_kind: line.actor_kind,
            actor_id: line.actor_id.map(|id| id.to_string()),
            actor_name: line.actor_name,
            channel: line.channel,
            key_id: line.key_id.map(|id| id.to_string()),
            address: line.address,
            user_agent: line.user_agent,
            subject_kind: line.subject_kind,
            subject_id: line.subject_id.map(|id| id.to_string()),
            subject_name: line.subject_name,
            detail: line.detail,
            hash: line.hash,
        }
    }
}

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

    fn head(self) -> Vec<u8> {
        match self {
            Self::Jsonl => Vec::new(),
            Self::Csv => csv_row(|writer| writer.write_record(COLUMNS)),
        }
    }

    fn write(self, entries: Vec<AuditEntry>) -> Vec<u8> {
        let mut text = Vec::new();
        for row in entries.into_iter().map(Row::from) {
            match self {
                Self::Jsonl => {
                    text.extend(serde_json::to_vec(&row).unwrap_or_default());
                    text.push(b'\n');
                }
                Self::Csv => text.extend(csv_row(|writer| writer.serialize(without_formulas(row)))),
            }
        }
        text
    }
}

fn csv_row(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    // Writing to memory fails only for a row with a different number of columns than the first.
    write(&mut writer).ok();
    writer.into_inner().unwrap_or_default()
}

/// Prefixes text that a spreadsheet would run as a formula with an apostrophe, which makes it plain text (CWE-1236).
fn without_formulas(row: Row) -> Row {
    let text =
        |text: String| if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
    Row {
        actor_name: text(row.actor_name),
        subject_name: text(row.subject_name),
        detail: text(row.detail),
        user_agent: row.user_agent.map(text),
        ..row
    }
}

/// `GET /api/v1/audit-log.jsonl` and `.csv`, with the page's filters. `HEAD` exports nothing and adds no audit entry.
pub(crate) async fn export(
    State(services): State<Services>,
    Extension(caller): Extension<Caller>,
    method: Method,
    params: Result<Query<AuditParams>, QueryRejection>,
    Path(file): Path<String>,
) -> Response {
    let Some(format) = Format::of_file(&file) else { return problem::of(&ApiError::not_found()) };
    let actor = match super::require_actor(&caller) {
        Ok(actor) => actor,
        Err(response) => return *response,
    };
    let Ok(Query(params)) = params else {
        return problem::answer(StatusCode::BAD_REQUEST, "Each filter parameter may be given only once.");
    };
    let query = match params.to_query(services.now()) {
        Ok(query) => query,
        Err(error) => return problem::answer(StatusCode::BAD_REQUEST, &unreadable(&error)),
    };
    let log = services.audit_log();
    let begun = if method == Method::HEAD {
        // Reading one entry requires the same permission.
        let one = PageRequest { limit: 1, ..PageRequest::default() };
        log.list(actor, &AuditQuery { page: one, ..AuditQuery::default() }).await.map(|_| None)
    } else {
        log.export(actor, &query, format.name()).await.map(Some)
    };
    let export = match begun.map_err(ApiError::from) {
        Ok(export) => export,
        Err(error) => return problem::of(&error),
    };
    let body = body_of(services, export, format);
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
fn body_of(services: Services, export: Option<Export>, format: Format) -> Body {
    let Some(export) = export else { return Body::from_stream(stream::empty::<std::io::Result<Bytes>>()) };
    let head = stream::once(async move { Ok(Bytes::from(format.head())) });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_and_holds_no_formula() {
        let row = Row {
            number: 1,
            id: String::new(),
            at: String::new(),
            operation: "rename_api_key".to_owned(),
            result: "done",
            actor_kind: "user".to_owned(),
            actor_id: None,
            actor_name: "=HYPERLINK(\"https://evil.example\")".to_owned(),
            channel: "browser".to_owned(),
            key_id: None,
            address: None,
            user_agent: None,
            subject_kind: "api_key".to_owned(),
            subject_id: None,
            subject_name: "a, \"b\"".to_owned(),
            detail: String::new(),
            hash: String::new(),
        };
        let text = String::from_utf8(csv_row(|writer| writer.serialize(without_formulas(row)))).unwrap();
        assert!(
            text.contains(r#""'=HYPERLINK(""https://evil.example"")""#) && text.contains(r#""a, ""b""""#),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1);
    }
}
