//! Fuzzing of everything that strangers send. Each target is a function of bytes that panics on a fault. Its corpus is in
//! `server/fuzz/corpus`; inputs are made from it by a generator with a fixed seed, so that a failure can be repeated.
//!
//! `make test` replays the corpus and tries a few hundred inputs. `make soak` sets `LATCHKEY_FUZZ_SECONDS`, the time for
//! each target, and `LATCHKEY_FUZZ_SEED`. Coverage-guided fuzzing would need a nightly compiler.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Value, json};
use server::graphql::guard;

use crate::support::{Answer, Stage, on_embedded, on_https};

/// How many inputs a target is tried with when there is no time limit.
const CASES: u64 = 300;
/// The longest input, in bytes.
const MAX_BYTES: usize = 4_096;

/// Pieces that mean something to a parser.
const PIECES: [&str; 40] = [
    "",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    ":",
    "=",
    "&",
    "%",
    "%00",
    "%ff",
    "%2520",
    "+",
    " ",
    "\t",
    "\r\n",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\u{1f980}",
    "null",
    "-1",
    "0",
    "9999999999",
    "1e999",
    "::1",
    "127.0.0.1",
    "Bearer ",
    "lku_",
    "lks_00000000000000000000000000000000000000",
    "2027-01-01T00:00:60Z",
    "...",
    "$x",
    "@skip(if: true)",
];

/// A generator of pseudorandom numbers (xorshift64*). It is seeded, so it needs no source of randomness.
struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    /// Returns a changed copy of an input, or of the beginning of one with the end of another.
    fn change(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let end = at + self.below(input.len() - at + 1).min(16);
            match self.below(7) {
                0 => drop(input.drain(at..end)),
                1 => drop(input.splice(at..end, PIECES[self.below(PIECES.len())].bytes())),
                2 => input.insert(at, u8::try_from(self.below(256)).unwrap()),
                3 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
                4 => drop(input.splice(at..at, input[at..end].to_vec().repeat(1 + self.below(40)))),
                5 => input.truncate(at),
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
            }
        }
        input.truncate(MAX_BYTES);
        input
    }
}

/// Prints the input of a failed run.
struct Shown<'i>(&'i str, u64, &'i [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed (seed {}) with the input b\"{}\"", self.0, self.1, self.2.escape_ascii());
        }
    }
}

/// Runs a target with its corpus, and then with changed inputs.
async fn fuzz(target: &str, mut run: impl AsyncFnMut(&[u8])) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", target].iter().collect();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (number("LATCHKEY_FUZZ_SECONDS"), number("LATCHKEY_FUZZ_SEED").unwrap_or(1));
    let mut generator = Generator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let began = Instant::now();
    let mut count = 0_u64;
    for input in &corpus {
        let _shown = Shown(target, seed, input);
        run(input).await;
        count += 1;
    }
    let is_over = |count| seconds.map_or(count >= CASES, |seconds| began.elapsed() > Duration::from_secs(seconds));
    while !is_over(count) {
        let input = generator.change(&corpus);
        let _shown = Shown(target, seed, &input);
        run(&input).await;
        count += 1;
    }
    println!("fuzz {target}: {count} inputs, 0 faults, seed {seed}");
}

/// Sends a request built from bytes. Requests that HTTP itself can't carry are skipped.
async fn send(stage: &Stage, request: http::Result<Request<Body>>) -> Option<Answer> {
    let answer = stage.send(request.ok()?).await;
    assert!(answer.status.as_u16() < 500, "{}: {}", answer.status, answer.text);
    Some(answer)
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

const HTTP: &str = "http://127.0.0.1:3000";

#[test]
fn fuzz_token() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        fuzz("token", async |input| {
            let text = String::from_utf8_lossy(input).replace("TOKEN", &token);
            let cleaned = domain::secret::without_tokens(&text);
            assert!(!cleaned.contains(&token) && !domain::secret::contains_token(&cleaned));
            let body = json!({"token": text}).to_string();
            let answer = send(&stage, post("/api/v1/verify", "application/json", "", body.as_bytes())).await.unwrap();
            assert!(answer.json()["valid"] != true || text.trim() == token, "{text}");
            send(&stage, post("/api/v1/verify", "application/json", "", input)).await;
        })
        .await;
    });
}

#[test]
fn fuzz_graphql_guard() {
    on_embedded(HTTP, &async |_: Stage| {
        fuzz("graphql", async |input| {
            let text = String::from_utf8_lossy(input);
            if guard::scan(&text).is_ok()
                && let Ok(document) = async_graphql::parser::parse_query(&text)
            {
                guard::count(&document).ok();
            }
        })
        .await;
    });
}

#[test]
fn fuzz_graphql_request() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        fuzz("graphql", async |input| {
            let query = json!({"query": String::from_utf8_lossy(input), "variables": {"x": "all", "n": 5}}).to_string();
            for body in [query.as_bytes(), input] {
                if let Some(answer) = send(&stage, post("/graphql", "application/json", &token, body)).await {
                    check_graphql(&answer);
                }
            }
        })
        .await;
    });
}

#[test]
fn fuzz_cursor() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let query = "query($c: String) { a: api_keys(after: $c, sort: name) { next } b: api_keys(before: $c, sort: expires) { next } \
                     c: service_accounts(after: $c) { next } d: members(after: $c) { next } e: audit_log(before: $c) { next } }";
        fuzz("cursor", async |input| {
            let answer = stage.graphql(&token, query, json!({"c": String::from_utf8_lossy(input)})).await;
            check_graphql(&answer);
            assert_ne!(answer.json()["data"], Value::Null);
        })
        .await;
    });
}

#[test]
fn fuzz_authorization_header() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        fuzz("authorization", async |input| {
            let text = String::from_utf8_lossy(input).replace("TOKEN", &token);
            let mut request = Request::post("/graphql").header("content-type", "application/json");
            for line in text.split('\n') {
                request = request.header("authorization", line.as_bytes());
            }
            let request = request.body(Body::from(r#"{"query":"{ hello }"}"#));
            if let Some(answer) = send(&stage, request).await
                && answer.status == 200
            {
                let is_known = answer.json()["data"]["hello"].is_string();
                assert!(!is_known || text.contains(&token), "{text}");
            }
        })
        .await;
    });
}

#[test]
fn fuzz_forwarded_headers() {
    on_embedded(HTTP, &async |stage: Stage| {
        let stage = stage.behind_proxy();
        fuzz("forwarded", async |input| {
            for name in
                ["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host", "cookie", "user-agent"]
            {
                let Ok(value) = HeaderValue::from_bytes(input) else { return };
                let name = HeaderName::from_static(name);
                send(&stage, Request::get("/sign-in").header(name, value).body(Body::empty())).await;
            }
        })
        .await;
    });
}

#[test]
fn fuzz_expiry() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let query = "mutation($o: String!, $e: String) { create_api_key(input: {user_id: $o, name: \"x\", expires_at: $e}) { id } }";
        let owner = stage.ada.to_string();
        fuzz("expiry", async |input| {
            let text = String::from_utf8_lossy(input);
            domain::api_key::expiry::utc_date(&text);
            let expiry = domain::Expiry::parse(&text, stage.services.now());
            let answer = stage.graphql(&token, query, json!({"o": owner, "e": text})).await;
            check_graphql(&answer);
            // A quota may refuse a good one.
            assert!(answer.json()["data"]["create_api_key"].is_null() || expiry.is_ok(), "{text}");
        })
        .await;
    });
}

#[test]
fn fuzz_form() {
    on_https(async |stage: Stage| {
        fuzz("form", async |input| {
            let form = "application/x-www-form-urlencoded";
            for path in
                ["/sign-out", "/preferences/theme", "/fn/create_api_key", "/fn/set_tenant_policy", "/user/confirm"]
            {
                let mut request = post(path, form, "", input).unwrap();
                request.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
                request.headers_mut().insert("host", HeaderValue::from_static("keys.example.org"));
                send(&stage, Ok(request)).await;
            }
        })
        .await;
    });
}

#[test]
fn fuzz_query_string() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        fuzz("query_string", async |input| {
            let query: String = input.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect();
            for path in ["/api/v1/audit-log.jsonl", "/sign-in", "/docs"] {
                let request =
                    Request::get(format!("{path}?{query}")).header("authorization", format!("Bearer {token}"));
                send(&stage, request.body(Body::empty())).await;
            }
        })
        .await;
    });
}

#[test]
fn fuzz_leak_report() {
    on_embedded(HTTP, &async |stage: Stage| {
        let token = stage.key_of_ada().await;
        fuzz("leaks", async |input| {
            send(&stage, post("/api/v1/leaks", "application/json", "", input)).await;
            assert!(stage.is_valid(&token).await);
        })
        .await;
    });
}
