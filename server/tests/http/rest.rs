//! The verification and health endpoints.

use axum::body::Body;
use chrono::TimeDelta;
use domain::Role;
use http::{Request, StatusCode};
use serde_json::json;

use crate::{
    endpoints::introspect,
    support::{Stage, on_both},
};

fn verify(body: &str, kind: &str) -> Request<Body> {
    Request::post("/api/v1/verify").header("content-type", kind).body(Body::from(body.to_owned())).unwrap()
}

#[test]
fn verifying_a_good_key_names_its_owner_and_a_bad_one_is_only_called_invalid() {
    on_both(async |stage: Stage| {
        let (id, token) = stage.key_of_account("deployer").await;
        let answer = stage.send(verify(&format!(r#"{{"token":"{token}"}}"#), "application/json")).await;
        let facts = answer.json();
        assert_eq!(facts["valid"], true);
        assert_eq!((&facts["owner"]["kind"], &facts["owner"]["id"]), (&"service_account".into(), &id.into()));
        assert_eq!((&facts["role"], &facts["tenant"]["slug"]), (&"TENANT_ADMIN".into(), &"acme".into()));
        assert!(facts["expires_at"].is_null());
        let answer = stage.send(verify(r#"{"token":"lku_garbage"}"#, "application/json")).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, r#"{"valid":false}"#));
    });
}

#[test]
fn malformed_requests_get_a_problem_response_without_the_token() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        for (body, kind, status) in [
            ("{", "application/json", 400),
            (r#"{"token":5}"#, "application/json", 400),
            (r#"{"token":"x"}"#, "text/plain", 415),
            (&format!(r#"["{token}"]"#), "application/json", 400),
        ] {
            let answer = stage.send(verify(body, kind)).await;
            assert_eq!(answer.status.as_u16(), status, "{body}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert!(!answer.text.contains(&token));
        }
        let huge = stage.send(verify(&"x".repeat(70_000), "application/json")).await;
        assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
        for path in ["/api/v2/nothing", "/api/v1/%FF", "/calendar/%FF"] {
            let missing = stage.get(path, "").await;
            assert_eq!(missing.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(missing.headers["content-type"], "application/problem+json", "{path}");
        }
    });
}

#[test]
fn keys_are_refused_from_the_next_request_when_their_owner_rights_or_lifetime_end() {
    on_both(async |stage: Stage| {
        let (id, of_account) = stage.key_of_account("gone").await;
        assert!(stage.is_valid(&of_account).await);
        let admin_key = stage.key_of_ada().await;
        let mutation = format!("mutation {{ delete_service_account(id: \"{id}\") {{ state active_keys }} }}");
        let answer = stage.graphql(&admin_key, &mutation, serde_json::Value::Null).await;
        assert_eq!(answer.json()["data"]["delete_service_account"]["state"], "deleted", "{}", answer.text);
        assert!(!stage.is_valid(&of_account).await);

        let input = r#"mutation { create_service_account(input: {name: "short"}) { id } }"#;
        let account = stage.graphql(&admin_key, input, serde_json::Value::Null).await.json()["data"]["create_service_account"]["id"].clone();
        let key = serde_json::json!({"input": {"user_id": account, "name": "k", "expires_at": "2027-01-01T01:00:00Z"}});
        let create = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { token } }";
        let token = stage.graphql(&admin_key, create, key).await.json()["data"]["create_api_key"]["token"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(stage.is_valid(&token).await);
        stage.clock.set(stage.services.now() + TimeDelta::hours(1));
        assert!(!stage.is_valid(&token).await, "from the instant of its expiry");

        stage
            .services
            .admin()
            .create_user(
                "bob@example.org",
                None,
                "acme",
                "TENANT_ADMIN",
                &domain::Secret::new(crate::support::PASSWORD),
            )
            .await
            .unwrap();
        stage.services.admin().set_role("acme", "ada@example.org", Role::ReadOnlyUser.as_str()).await.unwrap();
        let answer = stage.graphql(&admin_key, "{ service_accounts { items { id } } }", serde_json::Value::Null).await;
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "FORBIDDEN", "{}", answer.text);
        stage.services.admin().remove_member("acme", "ada@example.org").await.unwrap();
        assert!(!stage.is_valid(&admin_key).await);
    });
}

#[test]
fn the_health_endpoints_need_no_key() {
    on_both(async |stage: Stage| {
        assert_eq!(stage.get("/health/live", "").await.status, StatusCode::OK);
        assert_eq!(stage.get("/health/ready", "").await.status, StatusCode::OK);
        let by_address = Request::get("/health/ready").header("host", "10.1.2.3:3000").body(Body::empty()).unwrap();
        assert_eq!(stage.send(by_address).await.status, StatusCode::OK, "health checks address the server by IP");
    });
}

#[test]
fn a_request_without_a_valid_key_is_challenged_and_told_what_is_missing() {
    on_both(async |stage: Stage| {
        let path = "/api/v1/audit-log.jsonl";
        let none = stage.get(path, "").await;
        assert_eq!(
            (none.status, none.header("www-authenticate")),
            (StatusCode::UNAUTHORIZED, "Bearer realm=\"Latchkey\"")
        );
        assert!(none.text.contains("This request needs an API key."), "{}", none.text);
        let wrong = Request::get(path).header("authorization", "Bearer lku_wrong").body(Body::empty()).unwrap();
        let wrong = stage.send(wrong).await;
        let challenge = "Bearer realm=\"Latchkey\", error=\"invalid_token\"";
        assert_eq!((wrong.status, wrong.header("www-authenticate")), (StatusCode::UNAUTHORIZED, challenge));
        assert_eq!(
            (&wrong.json()["code"], wrong.text.contains("This API key isn't valid here.")),
            (&"UNAUTHENTICATED".into(), true)
        );
    });
}

#[test]
fn unknown_members_are_refused_by_name() {
    on_both(async |stage: Stage| {
        let (_, token) = stage.key_of_account("deployer").await;
        for (path, body, fields) in [
            ("/api/v1/verify", json!({"token": token, "scop": "a:b"}), &["scop"][..]),
            ("/api/v1/verify", json!({"token": token, "scopes": ["a:b"]}), &["scopes"]),
            ("/api/v1/verify", json!({"tokn": token, "Scope": ""}), &["Scope", "tokn"]),
            ("/api/v1/verify", json!({"token": token, "client": {"adress": "::1"}}), &["client.adress"]),
            ("/api/v1/verify/batch", json!({"keys": [{"token": token}, {"token": token, "x": 1}]}), &["keys.1.x"]),
            ("/api/v1/verify/batch", json!({"keys": [{"token": token}], "scope": "a:b"}), &["scope"]),
        ] {
            let request = Request::post(path).header("content-type", "application/json");
            let answer = stage.send(request.body(Body::from(body.to_string())).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let named = answer.json()["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| field["field"].clone())
                .collect::<Vec<_>>();
            assert_eq!(named, fields, "{body}");
            assert!(!answer.text.contains(&token));
        }
        // RFC 7662 §2.1 lets clients add parameters of their own.
        let verifier = format!("client_secret={token}&token={token}&scop=a");
        let answer = introspect(&stage, "", &verifier).await;
        assert_eq!(answer.json()["active"], true, "{}", answer.text);
    });
}

#[test]
fn unknown_paths_and_methods_are_problems() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        for (method, path, status) in [
            ("POST", "/api/v1/nothing", 404),
            ("GET", "/api/v1/nothing", 404),
            ("DELETE", "/api/nothing/at/all", 404),
            ("PUT", "/api/v2", 404),
            ("POST", "/api/v1/audit-log.csv", 405),
            ("GET", "/api/v1/leaks", 405),
            ("DELETE", "/api/v1/verify", 405),
            ("POST", "/health/live", 405),
            ("POST", "/user/api-keys", 405),
            ("GET", "/fn/rename_tenant", 405),
            ("PUT", "/sign-in", 405),
            ("GET", "/sign-out", 405),
            ("DELETE", "/calendar/x", 405),
            ("POST", "/favicon.svg", 405),
            ("POST", "/pkg/x", 405),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("cookie", &cookie).header("sec-fetch-site", "same-origin");
            let answer = stage.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
            assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
            assert_eq!(answer.json()["status"], status, "{method} {path}");
            assert_eq!(answer.headers.contains_key("allow"), status == 405, "{method} {path}");
        }
    });
}
