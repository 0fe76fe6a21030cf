//! How many verifications one core does in a process that uses the verifier: of a known key, through the layer and without
//! it, and of a text that isn't a key. `cargo bench -p verifier`.

use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Body,
    extract::Form,
    response::IntoResponse,
    routing::{get, post},
};
use http::{HeaderValue, Request, Response, header};
use serde_json::json;
use tower::{Layer, Service, service_fn};
use verifier::{Caller, Verifier, require_scope};

/// How long each case runs.
const RUN: Duration = Duration::from_secs(2);
const CURSOR: &str = "00000001-1-1-1";
/// How many keys are used in turn.
const KEYS: u32 = 1_000;

/// Returns a well-formed token.
fn token(number: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = format!("lks_{number:032}");
    let (mut rest, mut check) = (crc32fast::hash(text.as_bytes()), [b'0'; 6]);
    for place in check.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text.extend(check.map(char::from));
    text
}

#[derive(serde::Deserialize)]
struct Question {
    token: String,
}

/// Answers like Latchkey: each token is a key of its own.
async fn introspect(Form(question): Form<Question>) -> impl IntoResponse {
    let id = format!("00000000-0000-0000-0000-{}", &question.token[24..36]);
    let answer = json!({
        "active": true, "client_id": id, "key_name": "main", "sub": id, "owner_kind": "service_account",
        "username": "Shop", "tenant_id": id, "tenant": "acme", "role": "USER", "scope": "invoices:read invoices:write",
    });
    ([("latchkey-cursor", CURSOR)], Json(answer))
}

async fn changes() -> impl IntoResponse {
    let beats = futures::stream::unfold(true, async |is_first| {
        if !is_first {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let name = if is_first { "reset" } else { "heartbeat" };
        Some((Ok::<_, Infallible>(format!("event: {name}\nid: {CURSOR}\ndata: {{}}\n\n")), false))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(beats))
}

async fn seen() -> impl IntoResponse {
    Json(json!({"cursor": CURSOR, "age_ms": 1, "now_ms": 1}))
}

/// Polls a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a known key is verified without waiting"),
    }
}

/// Returns the time that this thread has used a core, in seconds. Other work on the machine doesn't count.
fn core_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)).as_secs_f64()
}

/// Runs a case for [`RUN`] on this thread, and prints its rate.
fn measure(name: &str, mut verify: impl FnMut(usize)) {
    let (mut done, begun, used) = (0_u32, Instant::now(), core_time());
    while begun.elapsed() < RUN {
        for _ in 0..1_000 {
            verify(done as usize);
            done += 1;
        }
    }
    let each = (core_time() - used) / f64::from(done);
    println!("{name:<48} {:>8.2} M/s {:>8.0} ns", 1e-6 / each, each * 1e9);
}

fn request(token: &str) -> Request<()> {
    let mut request = Request::new(());
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is visible ASCII");
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let tokens: Vec<String> = (0..KEYS).map(token).collect();
    let verifier = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/oauth2/introspect", post(introspect))
            .route("/api/v1/changes", get(changes))
            .route("/api/v1/changes/seen", post(seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let verifier = Verifier::builder(format!("http://{address}"), "key").start().expect("good settings");
        while !verifier.is_current() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for token in &tokens {
            verifier.verify(token).await.expect("a valid key");
        }
        verifier
    });
    let requests: Vec<Request<()>> = tokens.iter().map(|token| request(token)).collect();
    let inner = service_fn(async |request: Request<()>| {
        black_box(request.extensions().get::<Caller>());
        Ok::<_, Infallible>(Response::new(""))
    });
    let mut empty = inner;
    let mut behind = verifier.layer().layer(inner);
    let mut scoped = verifier.layer().layer(require_scope("invoices:read").layer(inner));
    println!("one core, {KEYS} keys in turn");
    measure("an empty service, with the request's copy", |n| {
        black_box(now(empty.call(black_box(requests[n % requests.len()].clone())))).ok();
    });
    measure("known key, without a layer", |n| {
        black_box(now(verifier.verify(black_box(&tokens[n % tokens.len()])))).ok();
    });
    measure("known key, without a layer, always the same", |_| {
        black_box(now(verifier.verify(black_box(&tokens[0])))).ok();
    });
    measure("known key, through the layer", |n| {
        black_box(now(behind.call(black_box(requests[n % requests.len()].clone())))).ok();
    });
    measure("known key, through the layer, with a scope", |n| {
        black_box(now(scoped.call(black_box(requests[n % requests.len()].clone())))).ok();
    });
    measure("not a key, without a layer", |n| {
        black_box(now(verifier.verify(black_box(&tokens[n % tokens.len()][1..])))).ok();
    });
    assert!(verifier.is_current(), "the keys were verified from memory to the end");
    drop(verifier);
}
