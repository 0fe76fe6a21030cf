//! The limits of keys at every endpoint: a wrong address is answered like an unknown key, and a used-up rate limit says when to
//! try again.

use axum::body::Body;
use domain::api_key::input::CreateKey;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::OwnerRef;

use crate::{
    endpoints::{ask, basic, introspect, post},
    support::{Answer, PEER, Stage, on_both},
};

/// Creates a key of an account, and returns its token.
async fn limited_key(stage: &Stage, account: &str, input: CreateKey) -> String {
    let owner = OwnerRef::ServiceAccount(account.to_owned());
    let input = CreateKey { name: "limited".to_owned(), ..input };
    stage.services.admin().create_key_from("acme", owner, input).await.unwrap().token.expose().to_owned()
}

fn only_from(addresses: &str) -> CreateKey {
    CreateKey { allowed_addresses: Some(addresses.to_owned()), ..CreateKey::default() }
}

fn once_a_day() -> CreateKey {
    CreateKey { rate_limit: Some("1".to_owned()), rate_window: Some("day".to_owned()), ..CreateKey::default() }
}

/// Everything that a caller sees of an answer, except what differs in any two answers.
fn seen(answer: &Answer) -> String {
    let mut headers = answer.headers.clone();
    for name in ["x-request-id", "date", "latchkey-cursor"] {
        headers.remove(name);
    }
    format!("{} {headers:?} {}", answer.status, answer.text)
}

const WHO_AM_I: &str = "{ auth_api_key { id } }";

/// Asks every endpoint about a key, and returns what each answers.
async fn ask_everywhere(stage: &Stage, verifier: &str, token: &str) -> Vec<(&'static str, Answer)> {
    let bearer = format!("Bearer {token}");
    let carried = [("authorization", bearer.as_str())];
    let query = json!({"query": WHO_AM_I}).to_string();
    let graphql = |path: &str| {
        let request = Request::post(path).header("content-type", "application/json").header("authorization", &bearer);
        request.body(Body::from(query.clone())).unwrap()
    };
    vec![
        ("verify", post(stage, "/api/v1/verify", "", json!({"token": token})).await),
        ("verify with a key", post(stage, "/api/v1/verify", verifier, json!({"token": token})).await),
        ("batch", post(stage, "/api/v1/verify/batch", "", json!({"keys": [{"token": token}]})).await),
        ("whoami", ask(stage, "GET", "/api/v1/whoami", &carried).await),
        ("introspect", introspect(stage, &basic(verifier), &format!("token={token}")).await),
        ("forward", ask(stage, "GET", "/auth/forward", &carried).await),
        ("forward by a header", ask(stage, "GET", "/auth/forward", &[("x-api-key", token)]).await),
        ("envoy", ask(stage, "GET", "/auth/envoy/a", &carried).await),
        ("graphql", stage.send(graphql("/graphql")).await),
        ("graphql at the root", stage.send(graphql("/")).await),
        ("audit log", ask(stage, "GET", "/api/v1/audit-log.jsonl", &carried).await),
        ("caller of verify", post(stage, "/api/v1/verify", token, json!({"token": "lku_garbage"})).await),
        ("caller of introspect", introspect(stage, &basic(token), "token=x").await),
    ]
}

#[test]
fn a_wrong_address_is_answered_like_an_unknown_key() {
    on_both(async |stage| {
        let (account, _) = stage.key_of_account("Deploy").await;
        let verifier = CreateKey { scopes: Some("latchkey:verify".to_owned()), ..CreateKey::default() };
        let verifier = limited_key(&stage, &account, verifier).await;
        let elsewhere = limited_key(&stage, &account, only_from("203.0.113.0/24 2001:db8::/32")).await;
        let unknown = service::testing::draw_token();
        for _ in 0..2 {
            let expected = ask_everywhere(&stage, &verifier, &unknown).await;
            let answers = ask_everywhere(&stage, &verifier, &elsewhere).await;
            for ((endpoint, answer), (_, expected)) in answers.iter().zip(&expected) {
                assert_eq!(seen(answer), seen(expected), "{endpoint}");
            }
        }
        // From an allowed address, which a caller with a key names, it is valid.
        for (address, valid) in [("203.0.113.9", true), ("::ffff:203.0.113.9", true), ("203.0.114.9", false)] {
            let asked = json!({"token": elsewhere, "client": {"address": address}});
            assert_eq!(post(&stage, "/api/v1/verify", &verifier, asked).await.json()["valid"], valid, "{address}");
            let form = format!("token={elsewhere}&client_address={address}");
            assert_eq!(introspect(&stage, &basic(&verifier), &form).await.json()["active"], valid, "{address}");
        }
        let here = limited_key(&stage, &account, only_from(&std::net::IpAddr::from(PEER).to_string())).await;
        let bearer = format!("Bearer {here}");
        assert_eq!(ask(&stage, "GET", "/auth/forward", &[("authorization", &bearer)]).await.status, StatusCode::OK);
    });
}

#[test]
fn a_used_up_rate_limit_says_when_to_try_again() {
    on_both(async |stage| {
        let (account, _) = stage.key_of_account("Deploy").await;
        let verifier = CreateKey { scopes: Some("latchkey:verify".to_owned()), ..CreateKey::default() };
        let verifier = limited_key(&stage, &account, verifier).await;
        let token = limited_key(&stage, &account, once_a_day()).await;
        assert_eq!(post(&stage, "/api/v1/verify", "", json!({"token": token})).await.json()["valid"], true);
        let refused = json!({"valid": false, "error": "rate_limited", "retry_after": 86_400});
        let inactive = json!({"active": false, "error": "rate_limited", "retry_after": 86_400});
        for (endpoint, answer) in ask_everywhere(&stage, &verifier, &token).await {
            let retry = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            match endpoint {
                "verify" | "verify with a key" => assert_eq!(answer.json(), refused, "{endpoint}"),
                "batch" => assert_eq!(answer.json(), json!({"results": [refused]})),
                "introspect" => assert_eq!(answer.json(), inactive),
                "graphql" | "graphql at the root" => {
                    assert_eq!(answer.status, StatusCode::OK, "{endpoint}");
                    let extensions = &answer.json()["errors"][0]["extensions"];
                    let told = (&extensions["code"], &extensions["retry_after"]);
                    assert_eq!(told, (&json!("RATE_LIMITED"), &json!(86_400)), "{endpoint}");
                }
                // nginx makes an error of its own of any other status.
                "forward" | "forward by a header" | "envoy" => {
                    assert_eq!((answer.status, retry.as_deref()), (StatusCode::FORBIDDEN, Some("86400")), "{endpoint}");
                    assert!(!answer.headers.contains_key("x-latchkey-subject"), "{endpoint}");
                }
                _ => {
                    let told = (answer.status, retry.as_deref());
                    assert_eq!(told, (StatusCode::TOO_MANY_REQUESTS, Some("86400")), "{endpoint}");
                }
            }
        }
    });
}

#[test]
fn limits_are_set_and_changed_through_graphql() {
    on_both(async |stage| {
        let (account, _) = stage.key_of_account("Deploy").await;
        let ada = stage.key_of_ada().await;
        let run = async |query: &str, variables: Value| stage.graphql(&ada, query, variables).await.json();
        let create = "mutation ($input: create_api_key_input!) { create_api_key(input: $input) { id token } }";
        let input = json!({"input": {"user_id": account, "name": "k", "allowed_addresses": ["::ffff:10.0.0.0/104", "10.0.0.1"],
            "rate_limit": {"requests": 600, "seconds": 60}}});
        let created = run(create, input).await;
        let id = created["data"]["create_api_key"]["id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
        let fields = "allowed_addresses rate_limit { requests seconds }";
        let read = format!("{{ api_key(id: \"{id}\") {{ {fields} }} }}");
        let expected =
            json!({"allowed_addresses": ["10.0.0.0/8", "10.0.0.1/32"], "rate_limit": {"requests": 600, "seconds": 60}});
        assert_eq!(run(&read, json!({})).await["data"]["api_key"], expected);
        let change = async |arguments: &str| {
            let query = format!("mutation {{ change_api_key_limits(id: \"{id}\", {arguments}) {{ {fields} }} }}");
            run(&query, json!({})).await
        };
        let kept = change("allowed_addresses: [\"192.0.2.0/24\"]").await["data"]["change_api_key_limits"].clone();
        assert_eq!(
            kept,
            json!({"allowed_addresses": ["192.0.2.0/24"], "rate_limit": {"requests": 600, "seconds": 60}})
        );
        let removed = change("rate_limit: null").await["data"]["change_api_key_limits"].clone();
        assert_eq!(removed, json!({"allowed_addresses": ["192.0.2.0/24"], "rate_limit": null}));
        for (arguments, field) in [
            ("allowed_addresses: []", "allowed_addresses"),
            ("allowed_addresses: [\"\"]", "allowed_addresses"),
            ("allowed_addresses: [\"10.0.0.1/8\"]", "allowed_addresses"),
            ("rate_limit: {requests: 0, seconds: 60}", "rate_limit"),
            ("rate_limit: {requests: -1, seconds: 60}", "rate_limit"),
            ("rate_limit: {requests: 5, seconds: 86401}", "rate_limit"),
            ("allow_lockout: true", "allowed_addresses"),
        ] {
            let refused = change(arguments).await;
            assert_eq!(refused["errors"][0]["extensions"]["fields"][0]["field"], field, "{arguments}: {refused}");
        }
        let empty = json!({"input": {"user_id": account, "name": "k", "allowed_addresses": []}});
        let refused = run(create, empty).await;
        assert_eq!(refused["errors"][0]["extensions"]["fields"][0]["field"], "allowed_addresses", "{refused}");
        let all = change("allowed_addresses: null").await["data"]["change_api_key_limits"].clone();
        assert_eq!(all, json!({"allowed_addresses": null, "rate_limit": null}));
    });
}

#[test]
fn a_form_warns_before_it_locks_out_its_author_and_keeps_what_was_typed() {
    on_both(async |stage| {
        let cookie = stage.sign_in().await;
        let typed = "name=k&expiry=never&access=full&allowed_addresses=203.0.113.0%2F24&rate_limit=5&rate_window=hour";
        let submit = async |more: &str| stage.submit("/user/api-keys/new", &cookie, &format!("{typed}{more}")).await;
        let warned = submit("").await;
        assert_eq!(warned.status, StatusCode::CONFLICT, "{}", warned.text);
        let own = std::net::IpAddr::from(PEER).to_string();
        assert!(warned.text.contains(&format!("Your own address, {own}, isn't in the list")), "{}", warned.text);
        assert!(warned.text.contains(">203.0.113.0/24</textarea>"), "{}", warned.text);
        assert!(warned.text.contains("value=\"hour\" selected"), "{}", warned.text);
        let created = submit("&allow_lockout=true").await;
        assert_eq!(created.status, StatusCode::OK, "{}", created.text);
    });
}
