//! Prints lists: a line for each row, with columns separated by tabs, or as JSON.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{Page, PageRequest, page::MAX_LIMIT};
use serde::Serialize;

use super::input::Format;

/// A row of a list.
pub(super) trait Row: Serialize {
    /// Returns the text of the columns, the id or another unique value first.
    fn columns(&self) -> Vec<String>;
}

/// Writes a list to standard output.
pub(super) struct List {
    format: Format,
    rows: usize,
    is_closed: bool,
}

impl List {
    pub(super) fn new(format: Format) -> Self {
        Self { format, rows: 0, is_closed: false }
    }

    /// Writes rows.
    pub(super) fn write<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) {
        let mut out = std::io::stdout().lock();
        for row in rows {
            let line = if self.format.json {
                serde_json::to_string(&row).expect("a row has only text keys")
            } else {
                row.columns().join("\t")
            };
            self.rows += 1;
            match writeln!(out, "{line}") {
                Ok(()) => {}
                // The reader may have had enough, as in `… | head`.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => self.is_closed = true,
                Err(error) => {
                    eprintln!("The list could not be written: {error}.");
                    std::process::exit(1);
                }
            }
        }
    }

    /// Writes a page of rows. Returns the request for the next page, if there is one that somebody still reads.
    pub(super) fn write_page<T, R: Row>(&mut self, page: Page<T>, row: impl FnMut(T) -> R) -> Option<PageRequest> {
        self.write(page.items.into_iter().map(row));
        let after = page.next.filter(|_| !self.is_closed)?;
        Some(PageRequest { after: Some(after), ..first_page() })
    }

    /// Says so on standard error if there were no rows.
    pub(super) fn end(self, none: &str) {
        if self.rows == 0 {
            eprintln!("{none}");
        }
    }
}

/// Returns the request for the first page of a list.
pub(super) fn first_page() -> PageRequest {
    PageRequest { limit: MAX_LIMIT, ..PageRequest::default() }
}

/// Formats a time as RFC 3339 in UTC, to the second.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns the text of a column that may be empty.
pub(super) fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}
