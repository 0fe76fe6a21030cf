//! The pages around a new key: whether it has been used, the test of a key, and the guides.

use axum::body::Body;
use http::{Request, StatusCode};

use crate::support::{Stage, on_both};

/// Creates a key of Ada and returns its id and token.
async fn create(stage: &Stage, cookie: &str) -> (String, String) {
    let created = stage.call("/fn/create_api_key", cookie, "name=new&expiry=never").await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&created["key"]["id"]), text(&created["token"]))
}

#[test]
fn the_page_of_the_first_request_asks_to_be_polled_until_the_key_was_verified() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let (id, token) = create(&stage, &cookie).await;
        let path = format!("/user/api-keys/{id}/first-request");
        let waiting = stage.get(&path, &cookie).await;
        assert!(waiting.text.contains(&format!("data-poll=\"{path}\"")), "{}", waiting.text);
        assert!(stage.is_valid(&token).await);
        let verified = stage.get(&path, &cookie).await;
        assert!(!verified.text.contains("data-poll"), "{}", verified.text);
        assert!(verified.text.contains("00:00:00 UTC") && verified.text.contains("192.0.2.7"), "{}", verified.text);
        let other = stage.get(&path, "").await;
        assert_eq!(other.status, StatusCode::SEE_OTHER);
        let unknown = stage.get("/user/api-keys/00000000-0000-7000-8000-000000000000/first-request", &cookie).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn the_card_of_a_new_key_polls_the_page_of_that_key() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let shown = stage.submit("/user/api-keys/new", &cookie, "name=plain&expiry=never").await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
        let path = shown.text.split("data-poll=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert!(stage.get(path, &cookie).await.text.contains("Waiting for the first verification"), "{path}");
        let form = stage.get("/user/api-keys/new", &cookie).await;
        assert!(form.text.contains("data-poll=\"/user/api-keys/{key}/first-request\""), "{}", form.text);
    });
}

#[test]
fn a_tested_key_is_verified_and_its_token_is_not_shown_again() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let (_, token) = create(&stage, &cookie).await;
        let test = async |typed: &str| stage.post_form("/user/api-keys/test", &cookie, &format!("token={typed}")).await;
        let valid = test(&token).await;
        assert_eq!((valid.status, valid.header("cache-control")), (StatusCode::OK, "no-store"));
        assert!(valid.text.contains("\"valid\": true") && valid.text.contains("\"name\": \"new\""), "{}", valid.text);
        assert!(!valid.text.contains(&token));
        assert!(test("lku_wrong").await.text.contains("\"valid\": false"));
        let signed_out = stage.post_form("/user/api-keys/test", "", &format!("token={token}")).await;
        assert_eq!(signed_out.status, StatusCode::SEE_OTHER);
        // Another site must not be able to count requests with a key that it knows.
        let foreign = Request::post("/user/api-keys/test")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "cross-site")
            .header("cookie", &cookie);
        let foreign = stage.send(foreign.body(Body::from(format!("token={token}"))).unwrap()).await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn the_guides_are_public_and_contain_the_host_and_the_hint_of_a_key() {
    on_both(async |stage: Stage| {
        let signed_out = stage.get("/docs/verify", "").await;
        assert_eq!(signed_out.status, StatusCode::OK);
        assert!(signed_out.text.contains("http://127.0.0.1:3000/api/v1/verify"), "{}", signed_out.text);
        assert!(signed_out.text.contains("TOKEN=lku_EXAMPLE"));
        let cookie = stage.sign_in().await;
        let (_, token) = create(&stage, &cookie).await;
        let signed_in = stage.get("/docs/verify", &cookie).await;
        assert!(signed_in.text.contains(&format!("TOKEN={}…", &token[..8])), "{}", signed_in.text);
        assert!(signed_in.text.contains("aria-label=\"Main\""), "the navigation");
        assert_eq!(stage.get("/docs/nothing", "").await.status, StatusCode::NOT_FOUND);
    });
}
