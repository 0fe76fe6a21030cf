//! The operations in the body of a GraphQL request: one, or a batch of them in an array. Reads what each of them does, and
//! writes those that are for the upstream.

use std::collections::BTreeMap;

use domain::TenantId;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::graphql::answered::{AnsweredBy, Judged, judge};

/// The largest number of operations in a batch.
const MAX_BATCH: usize = 20;
/// Operations whose input names a tenant that servers of Prefect need, but not all clients send.
const OF_TENANT: [&str; 3] = ["create_project", "get_runs_in_queue", "register_agent"];
/// The member of an input that names a tenant.
const TENANT_MEMBER: &str = "tenant_id";

/// The tenant of the caller, and its id at the upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tenants {
    pub(super) own: TenantId,
    pub(super) upstream: Uuid,
}

/// What the body of a request contains.
#[derive(Debug)]
pub(super) struct Operations {
    pub(super) is_batch: bool,
    pub(super) list: Vec<Operation>,
}

/// An operation in a body.
#[derive(Debug)]
pub(super) struct Operation {
    /// As the client sent it.
    pub(super) sent: Box<RawValue>,
    /// The same for the upstream: with the id that the tenant has there and, if it only reads, without anything that wasn't
    /// judged. `None` if that changes nothing.
    translated: Option<Box<RawValue>>,
    /// What it does; `None` if that couldn't be read.
    judged: Option<Judged>,
}

/// The members of an operation that count.
#[derive(Deserialize)]
struct Envelope<'a> {
    query: String,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

impl Operations {
    /// Reads a body.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn read(body: &[u8], tenants: Tenants) -> Result<Self, &'static str> {
        const WRONG: &str = "The body must be an object of JSON with a query, or an array of them.";
        let is_batch = body.trim_ascii_start().starts_with(b"[");
        let sent: Vec<Box<RawValue>> = if is_batch {
            serde_json::from_slice(body).map_err(|_| WRONG)?
        } else {
            vec![serde_json::from_slice(body).map_err(|_| WRONG)?]
        };
        if sent.is_empty() || sent.len() > MAX_BATCH {
            return Err("A batch has 1 to 20 operations.");
        }
        let list = sent.into_iter().map(|sent| Operation::read(sent, tenants)).collect::<Option<_>>().ok_or(WRONG)?;
        Ok(Self { is_batch, list })
    }
}

impl Operation {
    fn read(sent: Box<RawValue>, tenants: Tenants) -> Option<Self> {
        // Serde would also accept an array of the members in order.
        let envelope: Envelope<'_> =
            Some(sent.get()).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok())?;
        let judged = judge(&envelope.query, envelope.operation_name.as_deref());
        let needs_tenant = judged
            .as_ref()
            .is_some_and(|judged| matches!(&judged.fields[..], [field] if OF_TENANT.contains(&field.as_str())));
        let variables = envelope.variables.and_then(|variables| with_tenant(variables, tenants, needs_tenant));
        let only_reads = judged.as_ref().is_some_and(|judged| judged.only_reads);
        let translated = if variables.is_some() || only_reads {
            let raw = |text: &str| to_raw_value(text).ok();
            let mut members = BTreeMap::from([("query", raw(&envelope.query)?)]);
            members.extend(variables.or(envelope.variables.map(ToOwned::to_owned)).map(|value| ("variables", value)));
            let name = envelope.operation_name.as_deref().and_then(raw);
            members.extend(name.map(|name| ("operationName", name)));
            Some(to_raw_value(&members).ok()?)
        } else {
            None
        };
        Some(Self { sent, translated, judged })
    }

    /// Who has the answer. What can't be read is for the upstream.
    pub(super) fn answered_by(&self) -> AnsweredBy {
        self.judged.as_ref().map_or(AnsweredBy::Upstream, |judged| judged.answered_by)
    }

    /// Whether it certainly only reads.
    pub(super) fn only_reads(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.only_reads)
    }

    /// The operation for the upstream.
    pub(super) fn forwarded(&self) -> &RawValue {
        self.translated.as_ref().unwrap_or(&self.sent)
    }
}

/// Puts the tenant's id at the upstream into variables: in place of its own, of null and, if it is needed, of nothing. `None`
/// if that changes nothing. Clients of Prefect send the variables as a string of JSON.
fn with_tenant(variables: &RawValue, tenants: Tenants, is_needed: bool) -> Option<Box<RawValue>> {
    if variables.get().starts_with('"') {
        let text: String = serde_json::from_str(variables.get()).ok()?;
        let inner = with_tenant(serde_json::from_str(&text).ok()?, tenants, is_needed)?;
        return to_raw_value(inner.get()).ok();
    }
    let mut outer: BTreeMap<String, Box<RawValue>> = serde_json::from_str(variables.get()).ok()?;
    let mut has_changed = translate(&mut outer, tenants, false);
    for value in outer.values_mut().filter(|value| value.get().starts_with('{')) {
        let mut inner: BTreeMap<String, Box<RawValue>> = serde_json::from_str(value.get()).ok()?;
        if translate(&mut inner, tenants, is_needed) {
            *value = to_raw_value(&inner).ok()?;
            has_changed = true;
        }
    }
    if has_changed { to_raw_value(&outer).ok() } else { None }
}

fn translate(members: &mut BTreeMap<String, Box<RawValue>>, tenants: Tenants, is_needed: bool) -> bool {
    let is_translated = match members.get(TENANT_MEMBER) {
        Some(id) if id.get() == "null" => true,
        Some(id) => serde_json::from_str::<TenantId>(id.get()).is_ok_and(|id| id == tenants.own),
        None => is_needed,
    };
    if is_translated && let Ok(id) = to_raw_value(&tenants.upstream) {
        members.insert(TENANT_MEMBER.to_owned(), id);
    }
    is_translated
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OWN: &str = "01980000-0000-7000-8000-000000000001";
    const THERE: &str = "01980000-0000-7000-8000-000000000002";

    fn read(body: &str) -> Result<Operations, &'static str> {
        let tenants = Tenants { own: OWN.parse().unwrap(), upstream: THERE.parse().unwrap() };
        Operations::read(body.as_bytes(), tenants)
    }

    fn forwarded(body: &Value) -> Value {
        let operations = read(&body.to_string()).unwrap();
        serde_json::from_str(operations.list[0].forwarded().get()).unwrap()
    }

    #[test]
    fn what_is_no_request_of_graphql_is_refused() {
        for body in ["", "x", "null", "[]", "{}", "[[]]", "[\"{ a }\"]", "[{\"query\":1}]", "{\"query\":\"{ a }\"}x"] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(
            read("{\"query\":\"{ a }\",\"query\":\"mutation { b }\"}").is_err(),
            "which one would the upstream execute?"
        );
        let many = |number: usize| format!("[{}]", vec!["{\"query\":\"{ a }\"}"; number].join(","));
        assert!(read(&many(21)).is_err());
        assert_eq!(read(&many(20)).unwrap().list.len(), 20);
    }

    #[test]
    fn what_cannot_be_parsed_is_for_the_upstream_and_does_not_only_read() {
        for query in ["{ a", "query", "mutation { a", ""] {
            let operations = read(&json!({ "query": query }).to_string()).unwrap();
            let operation = &operations.list[0];
            assert_eq!((operation.answered_by(), operation.only_reads()), (AnsweredBy::Upstream, false), "{query}");
            assert_eq!(operation.forwarded().get(), operation.sent.get());
        }
    }

    #[test]
    fn a_query_is_forwarded_without_what_was_not_judged() {
        let stored = json!({"query": "{ a }", "extensions": {"persistedQuery": {"sha256Hash": "0"}}, "id": "x", "documentId": "x"});
        assert_eq!(forwarded(&stored), json!({"query": "{ a }"}));
        let named = json!({"query": "query b { a }", "operationName": "b", "variables": {"c": 1}});
        assert_eq!(forwarded(&named), named);
    }

    #[test]
    fn the_tenant_has_another_id_at_the_upstream() {
        let poll = "mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }";
        let input = |id: Value| json!({"input": {"labels": ["a"], "tenant_id": id}});
        for (variables, expected) in [
            (input(json!(OWN)), input(json!(THERE))),
            (input(json!(OWN.to_uppercase())), input(json!(THERE))),
            (input(Value::Null), input(json!(THERE))),
            (json!({"input": {"labels": ["a"]}}), input(json!(THERE))),
            (input(json!("other")), input(json!("other"))),
            (
                json!({"tenant_id": OWN, "input": {"tenant_id": 1}}),
                json!({"tenant_id": THERE, "input": {"tenant_id": 1}}),
            ),
        ] {
            assert_eq!(
                forwarded(&json!({"query": poll, "variables": variables}))["variables"],
                expected,
                "{variables}"
            );
            let as_text = json!({"query": poll, "variables": variables.to_string()});
            let answer = forwarded(&as_text)["variables"].as_str().unwrap().to_owned();
            assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), expected, "{variables}");
        }
        // Numbers and all else stay as they are.
        let body = "{\"query\":\"mutation($input: x!) { set_key_value(input: $input) { id } }\",\"variables\":{\"input\":{\"tenant_id\":null,\"value\":1.10000000000000000001e400}}}";
        assert!(read(body).unwrap().list[0].forwarded().get().contains("1.10000000000000000001e400"));
        let without = json!({"query": "mutation { a }", "variables": {"input": {"b": 1}}, "extensions": {}});
        assert_eq!(forwarded(&without), without);
    }
}
