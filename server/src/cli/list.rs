//! Prints lists: a line for each row, with columns separated by tabs, or as JSON.

use std::io::{ErrorKind, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{Page, PageRequest, page::MAX_LIMIT};
use serde::Serialize;

use super::{
    input::Format,
    outcome::{Answer, Failure},
    output,
};

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

    /// Whether the reader has closed the output, as in `… | head`.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes rows, as long as somebody reads them.
    ///
    /// # Errors
    /// When they can't be written for another reason.
    pub(super) fn write<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Answer {
        let mut out = std::io::stdout().lock();
        for row in rows {
            self.rows += 1;
            match writeln!(out, "{}", self.text_of(&row)).and_then(|()| out.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.is_closed = true;
                    return Ok(());
                }
                Err(error) => return Err(Failure::Output(error)),
            }
        }
        Ok(())
    }

    /// Writes a page of rows. Returns the request for the next page, if there is one that somebody still reads.
    ///
    /// # Errors
    /// When the rows can't be written.
    pub(super) fn write_page<T, R: Row>(
        &mut self,
        page: Page<T>,
        row: impl FnMut(T) -> R,
    ) -> Answer<Option<PageRequest>> {
        self.write(page.items.into_iter().map(row))?;
        let after = page.next.filter(|_| !self.is_closed);
        Ok(after.map(|after| PageRequest { after: Some(after), ..first_page() }))
    }

    /// Says so on standard error if there were no rows.
    pub(super) fn end(self, none: &str) {
        if self.rows == 0 {
            output::message(none);
        }
    }

    fn text_of(&self, row: &impl Row) -> String {
        if self.format.json {
            return serde_json::to_string(row).expect("a row has only text keys");
        }
        row.columns().join("\t")
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
