//! What is fuzzed: everything that strangers send. A target takes bytes, and panics on a fault.

use axum::body::Body;
use chrono::TimeDelta;
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Value, json};
use server::graphql::guard;

use crate::support::{Answer, Stage};

const FORM: &str = "application/x-www-form-urlencoded";

/// A part of the server that reads what strangers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Token,
    GraphqlGuard,
    GraphqlRequest,
    Cursor,
    Authorization,
    Forwarded,
    Expiry,
    Form,
    QueryString,
    Leaks,
}

/// A site that isn't on the network, with what the targets need.
pub struct Site {
    stage: Stage,
    /// A key of an administrator.
    token: String,
    /// The session of the same person.
    cookie: String,
}

impl Target {
    /// Returns the folder of its corpus in `server/fuzz/corpus`.
    pub fn corpus(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::GraphqlGuard | Self::GraphqlRequest => "graphql",
            Self::Cursor => "cursor",
            Self::Authorization => "authorization",
            Self::Forwarded => "forwarded",
            Self::Expiry => "expiry",
            Self::Form => "form",
            Self::QueryString => "query_string",
            Self::Leaks => "leaks",
        }
    }

    /// Sets up a site for this target.
    pub async fn site(self) -> Site {
        let stage = Stage::embedded("http://127.0.0.1:3000").await;
        let stage = if self == Self::Forwarded { stage.behind_proxy() } else { stage };
        let (token, cookie) = (stage.key_of_ada().await, stage.sign_in().await);
        Site { stage, token, cookie }
    }

    /// Runs the target with an input.
    ///
    /// # Panics
    /// On a fault.
    pub async fn run(self, site: &Site, input: &[u8]) {
        match self {
            Self::Token => site.token(input).await,
            Self::GraphqlGuard => graphql_guard(input),
            Self::GraphqlRequest => site.graphql_request(input).await,
            Self::Cursor => site.cursor(input).await,
            Self::Authorization => site.authorization(input).await,
            Self::Forwarded => site.forwarded(input).await,
            Self::Expiry => site.expiry(input).await,
            Self::Form => site.form(input).await,
            Self::QueryString => site.query_string(input).await,
            Self::Leaks => site.leaks(input).await,
        }
    }
}

fn graphql_guard(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if guard::scan(&text).is_ok()
        && let Ok(document) = async_graphql::parser::parse_query(&text)
    {
        guard::count(&document).ok();
    }
}

fn post(path: &str, content_type: &str, token: &str, body: &[u8]) -> http::Result<Request<Body>> {
    let request = Request::post(path).header("content-type", content_type);
    let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
    request.body(Body::from(body.to_vec()))
}

/// A GraphQL response has data or errors, each error a code, and none that of a fault.
fn check_graphql(answer: &Answer) {
    let answer = answer.json();
    assert!(answer.get("data").is_some() || answer["errors"].is_array(), "{answer}");
    for error in answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let code = error["extensions"]["code"].as_str();
        assert!(code.is_some_and(|code| code != "INTERNAL"), "{answer}");
    }
}

impl Site {
    /// Sends a request built from bytes. Requests that HTTP itself can't carry are skipped.
    async fn send(&self, request: http::Result<Request<Body>>) -> Option<Answer> {
        let answer = self.stage.send(request.ok()?).await;
        assert!(answer.status.as_u16() < 500, "{}: {}", answer.status, answer.text);
        Some(answer)
    }

    async fn token(&self, input: &[u8]) {
        let text = String::from_utf8_lossy(input).replace("TOKEN", &self.token);
        let cleaned = domain::secret::without_tokens(&text);
        assert!(!cleaned.contains(&self.token) && !domain::secret::contains_token(&cleaned));
        let body = json!({"token": text}).to_string();
        let answer = self.send(post("/api/v1/verify", "application/json", "", body.as_bytes())).await.unwrap();
        assert!(answer.json()["valid"] != true || text.trim() == self.token, "{text}");
        self.send(post("/api/v1/verify", "application/json", "", input)).await;
    }

    async fn graphql_request(&self, input: &[u8]) {
        let query = json!({"query": String::from_utf8_lossy(input), "variables": {"x": "all", "n": 5}}).to_string();
        for body in [query.as_bytes(), input] {
            if let Some(answer) = self.send(post("/graphql", "application/json", &self.token, body)).await {
                check_graphql(&answer);
            }
        }
    }

    async fn cursor(&self, input: &[u8]) {
        let query = "query($c: String) { a: api_keys(after: $c, sort: name) { next } b: api_keys(before: $c, sort: expires) { next } \
                     c: service_accounts(after: $c) { next } d: members(after: $c) { next } e: audit_log(before: $c) { next } }";
        let answer = self.stage.graphql(&self.token, query, json!({"c": String::from_utf8_lossy(input)})).await;
        check_graphql(&answer);
        assert_ne!(answer.json()["data"], Value::Null);
    }

    async fn authorization(&self, input: &[u8]) {
        let text = String::from_utf8_lossy(input).replace("TOKEN", &self.token);
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        for line in text.split('\n') {
            request = request.header("authorization", line.as_bytes());
        }
        let request = request.body(Body::from(r#"{"query":"{ hello }"}"#));
        if let Some(answer) = self.send(request).await
            && answer.status == 200
        {
            let is_known = answer.json()["data"]["hello"].is_string();
            assert!(!is_known || text.contains(&self.token), "{text}");
        }
    }

    async fn forwarded(&self, input: &[u8]) {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        for name in ["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host", "cookie", "user-agent"] {
            let name = HeaderName::from_static(name);
            self.send(Request::get("/sign-in").header(name, value.clone()).body(Body::empty())).await;
        }
    }

    async fn expiry(&self, input: &[u8]) {
        let query = "mutation($o: String!, $e: String) { create_api_key(input: {user_id: $o, name: \"x\", expires_at: $e}) { id } }";
        let text = String::from_utf8_lossy(input);
        domain::api_key::expiry::utc_date(&text);
        let expiry = domain::Expiry::parse(&text, self.stage.services.now());
        let answer = self.stage.graphql(&self.token, query, json!({"o": self.stage.ada.to_string(), "e": text})).await;
        check_graphql(&answer);
        // A quota may refuse a good one.
        assert!(answer.json()["data"]["create_api_key"].is_null() || expiry.is_ok(), "{text}");
    }

    async fn form(&self, input: &[u8]) {
        let paths = ["/sign-out", "/preferences/theme", "/fn/create_api_key", "/fn/set_tenant_policy", "/user/confirm"];
        for path in paths {
            let Ok(mut request) = post(path, FORM, "", input) else { continue };
            request.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
            // The session must not end.
            if path != "/sign-out" {
                request.headers_mut().insert("cookie", HeaderValue::from_str(&self.cookie).unwrap());
            }
            self.send(Ok(request)).await;
        }
    }

    async fn query_string(&self, input: &[u8]) {
        let query: String = input.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect();
        for path in ["/api/v1/audit-log.jsonl", "/sign-in", "/docs"] {
            let request = Request::get(format!("{path}?{query}"));
            let request = request.header("authorization", format!("Bearer {}", self.token));
            self.send(request.body(Body::empty())).await;
        }
    }

    async fn leaks(&self, input: &[u8]) {
        // Otherwise the limit for one network would refuse all but the first reports.
        self.stage.clock.set(self.stage.services.now() + TimeDelta::minutes(2));
        self.send(post("/api/v1/leaks", "application/json", "", input)).await;
        assert!(self.stage.is_valid(&self.token).await);
    }
}
