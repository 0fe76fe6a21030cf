//! Converts use cases' errors to GraphQL errors, with `code`, `fields`, `retry_after` and `reference` as extensions.

use async_graphql::{Error, ErrorExtensions, Value};
use domain::ApiError;

/// Converts a use case's error. The cause of an `INTERNAL` error was already logged.
pub(super) fn refuse(error: impl Into<ApiError>) -> Error {
    let error = error.into();
    Error::new(error.message.clone()).extend_with(|_, extensions| {
        extensions.set("code", error.code.as_str());
        if !error.fields.is_empty() {
            let fields = error.fields.iter().map(|field| {
                let pairs = [("field", field.field.as_str()), ("message", field.message.as_str())];
                Value::Object(
                    pairs.map(|(name, text)| (async_graphql::Name::new(name), Value::from(text))).into_iter().collect(),
                )
            });
            extensions.set("fields", Value::List(fields.collect()));
        }
        if let Some(seconds) = error.retry_after {
            extensions.set("retry_after", seconds);
        }
        if let Some(reference) = &error.reference {
            extensions.set("reference", reference.as_str());
        }
    })
}
