//! The verification endpoints: verify, whoami, introspect, and forward authentication.

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Role, audit::Channel, scope::SetScope};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::{Actor, Client, OwnerRef};

use crate::support::{Answer, Stage, on_both};

/// The identity headers of a granted request.
const IDENTITY: [&str; 9] = [
    "x-latchkey-subject",
    "x-latchkey-kind",
    "x-latchkey-key-id",
    "x-latchkey-key-name",
    "x-latchkey-tenant-id",
    "x-latchkey-tenant",
    "x-latchkey-role",
    "x-latchkey-scopes",
    "x-latchkey-expires-at",
];

async fn add_scopes(stage: &Stage) {
    for (scope, least_role) in [("orders:read", Role::ReadOnlyUser), ("orders:write", Role::User)] {
        let input = SetScope { scope: scope.to_owned(), description: scope.to_owned(), ..SetScope::default() };
        let input = SetScope { least_role: Some(least_role), ..input };
        stage.services.admin().set_scope(&input).await.unwrap();
    }
}

async fn scoped_key(stage: &Stage, account: &str, scopes: &str) -> String {
    let owner = OwnerRef::ServiceAccount(account.to_owned());
    let issued = stage.services.admin().create_scoped_key("acme", owner, "scoped", None, Some(scopes)).await;
    issued.unwrap().token.expose().to_owned()
}

/// Returns Ada, by a key.
async fn administrator(stage: &Stage) -> Actor {
    let client = Client { channel: Channel::Rest, ..Client::command_line() };
    stage.services.actors().from_bearer(&stage.key_of_ada().await, client).await.unwrap()
}

pub(crate) async fn ask(stage: &Stage, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    stage.send(request.body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(stage: &Stage, path: &str, key: &str, body: Value) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    let request = if key.is_empty() { request } else { request.header("authorization", format!("Bearer {key}")) };
    stage.send(request.body(Body::from(body.to_string())).unwrap()).await
}

pub(crate) async fn introspect(stage: &Stage, authorization: &str, body: &str) -> Answer {
    let request = Request::post("/oauth2/introspect").header("content-type", "application/x-www-form-urlencoded");
    let request = if authorization.is_empty() { request } else { request.header("authorization", authorization) };
    stage.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

pub(crate) fn basic(password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("any:{password}")))
}

#[test]
fn forward_authentication_names_the_key_in_every_header() {
    on_both(async |stage| {
        add_scopes(&stage).await;
        let (account, _) = stage.key_of_account("Deploy").await;
        let token = scoped_key(&stage, &account, "orders:read").await;
        let bearer = format!("Bearer {token}");
        for (method, path) in [("GET", "/auth/forward"), ("POST", "/auth/forward/any/thing"), ("GET", "/auth/forward/")]
        {
            let passed = ask(&stage, method, path, &[("authorization", &bearer), ("host", "elsewhere.example")]).await;
            assert_eq!((passed.status, passed.text.as_str()), (StatusCode::OK, ""), "{path}");
            for name in IDENTITY {
                assert!(passed.headers.contains_key(name), "{path}: {name}");
            }
            assert_eq!(passed.header("x-latchkey-subject"), account);
            assert_eq!(passed.header("x-latchkey-kind"), "service_account");
            assert_eq!(passed.header("x-latchkey-tenant"), "acme");
            assert_eq!(passed.header("x-latchkey-scopes"), "orders:read");
            assert_eq!(passed.header("x-latchkey-expires-at"), "");
            assert_eq!(passed.header("cache-control"), "no-store");
        }
        let envoy = ask(&stage, "DELETE", "/auth/envoy/orders/7?scope=x", &[("authorization", &bearer)]).await;
        assert_eq!(envoy.status, StatusCode::OK);
        for headers in [
            vec![("authorization", basic(&token))],
            vec![("x-api-key", token.clone())],
            vec![("authorization", format!("bearer {token}")), ("x-api-key", token.clone())],
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(ask(&stage, "GET", "/auth/forward", &headers).await.status, StatusCode::OK, "{headers:?}");
        }
    });
}

#[test]
fn refusals_are_the_same_whatever_the_reason() {
    on_both(async |stage| {
        let (account, revoked) = stage.key_of_account("Deploy").await;
        let other = stage.key_of_ada().await;
        let ada = administrator(&stage).await;
        let suspended = scoped_key(&stage, &account, "").await;
        let keys = stage.services.api_keys().visible(&ada, None).await.unwrap().keys;
        for key in keys {
            match key.name.as_str() {
                "main" => drop(stage.services.api_keys().revoke(&ada, key.id).await.unwrap()),
                "scoped" => drop(stage.services.api_keys().suspend(&ada, key.id).await.unwrap()),
                _ => (),
            }
        }
        let unknown = service::testing::draw_token();
        let mut answers = Vec::new();
        for token in [&revoked, &suspended, &unknown, &"lku_garbage".to_owned()] {
            let answer = ask(&stage, "GET", "/auth/forward", &[("authorization", &format!("Bearer {token}"))]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"Latchkey\", error=\"invalid_token\"");
            answers.push((answer.text, format!("{:?}", answer.headers)));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let none = ask(&stage, "GET", "/auth/forward", &[]).await;
        assert_eq!(
            (none.status, none.header("www-authenticate")),
            (StatusCode::UNAUTHORIZED, "Bearer realm=\"Latchkey\"")
        );
        let two = [("authorization", format!("Bearer {other}")), ("x-api-key", "another".to_owned())];
        let two: Vec<_> = two.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(ask(&stage, "GET", "/auth/forward", &two).await.status, StatusCode::UNAUTHORIZED);
        let query = ask(&stage, "GET", &format!("/auth/forward?access_token={other}&token={other}"), &[]).await;
        assert_eq!(query.status, StatusCode::UNAUTHORIZED, "never from the query");
    });
}

#[test]
fn a_demanded_scope_is_needed_and_named() {
    on_both(async |stage| {
        add_scopes(&stage).await;
        let (account, whole) = stage.key_of_account("Deploy").await;
        let token = scoped_key(&stage, &account, "orders:read").await;
        let bearer = format!("Bearer {token}");
        let status = async |path: &str| ask(&stage, "GET", path, &[("authorization", &bearer)]).await;
        assert_eq!(status("/auth/forward?scope=orders:read").await.status, StatusCode::OK);
        let lacks = status("/auth/forward?scope=orders:read&scope=orders:write").await;
        assert_eq!(lacks.status, StatusCode::FORBIDDEN);
        assert_eq!(
            lacks.header("www-authenticate"),
            "Bearer realm=\"Latchkey\", error=\"insufficient_scope\", scope=\"orders:write\""
        );
        assert!(lacks.text.contains("orders:write"), "{}", lacks.text);
        // Nobody whom we trust has said that the method is safe.
        assert_eq!(status("/auth/forward?scope_unsafe=orders:write").await.status, StatusCode::FORBIDDEN);
        assert_eq!(status("/auth/forward?scope=unknown:thing").await.status, StatusCode::FORBIDDEN);
        assert_eq!(status("/auth/forward?scope=nonsense").await.status, StatusCode::FORBIDDEN);
        let headers = [("authorization", bearer.as_str()), ("x-latchkey-scope", "orders:write")];
        assert_eq!(ask(&stage, "GET", "/auth/envoy/a", &headers).await.status, StatusCode::FORBIDDEN);
        assert_eq!(status("/api/v1/whoami?scope=orders:write").await.status, StatusCode::FORBIDDEN);
        let whoami = status("/api/v1/whoami").await.json();
        assert_eq!((&whoami["scopes"], &whoami["owner"]["kind"]), (&json!(["orders:read"]), &json!("service_account")));

        let answer = post(&stage, "/api/v1/verify", "", json!({"token": token, "scope": "orders:write"})).await.json();
        assert_eq!(answer["valid"], false);
        assert_eq!(
            (&answer["error"], &answer["missing_scopes"]),
            (&json!("insufficient_scope"), &json!(["orders:write"]))
        );
        let answer =
            post(&stage, "/api/v1/verify", "", json!({"token": whole, "scope": ["orders:write"]})).await.json();
        assert_eq!((&answer["valid"], &answer["scopes"]), (&json!(true), &Value::Null));

        let stage = stage.behind_proxy();
        let safe = [("authorization", bearer.as_str()), ("x-forwarded-method", "GET")];
        let path = "/auth/forward?scope_safe=orders:read&scope_unsafe=orders:write";
        assert_eq!(ask(&stage, "GET", path, &safe).await.status, StatusCode::OK);
        let unsafe_ = [("authorization", bearer.as_str()), ("x-original-method", "DELETE")];
        assert_eq!(ask(&stage, "GET", path, &unsafe_).await.status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn a_batch_answers_in_order_and_has_a_limit() {
    on_both(async |stage| {
        let (_, token) = stage.key_of_account("Deploy").await;
        let body = json!({"keys": [{"token": token}, {"token": "lku_garbage"}, {"token": token, "scope": "a:b"}]});
        let answer = post(&stage, "/api/v1/verify/batch", "", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let valid: Vec<_> =
            answer.json()["results"].as_array().unwrap().iter().map(|one| one["valid"].clone()).collect();
        assert_eq!(valid, [json!(true), json!(false), json!(false)]);
        for count in [0, 101] {
            let keys: Vec<_> = (0..count).map(|_| json!({"token": "x"})).collect();
            let answer = post(&stage, "/api/v1/verify/batch", "", json!({"keys": keys})).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{count}");
        }
    });
}

#[test]
fn a_caller_with_a_key_sees_only_its_tenant_and_may_name_the_client() {
    on_both(async |stage| {
        let (account, caller) = stage.key_of_account("Gateway").await;
        let verifier = scoped_key(&stage, &account, "latchkey:verify").await;
        let blind = scoped_key(&stage, &account, "latchkey:read").await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let foreign = stage.services.admin().create_service_account("other", "Theirs", None).await.unwrap().to_string();
        let owner = OwnerRef::ServiceAccount(foreign);
        let foreign = stage.services.admin().create_key("other", owner, "theirs", None).await.unwrap();
        let foreign = foreign.token.expose().to_owned();
        let client = json!({"address": "::ffff:203.0.113.9", "user_agent": "curl/8"});
        let asked = json!({"token": caller, "client": client});
        assert_eq!(post(&stage, "/api/v1/verify", &verifier, asked.clone()).await.json()["valid"], true);
        assert_eq!(
            post(&stage, "/api/v1/verify", &verifier, json!({"token": foreign})).await.json(),
            json!({"valid": false})
        );
        assert_eq!(post(&stage, "/api/v1/verify", "", json!({"token": foreign})).await.json()["valid"], true);
        assert_eq!(post(&stage, "/api/v1/verify", "", asked.clone()).await.status, StatusCode::FORBIDDEN);
        assert_eq!(post(&stage, "/api/v1/verify", &blind, asked.clone()).await.status, StatusCode::FORBIDDEN);
        assert_eq!(post(&stage, "/api/v1/verify", "lku_garbage", asked).await.status, StatusCode::UNAUTHORIZED);
        let wrong = json!({"token": caller, "client": {"address": "somewhere"}});
        assert_eq!(post(&stage, "/api/v1/verify", &verifier, wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);

        let ada = administrator(&stage).await;
        let keys = stage.services.api_keys().visible(&ada, None).await.unwrap().keys;
        let used = keys.iter().find(|key| key.name.as_str() == "main").unwrap();
        let clients = stage.services.api_keys().usage(&ada, used.id).await.unwrap();
        assert!(
            format!("{clients:?}").contains("203.0.113.9") && format!("{clients:?}").contains("curl/8"),
            "{clients:?}"
        );
    });
}

#[test]
fn introspection_follows_rfc_7662() {
    on_both(async |stage| {
        add_scopes(&stage).await;
        let (account, _) = stage.key_of_account("Gateway").await;
        let verifier = scoped_key(&stage, &account, "latchkey:verify").await;
        let token = scoped_key(&stage, &account, "orders:read").await;
        let body = format!("token_type_hint=access_token&token={token}");
        let encoded = verifier.replace('_', "%5F");
        for authorization in [basic(&verifier), basic(&encoded), format!("Bearer {verifier}")] {
            let answer = introspect(&stage, &authorization, &body).await;
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
            assert_eq!(answer.header("cache-control"), "no-store");
            let answer = answer.json();
            assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!("orders:read")));
            assert_eq!((&answer["sub"], &answer["token_type"]), (&json!(account), &json!("Bearer")));
            assert_eq!(answer["iss"], "http://127.0.0.1:3000");
            assert!(answer.get("exp").is_none() && answer.get("aud").is_none(), "{answer}");
        }
        let in_body = introspect(&stage, "", &format!("{body}&client_id=x&client_secret={verifier}")).await;
        assert_eq!(in_body.json()["active"], true);
        let ada = stage.key_of_ada().await;
        assert_eq!(introspect(&stage, &basic(&verifier), "token=lku_garbage").await.text, r#"{"active":false}"#);
        for (authorization, body, status, error) in [
            (String::new(), body.clone(), 401, "invalid_client"),
            (basic("lku_garbage"), body.clone(), 401, "invalid_client"),
            (basic(&token), body.clone(), 403, "insufficient_scope"),
            (basic(&verifier), "token=".to_owned(), 400, "invalid_request"),
            (basic(&verifier), format!("token={ada}&token={ada}"), 400, "invalid_request"),
            (basic(&verifier), format!("{body}&client_secret={verifier}"), 400, "invalid_request"),
        ] {
            let answer = introspect(&stage, &authorization, &body).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (status, &json!(error)), "{body}");
            assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
        }
        let metadata = ask(&stage, "GET", "/.well-known/oauth-authorization-server", &[]).await.json();
        assert_eq!(metadata["issuer"], "http://127.0.0.1:3000");
        assert_eq!(metadata["introspection_endpoint"], "http://127.0.0.1:3000/oauth2/introspect");
    });
}
