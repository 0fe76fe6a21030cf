//! What clients send as JSON: states, parameters and the like. It is stored and returned unread, apart from the type and
//! the start time of a state.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{ApiError, StateType, flow_run::SCHEDULED, secret, time::parse_instant};
use serde_json::{Value, json};

use crate::{error::Result, storage::flow_runs::RunState};

/// The maximum length of a state, of parameters and the like, in bytes of JSON.
const MAX_BYTES: usize = 64 * 1_024;

/// Returns an object as text. Refuses an object that contains a token, because everyone who reads flows would see it.
///
/// # Errors
/// A field error at `field`.
pub(super) fn object(field: &str, value: Option<&Value>) -> Result<String> {
    let refuse = |message: &str| Err(ApiError::field(field, message).into());
    let text = match value {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(value @ Value::Object(_)) => value.to_string(),
        Some(_) => return refuse("This must be an object."),
    };
    if text.len() > MAX_BYTES {
        return refuse("This is longer than 64 KiB.");
    }
    if secret::contains_token(&text) {
        refuse("This contains an API key. Let the flow read it elsewhere.")
    } else {
        Ok(text)
    }
}

/// Reads a state that a client reports. Removes tokens, because everyone who reads flows would see them.
///
/// # Errors
/// A field error at `state`.
pub(super) fn state(value: &Value, now: DateTime<Utc>) -> Result<RunState> {
    let refuse = |message: &str| ApiError::field("state", message);
    let kind = value.get("type").and_then(Value::as_str).and_then(StateType::parse);
    let kind = kind.ok_or_else(|| refuse("A state must be an object with a type."))?;
    let json = secret::without_tokens(&value.to_string()).into_owned();
    if json.len() > MAX_BYTES {
        // The clients look for these words.
        return Err(refuse("State payload is too large: it is longer than 64 KiB.").into());
    }
    let start_at = value.get("start_time").and_then(Value::as_str).and_then(parse_instant);
    let start_at = start_at.or_else(|| kind.is_scheduled().then_some(now));
    Ok(RunState { kind, json, start_at })
}

/// Makes a state in the form of the clients. `version`: that of the client that registered the flow.
pub(super) fn new_state(kind: &str, message: &str, start_at: Option<DateTime<Utc>>, version: Option<&str>) -> RunState {
    let mut json = json!({ "type": kind, "message": message, "context": {}, "cached_inputs": {} });
    if let Some(at) = start_at {
        json["start_time"] = at.to_rfc3339_opts(SecondsFormat::Micros, false).into();
    }
    if let Some(version) = version {
        json["__version__"] = version.into();
    }
    let kind = StateType::parse(kind).expect("the types of this backend are valid");
    RunState { kind, json: json.to_string(), start_at }
}

/// Makes the state of a run that is due at a time.
pub(super) fn scheduled(at: DateTime<Utc>, version: Option<&str>) -> RunState {
    new_state(SCHEDULED, "Flow run scheduled.", Some(at), version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2027-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_state_is_kept_as_it_is_and_its_start_time_is_read() {
        let sent =
            json!({ "type": "Scheduled", "start_time": "2027-01-02T03:04:05.123456+00:00", "x": [1, { "y": null }] });
        let state = state(&sent, now()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&state.json).unwrap(), sent);
        assert_eq!(state.start_at, Some("2027-01-02T03:04:05.123456Z".parse().unwrap()));
    }

    #[test]
    fn a_state_without_a_type_or_of_any_length_is_refused() {
        for bad in [json!(null), json!([]), json!({}), json!({ "type": 1 }), json!({ "type": "<b>" })] {
            assert!(state(&bad, now()).is_err(), "{bad}");
        }
        assert!(state(&json!({ "type": "Running", "message": "x".repeat(70_000) }), now()).is_err());
    }

    #[test]
    fn tokens_are_removed_from_states_and_refused_elsewhere() {
        let token = crate::keys::token::draw(domain::OwnerKind::ServiceAccount);
        let token = token.expose();
        let state = state(&json!({ "type": "Failed", "message": token }), now()).unwrap();
        assert!(!state.json.contains(token));
        assert!(serde_json::from_str::<Value>(&state.json).is_ok());
        assert!(object("parameters", Some(&json!({ "key": token }))).is_err());
        assert!(object("parameters", Some(&json!([]))).is_err());
        assert_eq!(object("parameters", None).unwrap(), "{}");
    }
}
