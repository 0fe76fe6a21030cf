//! Refusals because of changes that are lost afterwards.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use service::{OwnerRef, testing::DoomedChange};

use crate::support::{Answer, Stage, on_embedded};

/// Sends a mutation of a key, `KEY`, while its revocation isn't committed yet. The commit then fails.
async fn send_after_lost_revocation(stage: &Stage, token: &str, mutation: &str, accept: &str) -> Answer {
    let owner = OwnerRef::User("ada@example.org".to_owned());
    let key = stage.services.admin().create_key("acme", owner, "target", None).await.unwrap().key.id;
    let sql = "UPDATE api_keys SET lifecycle = 2, revoked_at = 1, revoked_by = 'Ada', revoke_reason = '' \
               WHERE name = 'target' AND revoked_at IS NULL";
    let lost = DoomedChange::begin(&stage.services, sql).await;
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", accept)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(json!({ "query": mutation.replace("KEY", &key.to_string()) }).to_string()));
    let (answer, ()) = tokio::join!(stage.send(request.unwrap()), lost.fail_together());
    answer
}

#[test]
fn a_refusal_of_graphql_is_withdrawn_if_the_change_that_caused_it_is_lost() {
    // One refuses in its data, the other by an error.
    let revoke = "mutation { delete_api_key(input: {key_id: \"KEY\"}) { success } }";
    let rotate = "mutation { roll_api_key(input: {key_id: \"KEY\"}) { id } }";
    let (json, graphql) = ("application/json", "application/graphql-response+json");
    on_embedded("http://127.0.0.1:3000", &|stage: Stage| async move {
        let token = stage.key_of_ada().await;
        for (mutation, accept, status) in [
            (revoke, json, StatusCode::OK),
            (rotate, json, StatusCode::OK),
            (revoke, graphql, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let mut refused = None;
            // Now and then, a background task waits for the lost change instead, and the mutation succeeds.
            for _ in 0..20 {
                let answer = send_after_lost_revocation(&stage, &token, mutation, accept).await;
                let data = &answer.json()["data"];
                if data["delete_api_key"]["success"] != true && data["roll_api_key"]["id"].is_null() {
                    refused = Some(answer);
                    break;
                }
            }
            let answer = refused.expect("the mutation is refused");
            let error = &answer.json()["errors"][0];
            assert_eq!(answer.status, status, "{}", answer.text);
            assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{}", answer.text);
            assert!(error["extensions"]["reference"].is_string(), "{}", answer.text);
            assert!(error["message"].as_str().unwrap().contains("may be wrong"), "{}", answer.text);
        }
    });
}
