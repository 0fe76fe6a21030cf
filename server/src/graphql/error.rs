//! Converts use cases' errors to GraphQL errors, with `code`, `fields`, `retry_after` and `reference` as extensions.

use async_graphql::{Error, ErrorExtensions, Pos, ServerError, Value};
use domain::{ApiError, ErrorCode, secret::without_tokens};

/// The code of a query that doesn't match the schema, as in other GraphQL servers.
pub(super) const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";

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

/// Creates an error that concerns the request, not a field.
pub(super) fn server_error(code: &str, message: impl Into<String>, at: Option<Pos>) -> ServerError {
    let mut error = ServerError::new(message, at);
    error.extensions.get_or_insert_default().set("code", code);
    error
}

/// Converts the error of a use case for a whole operation.
pub(super) fn refused(error: &ApiError) -> ServerError {
    let cause = refuse(error.clone());
    let mut error = ServerError::new(cause.message, None);
    error.extensions = cause.extensions;
    error
}

/// Whether an error says that the service failed. It doesn't refuse anything then.
pub(super) fn is_fault(error: &ServerError) -> bool {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    [ErrorCode::Unavailable, ErrorCode::Internal].iter().any(|fault| code == Some(&Value::from(fault.as_str())))
}

/// Gives an error without a code one: that of the validation or, for a field that failed for a reason that no use case
/// reported, `INTERNAL` with a reference to the logged cause. Messages of the validation quote the query, so tokens are
/// removed from them.
pub(super) fn complete(error: ServerError) -> ServerError {
    if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) {
        return error;
    }
    let message = without_tokens(&error.message).into_owned();
    if error.path.is_empty() {
        let code = server_error(INVALID, message, None);
        return ServerError { locations: error.locations, ..code };
    }
    let fault = refuse(service::Error::Fault(format!("a GraphQL field failed: {message}")));
    ServerError { message: fault.message, extensions: fault.extensions, ..error }
}
