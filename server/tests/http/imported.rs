//! A key with another system's token, at each endpoint that accepts a key.

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{api_key::input::CreateKey, scope::SetScope};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::{KnownToken, OwnerRef, read_sha256};
use sha2::{Digest, Sha256};

use crate::{
    endpoints::{ask, basic, introspect, post},
    support::{Stage, on_both},
};

/// Every visible character that isn't a letter or a digit, except the colon, which ends the user of `Basic`.
const FOREIGN: &str = "sk_live_4eC39!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~";

/// Creates a key of Ada for a token of another system. Returns its id.
async fn import(stage: &Stage, token: &str, scopes: Option<&str>) -> String {
    let digest = read_sha256(&BASE64_STANDARD.encode(Sha256::digest(token))).unwrap();
    let known = KnownToken::of_sha256(digest, Some("sk_live_4e")).unwrap();
    let scopes = scopes.map(str::to_owned);
    let (owner, key) =
        (OwnerRef::User("ada@example.org".to_owned()), CreateKey { name: "old".to_owned(), scopes, ..<_>::default() });
    stage.services.admin().create_key_with_digest("acme", owner, key, known).await.unwrap().id.to_string()
}

#[test]
fn every_endpoint_accepts_the_token_wherever_a_key_can_be() {
    on_both(async |stage| {
        let id = import(&stage, FOREIGN, None).await;
        let bearer = format!("Bearer {FOREIGN}");
        let encoded = format!("any:{}", FOREIGN.replace('%', "%25"));
        let encoded = format!("Basic {}", BASE64_STANDARD.encode(encoded));
        for headers in
            [[("authorization", bearer.as_str())], [("authorization", &basic(FOREIGN))], [("x-api-key", FOREIGN)]]
        {
            for path in ["/auth/forward", "/auth/envoy/orders", "/api/v1/whoami"] {
                assert_eq!(ask(&stage, "GET", path, &headers).await.status, StatusCode::OK, "{path} {headers:?}");
            }
            let whoami = ask(&stage, "GET", "/api/v1/whoami", &headers).await.json();
            assert_eq!((&whoami["key"]["id"], &whoami["owner"]["name"]), (&json!(id), &json!("Ada")));
        }
        let answer = post(&stage, "/api/v1/verify", "", json!({"token": FOREIGN})).await.json();
        assert_eq!((&answer["valid"], &answer["key"]["id"]), (&json!(true), &json!(id)));
        let batch = json!({"keys": [{"token": FOREIGN}, {"token": "another-token"}]});
        let batch = post(&stage, "/api/v1/verify/batch", "", batch).await.json();
        assert_eq!((&batch["results"][0]["valid"], &batch["results"][1]["valid"]), (&json!(true), &json!(false)));

        let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", FOREIGN).finish();
        for authorization in [&bearer, &encoded] {
            let answer = introspect(&stage, authorization, &form).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            assert_eq!((&answer.json()["active"], &answer.json()["client_id"]), (&json!(true), &json!(id)));
            assert!(!answer.header("latchkey-cursor").is_empty());
        }

        let answer = stage.graphql(FOREIGN, "{ auth_api_key { id hint imported_at } }", Value::Null).await.json();
        let key = &answer["data"]["auth_api_key"][0];
        assert_eq!((&key["id"], &key["hint"]), (&json!(id), &json!("sk_live_4e")));
        assert_eq!(key["imported_at"], "2027-01-01T00:00:00Z");
        let calendar = stage.graphql(FOREIGN, "{ auth_info { tenant_id user_id } }", Value::Null).await.json();
        assert!(calendar["data"]["auth_info"]["user_id"].is_string(), "{calendar}");
    });
}

#[test]
fn refusals_have_the_same_bytes_whatever_the_format() {
    on_both(async |stage| {
        let texts =
            [FOREIGN, "another-token", "short", "lku_garbage", &service::testing::draw_token()].map(str::to_owned);
        let refusals = async |stage: &Stage| {
            let mut answers = Vec::new();
            for text in &texts {
                let bearer = format!("Bearer {text}");
                let forward = ask(stage, "GET", "/auth/forward", &[("authorization", &bearer)]).await;
                let verify = post(stage, "/api/v1/verify", "", json!({"token": text})).await;
                let graphql = stage.graphql(text, "{ auth_info { tenant_id } }", Value::Null).await;
                answers.push([forward, verify, graphql].map(|mut one| {
                    one.headers.remove("x-request-id");
                    (one.status, one.text, format!("{:?}", one.headers))
                }));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:?}");
            answers
        };
        let before = refusals(&stage).await;
        import(&stage, "yet-another-token", None).await;
        assert_eq!(refusals(&stage).await, before);
    });
}

#[test]
fn a_verifier_may_have_an_imported_key_and_hears_of_imports() {
    on_both(async |stage| {
        let scope = SetScope { scope: "a:read".to_owned(), description: "a".to_owned(), ..SetScope::default() };
        stage.services.admin().set_scope(&SetScope { least_role: Some(domain::Role::User), ..scope }).await.unwrap();
        import(&stage, FOREIGN, Some("latchkey:verify")).await;
        let report = post(&stage, "/api/v1/changes/seen", FOREIGN, json!({"verifier": "shop"})).await;
        assert_eq!(report.status, StatusCode::OK, "{}", report.text);
        let feed = Request::get("/api/v1/changes").header("authorization", format!("Bearer {FOREIGN}"));
        let feed = stage.open(feed.body(Body::empty()).unwrap()).await;
        assert_eq!(feed.status(), StatusCode::OK);
        let frame = http_body_util::BodyExt::frame(&mut feed.into_body()).await.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8_lossy(&frame);
        assert!(text.starts_with("event: reset\n") && text.contains("data: {\"imported\":true}"), "{text}");
    });
}

#[test]
fn the_keys_page_and_lists_say_that_it_is_imported() {
    on_both(async |stage| {
        let id = import(&stage, FOREIGN, None).await;
        stage.key_of_ada().await;
        let cookie = stage.sign_in().await;
        let page = stage.get(&format!("/user/api-keys/{id}"), &cookie).await.text;
        let text = page.split("<main").nth(1).unwrap();
        for words in ["Imported", "Its token has its own format", "sk_live_4e", "Rotate the key to replace it"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let list = stage.get("/user/api-keys", &cookie).await.text;
        let list = list.split("<main").nth(1).unwrap();
        assert_eq!(list.matches("Imported").count(), 1, "one of the two keys is imported: {list}");
    });
}
