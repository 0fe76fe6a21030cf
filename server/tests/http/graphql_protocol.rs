//! GraphQL over HTTP: partial results, variables, media types and statuses, lists of any length, and odd arguments.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Stage, on_both};

/// Sends a body as it is.
async fn send(stage: &Stage, token: &str, accept: &str, body: String) -> Answer {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", accept)
        .header("authorization", format!("Bearer {token}"));
    stage.send(request.body(Body::from(body)).unwrap()).await
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap()).collect()
}

#[test]
fn a_field_that_fails_is_null_and_the_others_keep_their_values() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let ask = async |query: &str| stage.graphql(&admin, query, Value::Null).await.text;
        let partial = ask("{ lost: api_key(id: \"none\") { id } hello }").await;
        assert!(partial.starts_with(r#"{"data":{"lost":null,"hello":"Hello, Ada."},"errors":[{"#), "{partial}");
        let error = serde_json::from_str::<Value>(&partial).unwrap()["errors"][0].clone();
        assert_eq!((&error["path"], &error["extensions"]["code"]), (&json!(["lost"]), &json!("NOT_FOUND")));
        let all = ask("{ api_key(id: \"none\") { id } service_account(id: \"none\") { id } }").await;
        assert!(all.starts_with(r#"{"data":{"api_key":null,"service_account":null},"errors":[{"#), "{all}");
        let through = ask("query { ...f } fragment f on Query { api_key(id: \"none\") { id } hello }").await;
        assert!(through.starts_with(r#"{"data":{"api_key":null,"hello":"#), "{through}");
        assert_eq!(ask("{ hello @skip(if: true) }").await, r#"{"data":{}}"#);

        let make =
            |name: &str, key: &str| format!("{key}: create_service_account(input: {{name: \"{name}\"}}) {{ id name }}");
        let (one, again, two) = (make("one", "a"), make("one", "b"), make("two", "c"));
        let created: Value = serde_json::from_str(&ask(&format!("mutation {{ {one} {again} {two} }}")).await).unwrap();
        assert_eq!((&created["data"]["a"]["name"], &created["data"]["c"]["name"]), (&json!("one"), &json!("two")));
        assert_eq!((created["data"].get("b"), codes(&created)), (Some(&Value::Null), vec!["BAD_USER_INPUT"]));
    });
}

#[test]
fn nothing_is_executed_if_an_argument_or_a_variable_is_invalid() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let first = "a: create_service_account(input: {name: \"early\"}) { id }";
        for (declared, second, variables, code) in [
            ("($k: String!)", "delete_api_key(input: {key_id: $k}) { success }", json!({}), "BAD_USER_INPUT"),
            ("($k: String!)", "delete_api_key(input: {key_id: $k}) { success }", json!({"k": null}), "BAD_USER_INPUT"),
            ("($k: String!)", "delete_api_key(input: {key_id: $k}) { success }", json!({"k": 5}), "BAD_USER_INPUT"),
            (
                "($i: delete_api_key_input!)",
                "delete_api_key(input: $i) { success }",
                json!({"i": {}}),
                "BAD_USER_INPUT",
            ),
            (
                "($i: delete_api_key_input!)",
                "delete_api_key(input: $i) { success }",
                json!({"i": {"key_id": "x", "z": 1}}),
                "BAD_USER_INPUT",
            ),
            (
                "($i: tenant_policy_input!)",
                "set_tenant_policy(input: $i) { policy }",
                json!({"i": {"policy": "odd"}}),
                "BAD_USER_INPUT",
            ),
            (
                "($i: tenant_policy_input!)",
                "set_tenant_policy(input: $i) { policy }",
                json!({"i": {"policy": "max_lifetime", "days": 3_000_000_000_u32}}),
                "BAD_USER_INPUT",
            ),
            (
                "($f: DateTime)",
                "set_tenant_policy(input: {policy: expiry_required, from: $f}) { policy }",
                json!({"f": "2027-02-01T00:00:60Z"}),
                "BAD_USER_INPUT",
            ),
            (
                "($f: String)",
                "set_tenant_policy(input: {policy: expiry_required, from: $f}) { policy }",
                json!({"f": ""}),
                "BAD_USER_INPUT",
            ),
            ("($k: [String!]!)", "revoke_api_keys(key_ids: $k) { count }", json!({"k": ["x", null]}), "BAD_USER_INPUT"),
            (
                "($r: role)",
                "create_service_account(input: {name: \"b\", role: $r}) { id }",
                json!({"r": null}),
                "BAD_USER_INPUT",
            ),
            (
                "($r: role)",
                "create_service_account(input: {name: \"b\", role: $r}) { id }",
                json!({"r": ""}),
                "BAD_USER_INPUT",
            ),
            ("($b: Boolean!)", "end_other_sessions @include(if: $b) { success }", json!({}), "BAD_USER_INPUT"),
            ("", "create_service_account(input: {name: \"b\", role: null}) { id }", json!({}), "BAD_USER_INPUT"),
            (
                "",
                "set_tenant_policy(input: {policy: max_lifetime, days: 3000000000}) { policy }",
                json!({}),
                "BAD_USER_INPUT",
            ),
            ("", "create_service_account(input: {name: 5}) { id }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
            ("", "create_service_account(input: {}) { id }", json!({}), "BAD_USER_INPUT"),
        ] {
            let query = format!("mutation M{declared} {{ {first} b: {second} }}");
            let answer = stage.graphql(&admin, &query, variables.clone()).await;
            let answer = answer.json();
            assert_eq!((answer.get("data"), codes(&answer)), (None, vec![code]), "{query} {variables}: {answer}");
        }
        let names = stage.graphql(&admin, "{ service_accounts(state: all) { items { name } } }", Value::Null).await;
        assert_eq!(names.json()["data"]["service_accounts"]["items"], json!([]));
        // The error of an input object's field names the field, like that of a use case.
        let query = "mutation($i: create_service_account_input!) { create_service_account(input: $i) { id } }";
        let answer = stage.graphql(&admin, query, json!({"i": {"name": "b", "role": null}})).await.json();
        assert_eq!(answer["errors"][0]["extensions"]["fields"][0]["field"], "role");
        let absent = stage.graphql(&admin, query, json!({"i": {"name": "b"}})).await.json();
        assert!(absent["data"]["create_service_account"]["id"].is_string(), "{absent}");
    });
}

#[test]
fn an_error_never_quotes_a_value() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        for query in [
            "{ api_keys(state: TOKEN) { items { id } } }",
            "{ api_keys(state: \"TOKEN\") { items { id } } }",
            "{ api_keys(limit: \"TOKEN\") { items { id } } }",
            "{ audit_log(from: \"TOKEN\") { items { id } } }",
            "{ TOKEN }",
            "{ api_key(id: \"TOKEN\") { TOKEN } }",
            "query($TOKEN: Int!) { api_keys(limit: $TOKEN) { items { id } } }",
            "query($x: TOKEN!) { api_keys(limit: $x) { items { id } } }",
            "mutation { create_service_account(input: {TOKEN: 1, name: \"x\"}) { id } }",
        ] {
            let answer = stage.graphql(&admin, &query.replace("TOKEN", &admin), Value::Null).await;
            assert!(answer.json()["errors"].is_array() && !answer.text.contains(&admin), "{}", answer.text);
        }
    });
}

#[test]
fn a_variable_may_be_declared_as_string_where_an_id_a_time_or_an_enum_is_expected() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let ask = async |query: &str, variables: Value| stage.graphql(&admin, query, variables).await.json();
        let query = "query($s: String, $o: String!, $f: String, $r: String) { api_keys(state: $s, owner_id: $o) { items { id state } } \
                     audit_log(from: $f) { items { at operation } } members(role: $r) { items { role } } }";
        let variables =
            json!({"s": "all", "o": stage.ada.to_string(), "f": "2026-12-31T00:00:00Z", "r": "TENANT_ADMIN"});
        let answer = ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        let key = answer["data"]["api_keys"]["items"][0].clone();
        assert_eq!(key["state"], "active");
        for kind in ["String", "ID", "uuid"] {
            let query = format!("query($k: {kind}!) {{ api_key(id: $k) {{ name }} }}");
            assert_eq!(ask(&query, json!({"k": key["id"]})).await["data"]["api_key"]["name"], "ada's");
            let query = format!("mutation($k: [{kind}!]!) {{ suspend_api_keys(key_ids: $k) {{ count }} }}");
            assert_eq!(ask(&query, json!({"k": []})).await["data"], json!({"suspend_api_keys": {"count": 0}}));
        }
        // The documented operations declare ids and times as strings; clients that know them as ids work, too.
        for kind in ["String", "ID"] {
            let query = format!(
                "mutation($o: {kind}!, $e: DateTime) {{ create_api_key(input: {{user_id: $o, name: \"n\", expires_at: $e}}) {{ id }} }}"
            );
            let made = ask(&query, json!({"o": stage.ada.to_string(), "e": "2027-02-01T00:00:00Z"})).await;
            assert!(made["data"]["create_api_key"]["id"].is_string(), "{made}");
        }
        for (kind, value) in
            [("Int", json!(5)), ("Boolean", json!(true)), ("[String!]", json!(["x"])), ("role", json!("USER"))]
        {
            let wrong =
                ask(&format!("query($n: {kind}!) {{ api_keys(limit: $n) {{ next }} }}"), json!({"n": value})).await;
            let expected = if kind == "Int" { None } else { Some("GRAPHQL_VALIDATION_FAILED") };
            assert_eq!(codes(&wrong).first().copied(), expected, "{kind}: {wrong}");
        }
        let wrong = ask("query($n: Int!) { api_key(id: $n) { name } }", json!({"n": 5})).await;
        assert_eq!(codes(&wrong), ["GRAPHQL_VALIDATION_FAILED"], "{wrong}");
        let odd = ask("query($s: String) { api_keys(state: $s) { items { id } } }", json!({"s": "odd"})).await;
        assert_eq!(codes(&odd), ["BAD_USER_INPUT"]);
    });
}

#[test]
fn empty_and_unknown_members_of_a_request_count_as_absent() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let query = json!("{ hello }");
        for body in [
            json!({"query": query, "operationName": ""}),
            json!({"query": query, "operationName": null, "variables": null, "extensions": null}),
            json!({"query": query, "documentId": null}),
            json!({"query": query, "id": 5, "doc_id": "x", "extensions": {"persistedQuery": {"version": 1}}}),
            json!({"query": query, "variables": ""}),
            json!({"query": query, "variables": "null"}),
            json!({"query": query, "variables": {"unknown": [1]}}),
            json!({"query": "query A { hello } query B { viewer { id } }", "operationName": "A"}),
            json!({"query": "query A { hello }", "operationName": "A"}),
        ] {
            let answer = send(&stage, &token, "application/json", body.to_string()).await;
            assert_eq!(answer.json(), json!({"data": {"hello": "Hello, Ada."}}), "{body}");
        }
        for body in [
            json!({}),
            json!({"query": null}),
            json!({"query": {"a": 1}}),
            json!({"query": query, "operationName": {}}),
            json!({"query": query, "operationName": 1}),
            json!({"query": query, "variables": "x"}),
            json!({"query": query, "variables": 0}),
            json!({"query": query, "variables": []}),
            json!({"query": query, "extensions": "x"}),
            json!("{ hello }"),
        ] {
            for accept in ["application/json", "application/graphql-response+json"] {
                let answer = send(&stage, &token, accept, body.to_string()).await;
                assert_eq!(
                    (answer.status, codes(&answer.json())),
                    (StatusCode::BAD_REQUEST, vec!["BAD_REQUEST"]),
                    "{body}"
                );
            }
        }
    });
}

#[test]
fn the_media_type_that_a_client_accepts_decides_the_status() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let (json, graphql) = ("application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8");
        for (query, token, new_status, has_data) in [
            ("{ hello }", token.as_str(), 200, true),
            ("{ hello api_key(id: \"none\") { id } }", &token, 200, true),
            ("{ nothing }", &token, 400, false),
            ("{", &token, 400, false),
            ("query($x: Int!) { api_keys(limit: $x) { items { id } } }", &token, 400, false),
            ("query A { hello } query B { hello }", &token, 400, false),
            ("{ hello }", "lku_garbage", 401, false),
        ] {
            let body = json!({"query": query}).to_string();
            let new =
                send(&stage, token, "application/graphql-response+json, application/json;q=0.9", body.clone()).await;
            assert_eq!((new.status.as_u16(), new.header("content-type")), (new_status, graphql), "{query}");
            assert_eq!(new.json().get("data").is_some(), has_data, "{query}: {}", new.text);
            assert_eq!(new.header("www-authenticate").is_empty(), new_status != 401);
            for accept in ["application/json", "*/*", "text/html"] {
                let old = send(&stage, token, accept, body.clone()).await;
                assert_eq!((old.status.as_u16(), old.header("content-type")), (200, json), "{query} {accept}");
            }
        }
    });
}

#[test]
fn a_limit_is_a_signed_number_of_32_bits_and_in_its_range() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        for (limit, code) in [
            ("2147483648", "BAD_USER_INPUT"),
            ("4294967297", "BAD_USER_INPUT"),
            ("-2147483649", "BAD_USER_INPUT"),
            ("99999999999999999999", "GRAPHQL_VALIDATION_FAILED"),
            ("1.5", "GRAPHQL_VALIDATION_FAILED"),
            ("\"5\"", "GRAPHQL_VALIDATION_FAILED"),
            ("true", "GRAPHQL_VALIDATION_FAILED"),
            ("-1", "BAD_USER_INPUT"),
            ("0", "BAD_USER_INPUT"),
            ("101", "BAD_USER_INPUT"),
        ] {
            let literal = format!("{{ api_keys(limit: {limit}) {{ items {{ id }} }} }}");
            let answer = stage.graphql(&token, &literal, Value::Null).await.json();
            assert_eq!(codes(&answer), [code], "{limit}: {answer}");
            let variable = "query($n: Int) { api_keys(limit: $n) { items { id } } }";
            let value: Value = serde_json::from_str(limit).unwrap();
            let answer = stage.graphql(&token, variable, json!({"n": value})).await.json();
            assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{limit}: {answer}");
        }
        let both = "{ api_keys(after: \"x\", before: \"y\") { items { id } } }";
        assert_eq!(codes(&stage.graphql(&token, both, Value::Null).await.json()), ["BAD_USER_INPUT"]);
    });
}

#[test]
fn a_fault_has_a_reference_that_the_log_has_too_and_hides_no_other_field() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // Fails if other tests run in this process: then the log stays empty, and only the references are checked.
    let is_logging = tracing::subscriber::set_global_default(subscriber).is_ok();
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        // Not known in memory, because it is never accepted.
        let unused = stage.key_of_ada().await;
        let reference = |answer: &Value| {
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "INTERNAL", "{answer}");
            let reference = error["extensions"]["reference"].as_str().unwrap().to_owned();
            assert!(!is_logging || log.text().contains(&reference), "{reference}");
        };
        service::testing::execute(&stage.services, "ALTER TABLE invitations RENAME TO gone").await;
        let answer = stage.graphql(&token, "{ invitations { id } hello }", Value::Null).await.json();
        assert_eq!(answer["data"], json!({"invitations": null, "hello": "Hello, Ada."}));
        reference(&answer);
        service::testing::execute(&stage.services, "ALTER TABLE memberships RENAME TO gone_too").await;
        let answer = stage.graphql(&unused, "{ hello }", Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK);
        reference(&answer.json());
        let new =
            send(&stage, &unused, "application/graphql-response+json", json!({"query": "{ hello }"}).to_string()).await;
        assert_eq!(new.status, StatusCode::INTERNAL_SERVER_ERROR);
        reference(&new.json());
    });
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn lists_of_more_than_a_thousand_keys_are_complete() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let crowd = service::testing::Crowd { accounts: 6, keys: 4_000 };
        service::testing::fill(&stage.services, "acme", crowd).await.unwrap();
        let query =
            "{ hello auth_api_key { id name user_id } lost: api_key(id: \"none\") { id } tokens: api_token { id } }";
        let answer = stage.graphql(&token, query, Value::Null).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json; charset=utf-8"));
        let answer = answer.json();
        let ids = |list: &Value| {
            let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
            let ids: std::collections::HashSet<String> = list.iter().map(|key| key["id"].to_string()).collect();
            assert_eq!(ids.len(), list.len(), "no key twice");
            ids
        };
        let all = ids(&answer["data"]["auth_api_key"]);
        assert!(all.len() > 2_000, "{}", all.len());
        assert_eq!(all, ids(&answer["data"]["tokens"]));
        let own = answer["data"]["auth_api_key"].as_array().unwrap().iter();
        assert_eq!(own.filter(|key| key["user_id"] == stage.ada.to_string().as_str()).count(), 1);
        assert_eq!((&answer["data"]["hello"], &answer["data"]["lost"]), (&json!("Hello, Ada."), &Value::Null));
        assert_eq!(codes(&answer), ["NOT_FOUND"]);
    });
}

#[test]
fn the_list_of_more_than_a_thousand_keys_created_with_a_key_is_complete() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let own = stage.graphql(&token, "{ auth_api_key { id } }", Value::Null).await.json();
        let id = own["data"]["auth_api_key"][0]["id"].as_str().unwrap().to_owned();
        let crowd = service::testing::Crowd { accounts: 2, keys: 1_100 };
        service::testing::fill_with(&stage.services, "acme", crowd, id.parse().ok()).await.unwrap();
        let query = format!("{{ created_api_keys(id: \"{id}\") {{ id }} hello }}");
        let answer = stage.graphql(&token, &query, Value::Null).await.json();
        let list = answer["data"]["created_api_keys"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let ids: std::collections::HashSet<String> = list.iter().map(|key| key["id"].to_string()).collect();
        assert_eq!((list.len(), ids.len()), (1_100, 1_100), "every key once");
        assert_eq!(answer["data"]["hello"], "Hello, Ada.");
    });
}
