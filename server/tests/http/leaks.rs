//! Reports of leaked keys.

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use futures::{StreamExt, stream::FuturesUnordered};
use http::{Request, StatusCode};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use server::{config::LeakReportRules, report_keys::ReportKeys};
use sha2::{Digest, Sha256};

use crate::support::{Answer, Stage, on_both};

/// What precedes the point of a P-256 key in its `SubjectPublicKeyInfo` (RFC 5480).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that signs reports.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap())
    }

    fn sign(&self, body: &str) -> String {
        BASE64_STANDARD.encode(self.0.sign(&SystemRandom::new(), body.as_bytes()).unwrap())
    }

    fn pem(&self) -> String {
        let der = BASE64_STANDARD.encode([&SPKI_HEAD[..], self.0.public_key().as_ref()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &der[..64], &der[64..])
    }
}

fn post() -> http::request::Builder {
    Request::post("/api/v1/leaks").header("content-type", "application/json")
}

fn unsigned(body: &str) -> Request<Body> {
    post().body(Body::from(body.to_owned())).unwrap()
}

fn signed(body: &str, identifier: &str, signature: &str) -> Request<Body> {
    post()
        .header("Github-Public-Key-Identifier", identifier)
        .header("Github-Public-Key-Signature", signature)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn report_of(token: &str) -> String {
    json!([{"token": token, "type": "acme_key", "url": "https://e.org/a", "source": "Commit"}]).to_string()
}

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

async fn key_of(stage: &Stage, token: &str) -> Value {
    let query =
        "{ tenant_api_keys(state: all, show: exposed) { items { hint state exposed_at exposed_source exposed_url } } }";
    let answer = stage.graphql(&stage.key_of_ada().await, query, Value::Null).await.json();
    let items = answer["data"]["tenant_api_keys"]["items"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    items.into_iter().find(|key| token.starts_with(key["hint"].as_str().unwrap())).unwrap_or(Value::Null)
}

#[test]
fn a_reported_key_is_refused_from_the_next_request_on_and_the_reporter_learns_no_more() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let texts = [token.as_str(), "lku_0000", "", "lku_00000000000000000000000000000000000000"];
        let body = json!(texts.map(|text| json!({"token": text, "type": "acme_key"}))).to_string();
        let answer = stage.send(unsigned(&body)).await;
        assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
        let feedback = |text: &str, label| json!({"token_hash": hash(text), "token_type": "acme_key", "label": label});
        let expected: Vec<_> = texts
            .iter()
            .map(|text| feedback(text, if *text == token { "true_positive" } else { "false_positive" }))
            .collect();
        assert_eq!(answer.json(), Value::Array(expected));
        assert!(!answer.text.contains(&token) && !stage.is_valid(&token).await);
        let again = stage.send(unsigned(&body)).await;
        assert_eq!(again.text, answer.text, "a repeated report has the same answer");
        let key = key_of(&stage, &token).await;
        assert_eq!((&key["state"], &key["exposed_source"]), (&"suspended".into(), &"unknown".into()));
        assert_eq!(key["exposed_at"], "2027-01-01T00:00:00Z", "{key}");
        assert!(key["exposed_url"].is_null());
    });
}

#[test]
fn a_report_is_checked_before_anything_is_done() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let many = json!(vec![json!({"token": token}); 1_001]).to_string();
        let long = format!(r#"[{{"token":"{token}","url":"{}"}}]"#, "x".repeat(600_000));
        for (body, status) in [
            ("", 400),
            ("{}", 400),
            (r#"{"token":"x"}"#, 400),
            (&format!(r#"[["{token}"]]"#), 400),
            (r#"[{"token":5}]"#, 400),
            (r#"[{"type":"x"}]"#, 400),
            (&format!(r#"[{{"token":"{token}"}},{{"token":"x","url":1}}]"#), 400),
            (&many, 400),
            (&long, 413),
        ] {
            stage.clock.set(stage.services.now() + TimeDelta::minutes(1));
            let answer = stage.send(unsigned(body)).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert!(!answer.text.contains(&token));
        }
        let text = Request::post("/api/v1/leaks").body(Body::from(report_of(&token))).unwrap();
        assert_eq!(stage.send(text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let get = Request::get("/api/v1/leaks").body(Body::empty()).unwrap();
        assert_eq!(stage.send(get).await.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(stage.is_valid(&token).await);
        stage.clock.set(stage.services.now() + TimeDelta::minutes(1));
        let empty = stage.send(unsigned("[]")).await;
        assert_eq!((empty.status, empty.text.as_str()), (StatusCode::OK, "[]"));
        let longest = json!(vec![json!({"token": token, "source": "Npm"}); 1_000]).to_string();
        assert_eq!(stage.send(unsigned(&longest)).await.json().as_array().unwrap().len(), 1_000);
        assert!(!stage.is_valid(&token).await);
    });
}

#[test]
fn reports_are_limited_by_address() {
    on_both(async |stage: Stage| {
        for _ in 0..10 {
            assert_eq!(stage.send(unsigned("[]")).await.status, StatusCode::OK);
        }
        let refused = stage.send(unsigned("[]")).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.header("retry-after"), "60");
        stage.clock.set(stage.services.now() + TimeDelta::minutes(1));
        assert_eq!(stage.send(unsigned("[]")).await.status, StatusCode::OK);
    });
}

#[test]
fn a_signature_counts_if_it_is_of_a_known_key_over_the_same_bytes() {
    on_both(async |stage: Stage| {
        let (signer, other) = (Signer::new(), Signer::new());
        let path = stage.folder().join("report-keys.json");
        let keys = |signer: &Signer| json!({"public_keys": [{"key_identifier": "id-1", "key": signer.pem(), "is_current": true}]});
        std::fs::write(&path, keys(&signer).to_string()).unwrap();
        let rules = LeakReportRules { keys: Some(ReportKeys::open(&path).unwrap()), requires_signature: true };
        let stage = stage.with_leak_reports(rules);
        let token = stage.key_of_ada().await;
        let body = report_of(&token);
        let good = signer.sign(&body);
        let status = |answer: Answer| answer.status;
        for (name, request) in [
            ("none", unsigned(&body)),
            ("other key", signed(&body, "id-1", &other.sign(&body))),
            ("other bytes", signed(&body, "id-1", &signer.sign(&format!("{body} ")))),
            ("unknown key", signed(&body, "id-2", &good)),
            ("not base64", signed(&body, "id-1", "%%%")),
            ("empty", signed(&body, "", "")),
            (
                "one header",
                post().header("Github-Public-Key-Identifier", "id-1").body(Body::from(body.clone())).unwrap(),
            ),
        ] {
            assert_eq!(status(stage.send(request).await), StatusCode::FORBIDDEN, "{name}");
        }
        assert!(stage.is_valid(&token).await, "a forged report changes nothing");
        for _ in 0..20 {
            let answer = stage.send(signed(&body, "id-1", &good)).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
        assert!(!stage.is_valid(&token).await);
        assert_eq!(key_of(&stage, &token).await["exposed_url"], "https://e.org/a");

        // The keys are replaced while the server runs.
        std::fs::write(&path, keys(&other).to_string()).unwrap();
        assert_eq!(status(stage.send(signed(&body, "id-1", &good)).await), StatusCode::FORBIDDEN);
        assert_eq!(status(stage.send(signed(&body, "id-1", &other.sign(&body))).await), StatusCode::OK);
        std::fs::write(&path, "{}").unwrap();
        let fault = stage.send(signed(&body, "id-1", &good)).await;
        assert_eq!(fault.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(fault.json()["reference"].is_string(), "{}", fault.text);
    });
}

#[test]
fn a_file_without_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    assert!(ReportKeys::open(&path).is_err());
    let bad_key = json!({"public_keys": [{"key_identifier": "a", "key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}]});
    for text in ["", "[]", r#"{"public_keys":[]}"#, &bad_key.to_string()] {
        std::fs::write(&path, text).unwrap();
        assert!(ReportKeys::open(&path).is_err(), "{text}");
    }
}

#[test]
fn strangers_with_forged_or_unfinished_reports_keep_no_signed_report_out() {
    on_both(async |stage: Stage| {
        let signer = Signer::new();
        let path = stage.folder().join("report-keys.json");
        let keys = json!({"public_keys": [{"key_identifier": "id-1", "key": signer.pem(), "is_current": true}]});
        std::fs::write(&path, keys.to_string()).unwrap();
        let rules = LeakReportRules { keys: Some(ReportKeys::open(&path).unwrap()), requires_signature: true };
        let stage = stage.with_leak_reports(rules);
        let genuine = async || stage.send(signed("[]", "id-1", &signer.sign("[]"))).await.status;
        let from = |network: usize, mut request: Request<Body>| {
            request.headers_mut().insert("x-forwarded-for", format!("198.51.100.{network}").parse().unwrap());
            request
        };
        for network in 0..10 {
            for _ in 0..20 {
                let forged = stage.send(from(network, signed("[]", "id-1", "MAA="))).await;
                assert_eq!(forged.status, StatusCode::FORBIDDEN, "{}", forged.text);
            }
            let refused = stage.send(from(network, signed("[]", "id-1", "MAA="))).await;
            assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(genuine().await, StatusCode::OK);

        // Bodies that never end. Each report that comes in displaces the oldest of 64.
        let stalled = (0..100).map(|network| {
            let body = Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
            stage.open(from(100 + network, signed("[]", "id-1", "MAA=").map(|_| body)))
        });
        let mut stalled: FuturesUnordered<_> = stalled.collect();
        for _ in 0..36 {
            assert_eq!(stalled.next().await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
        }
        assert_eq!(genuine().await, StatusCode::OK);
        assert_eq!(stalled.next().await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    });
}
