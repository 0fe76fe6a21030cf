//! The feed of changes over HTTP, and the reports of verifiers.

use std::time::Duration;

use axum::body::Body;
use domain::{ServiceAccountId, audit::Channel};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use service::{Actor, Client};

use crate::support::{Answer, Stage, on_both};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open feed.
struct Feed {
    body: Body,
    received: String,
}

/// One event: its name, its id and its data.
type Event = (String, String, Value);

impl Feed {
    async fn open(stage: &Stage, token: &str, headers: &[(&str, &str)], query: &str) -> Self {
        let request = || {
            let mut request = Request::get(format!("/api/v1/changes{query}"))
                .header("accept-encoding", "gzip, br")
                .header("authorization", format!("Bearer {token}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Body::empty()).unwrap()
        };
        let mut response = stage.open(request()).await;
        // Right after the start, the changes haven't been read yet.
        while response.status() == StatusCode::SERVICE_UNAVAILABLE {
            tokio::time::sleep(Duration::from_millis(10)).await;
            response = stage.open(request()).await;
        }
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
        assert_eq!(header("content-encoding"), None, "an event must not wait for the next one");
        Self { body: response.into_body(), received: String::new() }
    }

    /// Returns the next event, or `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let line = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    value.unwrap_or_else(|| panic!("{name} is missing: {event}")).to_owned()
                };
                let found = (line("event"), line("id"), serde_json::from_str(&line("data")).unwrap());
                let end = self.received.len() - rest.len();
                self.received.drain(..end);
                return Some(found);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("the feed isn't silent")?;
            self.received += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    /// Returns the next event that isn't a heartbeat.
    async fn news(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.0 != "heartbeat" {
                return Some(event);
            }
            assert!((1..=1_001).contains(&event.2["age_ms"].as_i64().unwrap()), "{event:?}");
        }
    }
}

async fn report(stage: &Stage, token: &str, body: Value) -> Answer {
    let request = Request::post("/api/v1/changes/seen").header("content-type", "application/json");
    let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
    stage.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn by_key(stage: &Stage, token: &str) -> Actor {
    let client = Client { channel: Channel::Rest, ..Client::command_line() };
    stage.services.actors().from_bearer(token, client).await.unwrap()
}

async fn key_of_account(stage: &Stage, name: &str) -> (ServiceAccountId, String) {
    let (account, token) = stage.key_of_account(name).await;
    (account.parse().unwrap(), token)
}

#[test]
fn the_feed_tells_what_changes_and_goes_on_after_the_last_event() {
    on_both(async |stage| {
        let (_, caller) = key_of_account(&stage, "Verifier").await;
        let (deploy, used) = key_of_account(&stage, "Deploy").await;
        let ada = by_key(&stage, &stage.key_of_ada().await).await;
        let key = by_key(&stage, &used).await.key_id().unwrap();
        let mut feed = Feed::open(&stage, &caller, &[], "").await;
        let (name, start, data) = feed.next().await.unwrap();
        assert_eq!((name.as_str(), data), ("reset", json!({"imported": false})));
        stage.services.api_keys().suspend(&ada, key).await.unwrap();
        let (name, suspended, data) = feed.news().await.unwrap();
        assert_eq!((name.as_str(), data), ("change", json!({"kind": "key", "key": key.to_string()})));
        stage.services.service_accounts().suspend(&ada, deploy).await.unwrap();
        let (_, _, data) = feed.news().await.unwrap();
        let owner = json!({"kind": "service_account", "id": deploy.to_string()});
        assert_eq!(data, json!({"kind": "owner", "owner": owner}));

        let mut again = Feed::open(&stage, &caller, &[], &format!("?after={start}")).await;
        assert_eq!(again.next().await.unwrap().1, suspended);
        let last = [("last-event-id", suspended.as_str())];
        let mut again = Feed::open(&stage, &caller, &last, &format!("?after={start}")).await;
        assert_eq!(again.next().await.unwrap().2["kind"], "owner", "the header is newer than the query");
        let mut unknown = Feed::open(&stage, &caller, &[], "?after=00000001-1-1-1").await;
        assert_eq!(unknown.next().await.unwrap().0, "reset");

        let id = by_key(&stage, &caller).await.key_id().unwrap();
        stage.services.api_keys().revoke(&ada, id).await.unwrap();
        assert_eq!(feed.news().await, None, "the caller's key was revoked");
    });
}

#[test]
fn only_a_key_with_the_scope_reads_the_feed_and_reports() {
    on_both(async |stage| {
        let (_, caller) = key_of_account(&stage, "Verifier").await;
        let account = stage.services.admin().create_service_account("acme", "Small", Some("USER")).await.unwrap();
        let owner = service::OwnerRef::ServiceAccount(account.to_string());
        let small = stage.services.admin().create_key("acme", owner, "small", None).await.unwrap();
        let small = small.token.expose();
        for (token, status) in
            [("", StatusCode::UNAUTHORIZED), ("lks_x", StatusCode::UNAUTHORIZED), (small, StatusCode::FORBIDDEN)]
        {
            let request = Request::get("/api/v1/changes");
            let request =
                if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
            let refused = stage.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(refused.status, status, "{}", refused.text);
            assert_eq!(report(&stage, token, json!({"verifier": "one"})).await.status, status);
        }
        for (body, status) in [
            (json!([]), StatusCode::BAD_REQUEST),
            (json!({}), StatusCode::BAD_REQUEST),
            (json!({"verifier": ""}), StatusCode::UNPROCESSABLE_ENTITY),
            (json!({"verifier": "a b"}), StatusCode::UNPROCESSABLE_ENTITY),
            (json!({"verifier": "one", "cursor": "x"}), StatusCode::UNPROCESSABLE_ENTITY),
            (json!({"verifier": "one", "usage": [{"digest": "00"}]}), StatusCode::UNPROCESSABLE_ENTITY),
            (
                json!({"verifier": "one", "usage": [{"digest": "0".repeat(64), "address": "x"}]}),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                json!({"verifier": "one", "usage": [{"digest": "0".repeat(64), "accepted": -1}]}),
                StatusCode::BAD_REQUEST,
            ),
            (json!({"verifier": "one", "usage": [{"digest": "0".repeat(64)}]}), StatusCode::OK),
        ] {
            let answer = report(&stage, &caller, body.clone()).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.text);
        }
        let put = Request::put("/api/v1/changes").body(Body::empty()).unwrap();
        assert_eq!(stage.send(put).await.status, StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn answers_about_keys_have_a_cursor_for_callers_with_a_key() {
    on_both(async |stage| {
        let (_, caller) = key_of_account(&stage, "Verifier").await;
        let mut feed = Feed::open(&stage, &caller, &[], "").await;
        let (_, start, _) = feed.next().await.unwrap();
        let state = report(&stage, &caller, json!({"verifier": "one", "cursor": start})).await.json();
        assert_eq!(state["cursor"], json!(start));
        assert!((1..=1_001).contains(&state["age_ms"].as_i64().unwrap()), "{state}");
        assert_eq!(
            (&state["now"], &state["now_ms"]),
            (&json!("2027-01-01T00:00:00.000Z"), &json!(1_798_761_600_001_i64))
        );
        let ask = async |path: &str, kind: &str, body: String, token: &str| {
            let request = Request::post(path).header("content-type", kind);
            let request =
                if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
            stage.send(request.body(Body::from(body)).unwrap()).await
        };
        let form = "application/x-www-form-urlencoded";
        let known = ask("/oauth2/introspect", form, format!("token={caller}"), &caller).await;
        assert_eq!((known.json()["active"].clone(), known.header("latchkey-cursor")), (json!(true), start.as_str()));
        let unknown = ask("/oauth2/introspect", form, "token=lks_x".to_owned(), &caller).await;
        assert_eq!(unknown.header("latchkey-cursor"), "", "a refusal isn't kept");
        let body = json!({"token": caller}).to_string();
        let verified = ask("/api/v1/verify", "application/json", body.clone(), &caller).await;
        assert_eq!(verified.header("latchkey-cursor"), start);
        let unknown = json!({"token": service::testing::draw_token()}).to_string();
        let refused = ask("/api/v1/verify", "application/json", unknown, &caller).await;
        assert_eq!((refused.json()["valid"].clone(), refused.header("latchkey-cursor")), (json!(false), ""));
        assert_eq!(ask("/api/v1/verify", "application/json", body, "").await.header("latchkey-cursor"), "");
    });
}

#[test]
fn the_page_of_a_stopped_key_says_how_many_verifiers_refuse_it() {
    on_both(async |stage| {
        let (_, caller) = key_of_account(&stage, "Verifier").await;
        let (deploy, used) = key_of_account(&stage, "Deploy").await;
        let (ada, cookie) = (by_key(&stage, &stage.key_of_ada().await).await, stage.sign_in().await);
        let key = by_key(&stage, &used).await.key_id().unwrap();
        let page = async || stage.get(&format!("/team/service-accounts/{deploy}/keys/{key}"), &cookie).await.text;
        let mut feed = Feed::open(&stage, &caller, &[], "").await;
        let (_, start, _) = feed.next().await.unwrap();
        let seen = async |cursor: &str| report(&stage, &caller, json!({"verifier": "shop-1", "cursor": cursor})).await;
        assert_eq!(seen(&start).await.status, StatusCode::OK);
        assert!(!page().await.contains("Rejected by"), "a valid key isn't refused");
        stage.services.api_keys().revoke(&ada, key).await.unwrap();
        let text = page().await;
        assert!(text.contains("Rejected by 0 of 1 verifier."), "{text}");
        let (_, revoked, _) = feed.news().await.unwrap();
        seen(&revoked).await;
        let text = page().await;
        assert!(text.contains("Rejected by 1 of 1 verifier for 0."), "{text}");
    });
}
