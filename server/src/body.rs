//! Request bodies. The layer `middleware::limits` reads each one once; these functions take it from memory.

use axum::body::{Body, Bytes, to_bytes};
use domain::{ApiError, FieldError, name::shown};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The maximum size of a request body, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1_024;

/// Returns the bytes of a body that the layer has read. Neither waits nor fails.
pub(crate) async fn bytes(body: Body) -> Bytes {
    to_bytes(body, MAX_BYTES).await.unwrap_or_default()
}

/// Parses a JSON object; `None` for anything else. Serde alone would also accept an array of the members in order.
pub(crate) fn json_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Which members a JSON value may have.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A value whose members, if it has any, are checked elsewhere.
    Any,
    /// An object with at most these members.
    Object(&'static [(&'static str, Shape)]),
    /// An array of such values.
    Array(&'static Shape),
}

/// Returns an error that names every unknown member of a body; `None` if there is none. A misspelt member would
/// otherwise be ignored, and with it what the caller demands.
pub(crate) fn unknown_members(body: &[u8], shape: &Shape) -> Option<ApiError> {
    let value = serde_json::from_slice(body).ok()?;
    let mut found = Vec::new();
    find_unknown(&value, shape, "", &mut found);
    (!found.is_empty()).then(|| ApiError::fields(found))
}

fn find_unknown(value: &Value, shape: &Shape, path: &str, found: &mut Vec<FieldError>) {
    match (value, shape) {
        (Value::Object(members), Shape::Object(known)) => {
            for (name, value) in members {
                let at = format!("{path}{}", shown(name));
                if let Some((_, shape)) = known.iter().find(|(known, _)| known == name) {
                    find_unknown(value, shape, &format!("{at}."), found);
                } else {
                    let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                    let message = format!("{at} isn't known here. The members are {names}.");
                    found.push(FieldError { field: at, message });
                }
            }
        }
        (Value::Array(items), Shape::Array(shape)) => {
            for (index, item) in items.iter().enumerate() {
                find_unknown(item, shape, &format!("{path}{index}."), found);
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape::Object(&[
        ("token", Shape::Any),
        ("keys", Shape::Array(&Shape::Object(&[("token", Shape::Any)]))),
        ("client", Shape::Object(&[("address", Shape::Any)])),
    ]);

    fn fields(body: &str) -> Vec<String> {
        let error = unknown_members(body.as_bytes(), &SHAPE);
        error.map(|error| error.fields.into_iter().map(|field| field.field).collect()).unwrap_or_default()
    }

    #[test]
    fn unknown_members_are_named_at_every_depth() {
        assert_eq!(fields(r#"{"token": {"x": 1}, "keys": [{"token": 1}], "client": {"address": null}}"#), [""; 0]);
        assert_eq!(
            fields(r#"{"tokn": 1, "Token": 1, "keys": [{"token": 1}, {"scop": 1}], "client": {"adress": 1}}"#),
            ["Token", "client.adress", "keys.1.scop", "tokn"]
        );
        assert_eq!(fields("{"), [""; 0]);
        assert_eq!(fields("[1]"), [""; 0]);
    }

    #[test]
    fn a_token_in_the_place_of_a_name_is_not_repeated() {
        let token = format!("lks_{}", "7".repeat(38));
        let error = unknown_members(format!("{{\"{token}\": 1}}").as_bytes(), &SHAPE).unwrap();
        assert!(!format!("{error:?}").contains(&token));
    }
}
