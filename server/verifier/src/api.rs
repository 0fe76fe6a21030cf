//! The requests to the server.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, crypto::ring};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    clock,
    cursor::Cursor,
    known::{Active, EndClient, ReportedKey},
};

/// How long a question about a key may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long a report may take. Its answer is useless afterwards.
const REPORT_WITHIN: Duration = Duration::from_secs(1);
/// How long it may take until the feed begins.
const FEED_WITHIN: Duration = Duration::from_secs(5);
/// How many questions are asked at the same time.
const MAX_QUESTIONS: usize = 256;
/// The largest answer, in bytes.
const MAX_ANSWER: usize = 128 * 1_024;
/// The header with the cursor of an answer.
const CURSOR: &str = "latchkey-cursor";

/// Why the server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    #[error("the server hasn't answered in time")]
    TooSlow,
    #[error("the server answered with the status {0}{1}")]
    Refused(StatusCode, &'static str),
    #[error("the server's answer can't be read: {0}")]
    Unreadable(String),
}

#[derive(Deserialize)]
struct Introspection {
    active: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    retry_after: Option<u32>,
}

/// What the server answers about a token.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is a valid key. With a cursor, the answer may be kept.
    Valid(Box<Active>, Option<Cursor>),
    /// It isn't.
    Invalid,
    /// The key is used too often at the moment, and may be used again after some seconds.
    TooOften(u32),
}

/// What a verifier reports.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) verifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    pub(crate) usage: &'a [ReportedKey],
}

/// How far the server has read the changes.
#[derive(Deserialize)]
struct Standing {
    cursor: Option<String>,
    age_ms: Option<i64>,
    now_ms: i64,
}

/// What a report's answer confirms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmation {
    pub(crate) cursor: Cursor,
    /// The moment up to which the cursor includes everything, by the monotonic clock.
    pub(crate) right_at: i64,
    /// What is added to the monotonic clock to get the latest time that it may be at the server.
    pub(crate) server_offset: i64,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    questions: Semaphore,
}

impl Api {
    /// `base`: the server's public URL. `key`: the verifier's own key.
    pub(crate) fn new(base: &str, key: &str) -> Result<Self, String> {
        let base = base.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|error| format!("{error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err("it must begin with http:// or https://".to_owned());
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| "the key is malformed")?;
        authorization.set_sensitive(true);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_webpki_roots()
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(REPORT_WITHIN));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(64).build(connector);
        Ok(Self { client, base, authorization, questions: Semaphore::new(MAX_QUESTIONS) })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: String,
    ) -> Result<Response<Incoming>, ApiError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, kind)
            .header(header::CONTENT_TYPE, kind)
            .header(header::USER_AGENT, concat!("latchkey-verifier/", env!("CARGO_PKG_VERSION")))
            .body(Full::from(body))
            .map_err(|error| ApiError::Unreadable(error.to_string()))?;
        self.client.request(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            ApiError::Unreachable(format!("{error}{cause}"))
        })
    }

    /// Sends a request and receives the whole answer, whose status must be 200.
    async fn ask(&self, path: &str, kind: &'static str, body: String) -> Result<Response<Bytes>, ApiError> {
        let (head, body) = self.send(Method::POST, path, kind, body).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| ApiError::Unreadable(error.to_string()))?.to_bytes();
        require_ok(head.status)?;
        Ok(Response::from_parts(head, body))
    }

    /// Asks about a token. The server counts the request as usage of the key.
    pub(crate) async fn introspect(&self, token: &str, client: &EndClient) -> Result<Answer, ApiError> {
        // The address is always named, if only as unknown. Otherwise the address of this process would count, and a key
        // could be used through it from everywhere.
        let mut body = format!("token={}&client_address=", utf8_percent_encode(token, NON_ALPHANUMERIC));
        body.extend(client.address.iter().flat_map(|address| utf8_percent_encode(address, NON_ALPHANUMERIC)));
        if let Some(user_agent) = &client.user_agent {
            body += "&client_user_agent=";
            body.extend(utf8_percent_encode(user_agent, NON_ALPHANUMERIC));
        }
        let asked = async {
            let _permit = self.questions.acquire().await;
            self.ask("/oauth2/introspect", "application/x-www-form-urlencoded", body).await
        };
        let answer = timeout(ANSWER_WITHIN, asked).await.map_err(|_| ApiError::TooSlow)??;
        let cursor = answer.headers().get(CURSOR).and_then(|value| value.to_str().ok()?.parse().ok());
        let said: Introspection = parsed(answer.body())?;
        if said.active {
            return Ok(Answer::Valid(Box::new(parsed(answer.body())?), cursor));
        }
        Ok(match said.error.as_deref() {
            Some("rate_limited") => Answer::TooOften(said.retry_after.unwrap_or(1)),
            _ => Answer::Invalid,
        })
    }

    /// Reports. Returns what the answer confirms, if anything.
    pub(crate) async fn report(&self, report: &Report<'_>) -> Result<Option<Confirmation>, ApiError> {
        let body = serde_json::to_string(report).map_err(|error| ApiError::Unreadable(error.to_string()))?;
        // Before the request: the server's reading can't be older than its age counted from here.
        let asked_at = clock::monotonic_micros();
        let asked = self.ask("/api/v1/changes/seen", "application/json", body);
        let answer = timeout(REPORT_WITHIN, asked).await.map_err(|_| ApiError::TooSlow)??;
        let standing: Standing = parsed(answer.body())?;
        let server_offset = standing.now_ms.saturating_mul(1_000).saturating_sub(asked_at);
        let (Some(cursor), Some(age)) = (standing.cursor, standing.age_ms) else { return Ok(None) };
        let cursor = cursor.parse().map_err(|()| ApiError::Unreadable(format!("{cursor} isn't a cursor")))?;
        let right_at = asked_at.saturating_sub(age.saturating_mul(1_000));
        Ok(Some(Confirmation { cursor, right_at, server_offset }))
    }

    /// Opens the feed. `after`: where an earlier feed ended.
    pub(crate) async fn changes(&self, after: Option<Cursor>) -> Result<Incoming, ApiError> {
        let path = after.map_or_else(String::new, |after| format!("?after={after}"));
        let path = format!("/api/v1/changes{path}");
        let asked = self.send(Method::GET, &path, "text/event-stream", String::new());
        let answer = timeout(FEED_WITHIN, asked).await.map_err(|_| ApiError::TooSlow)??;
        require_ok(answer.status())?;
        Ok(answer.into_body())
    }
}

fn require_ok(status: StatusCode) -> Result<(), ApiError> {
    let hint = match status {
        StatusCode::OK => return Ok(()),
        StatusCode::UNAUTHORIZED => ": the verifier's own key isn't valid",
        StatusCode::FORBIDDEN => ": the verifier's own key lacks the scope latchkey:verify",
        _ => "",
    };
    Err(ApiError::Refused(status, hint))
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_scheme_is_refused() {
        for wrong in ["keys.example.com", "ftp://keys.example.com", "", "/", "http://"] {
            assert!(Api::new(wrong, "key").is_err(), "{wrong}");
        }
        assert_eq!(Api::new("https://keys.example.com/", "key").unwrap().base, "https://keys.example.com");
        assert!(Api::new("https://keys.example.com", "k\n").is_err());
    }
}
