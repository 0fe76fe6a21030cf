//! Responses with lists that are too long for memory: the lists are written while the operation executes, and the other
//! fields after them. If a list can't be completed, the response breaks off, so that nobody takes a part for the whole.

use std::{io, sync::Arc};

use async_graphql::{Error, Result, Value};
use axum::body::{Body, Bytes};
use domain::{ApiError, ErrorCode};
use futures::stream;
use tokio::sync::{Mutex, MutexGuard, mpsc};

use super::error::refuse;

/// A part of a response's body.
enum Part {
    /// More follows.
    More(String),
    /// The body is complete.
    Last(String),
}

/// The receiver of a response's body.
pub(super) struct Parts(mpsc::Receiver<Part>);

/// Writes long lists to the response. One list is written at a time; the others wait.
#[derive(Clone)]
pub(super) struct Pages {
    parts: mpsc::Sender<Part>,
    /// The response keys of the lists that were begun.
    begun: Arc<Mutex<Vec<String>>>,
}

impl Pages {
    /// Creates a writer with the receiver of what it writes. The writer waits for the receiver, so that memory is bounded
    /// however slow the client is.
    pub(super) fn new() -> (Self, Parts) {
        let (parts, receiver) = mpsc::channel(1);
        (Self { parts, begun: Arc::default() }, Parts(receiver))
    }

    /// Begins the list of a top-level field.
    ///
    /// # Errors
    /// If the list was already written: async-graphql resolves a field as often as it is selected.
    pub(super) async fn begin(&self, key: &str) -> Result<List<'_>> {
        let mut begun = self.begun.lock().await;
        if begun.iter().any(|known| known == key) {
            let message = "The list is too long to be merged. Select its field once.";
            return Err(refuse(ApiError::new(ErrorCode::BadUserInput, message)));
        }
        let start = if begun.is_empty() { "{\"data\":{" } else { "," };
        begun.push(key.to_owned());
        self.send(Part::More(format!("{start}\"{key}\":["))).await?;
        Ok(List { pages: self, is_empty: true, _turn: begun })
    }

    /// Writes the rest of the response: its other fields, and its errors.
    ///
    /// # Errors
    /// If the client is gone.
    pub(super) async fn finish(&self, data: Value, errors: &str) -> Result<()> {
        let begun = self.begun.lock().await;
        let mut rest = String::new();
        if let Value::Object(fields) = data {
            for (key, value) in fields.iter().filter(|(key, _)| begun.iter().all(|known| known != key.as_str())) {
                rest.extend([",\"", key.as_str(), "\":", &text(value)?]);
            }
        }
        let errors = if errors.is_empty() { String::new() } else { format!(",\"errors\":{errors}") };
        self.send(Part::Last(format!("{rest}}}{errors}}}"))).await
    }

    /// Returns the response keys of the lists that were begun.
    pub(super) async fn begun(&self) -> Vec<String> {
        self.begun.lock().await.clone()
    }

    async fn send(&self, part: Part) -> Result<()> {
        self.parts.send(part).await.map_err(|_| Error::new("The client is gone."))
    }
}

/// A list that is being written.
pub(super) struct List<'p> {
    pages: &'p Pages,
    is_empty: bool,
    _turn: MutexGuard<'p, Vec<String>>,
}

impl List<'_> {
    /// Writes further elements.
    ///
    /// # Errors
    /// If the client is gone.
    pub(super) async fn write(&mut self, elements: &Value) -> Result<()> {
        let text = text(elements)?;
        let elements = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
        if elements.is_empty() {
            return Ok(());
        }
        let separator = if self.is_empty { "" } else { "," };
        self.is_empty = false;
        self.pages.send(Part::More(format!("{separator}{elements}"))).await
    }

    /// Ends the list.
    ///
    /// # Errors
    /// If the client is gone.
    pub(super) async fn end(self) -> Result<()> {
        self.pages.send(Part::More("]".to_owned())).await
    }
}

fn text(value: &Value) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::new(error.to_string()))
}

impl Parts {
    /// Waits until a list is written, and returns the body that begins with it; `None` if the operation finished without
    /// a long list.
    pub(super) async fn body(mut self) -> Option<Body> {
        let first = self.0.recv().await?;
        let parts = stream::unfold(State { part: Some(first), parts: self.0, is_complete: false }, State::next);
        Some(Body::from_stream(parts))
    }
}

/// The state of a body that is being sent.
struct State {
    /// A part that was already received.
    part: Option<Part>,
    parts: mpsc::Receiver<Part>,
    is_complete: bool,
}

impl State {
    /// Returns the next bytes; an error, which closes the connection, if the last part is missing.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.is_complete {
            return None;
        }
        let part = match self.part.take() {
            Some(part) => Some(part),
            None => self.parts.recv().await,
        };
        self.is_complete = !matches!(part, Some(Part::More(_)));
        let bytes = match part {
            Some(Part::More(text) | Part::Last(text)) => Ok(text.into()),
            None => Err(io::Error::other("a list of a GraphQL response couldn't be completed")),
        };
        Some((bytes, self))
    }
}
