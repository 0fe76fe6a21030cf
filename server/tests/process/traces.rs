//! The traces: what is sent to a collector, that nothing in it is secret, and that a collector which is down costs nothing.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

use crate::{
    operator::{Logged, Place, json_lines},
    support::{connect, fill, request, send},
};

/// A trace that a client began.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What a collector received.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    headers: HeaderMap,
    resources: Vec<ResourceSpans>,
}

/// A collector that listens on loopback until its value is dropped.
struct Collector {
    received: Arc<Mutex<Received>>,
    batches: watch::Receiver<usize>,
    serving: AbortHandle,
    address: SocketAddr,
}

type Shared = (Arc<Mutex<Received>>, Arc<watch::Sender<usize>>);

async fn receive(State((received, batches)): State<Shared>, headers: HeaderMap, body: Bytes) {
    {
        let mut received = received.lock().unwrap();
        received.bytes.extend_from_slice(&body);
        received.headers = headers;
        received.resources.extend(ExportTraceServiceRequest::decode(body).unwrap().resource_spans);
    }
    batches.send_modify(|batches| *batches += 1);
}

impl Collector {
    async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (received, (sender, batches)) = (Arc::default(), watch::channel(0));
        let state: Shared = (Arc::clone(&received), Arc::new(sender));
        let router = Router::new().route("/v1/traces", post(receive)).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { received, batches, serving, address }
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let scopes = received.resources.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Returns the only span with a name.
    fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let mut found = spans.iter().filter(|span| span.name == name);
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        let span = found.next().unwrap_or_else(|| panic!("no {name} in {names:?}"));
        assert!(found.next().is_none(), "{names:?}");
        span.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn attributes(values: &[KeyValue]) -> BTreeMap<String, String> {
    let value = |each: &KeyValue| text(each.value.as_ref().and_then(|value| value.value.as_ref()));
    values.iter().map(|each| (each.key.clone(), value(each))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn serve(place: &Place, endpoint: &str, variables: &[(&str, &str)]) -> Logged {
    let settings = ["serve", "--listen", "127.0.0.1:0", "--drain-delay", "1"];
    let mut command = place.command(&[&settings[..], &["--log", "info,access=debug", "--log-format", "json"]].concat());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).envs(variables.iter().copied());
    Logged::start(&mut command, &place.path("log"))
}

/// Ends the server with SIGTERM. Returns how long it took.
fn terminate(server: &mut Logged) -> Duration {
    let begun = Instant::now();
    assert!(Command::new("kill").arg(server.process.id().to_string()).status().unwrap().success());
    assert!(server.process.wait().unwrap().success());
    begun.elapsed()
}

fn block_on(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(story);
}

async fn verify(address: SocketAddr, token: &str) {
    let headers = [("content-type", "application/json".to_owned())];
    let body = json!({ "token": token }).to_string();
    let asked = request(address, "POST", "/api/v1/verify", &headers, body);
    assert_eq!(send(&mut connect(address).await, asked).await.unwrap().0, 200);
}

#[test]
fn requests_and_use_cases_become_spans_without_secrets_and_are_sent_before_the_server_ends() {
    let place = Place::new();
    let (owner, token) = fill(&place.database);
    block_on(async {
        let collector = Collector::start("127.0.0.1:0").await;
        let variables = [
            ("OTEL_SERVICE_NAME", "keys"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector"),
            // Nothing is sent before the end.
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ];
        let mut server = serve(&place, &format!("http://{}", collector.address), &variables);
        let address = server.address("listening");
        let json = ("content-type", "application/json".to_owned());
        let bearer = ("authorization", format!("Bearer {token}"));
        let create = json!({
            "query": "mutation($input: create_api_key_input!) { create_api_key(input: $input) { id } }",
            "variables": { "input": { "user_id": owner, "name": "not in a trace" } },
        });
        let parent = ("traceparent", PARENT.to_owned());
        let state = ("tracestate", format!("vendor={token}"));
        let secret = "abcdefghijklmnopqrstuvwxyz";
        for (method, path, headers, body) in [
            (
                "POST",
                "/api/v1/verify".to_owned(),
                vec![json.clone(), parent, state],
                json!({ "token": token }).to_string(),
            ),
            ("POST", "/graphql".to_owned(), vec![json, bearer.clone()], create.to_string()),
            ("GET", format!("/api/v1/{token}?q={token}"), vec![bearer], String::new()),
            ("GET", format!("/invitations/{secret}"), vec![], String::new()),
            ("GET", format!("/nothing/{secret}"), vec![], String::new()),
            ("BREW", format!("/{secret}"), vec![("user-agent", secret.to_owned())], String::new()),
        ] {
            send(&mut connect(address).await, request(address, method, &path, &headers, body)).await.unwrap();
        }
        terminate(&mut server);

        let verified = collector.span("POST /api/v1/verify");
        assert_eq!(hex(&verified.trace_id), TRACE);
        assert_eq!(hex(&verified.parent_span_id), "b7ad6b7169203331");
        assert_eq!(verified.trace_state, "");
        assert_eq!(verified.kind(), SpanKind::Server);
        let expected = [
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("http.route", "/api/v1/verify"),
            ("url.scheme", "http"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(attributes(&verified.attributes), BTreeMap::from(expected));
        assert!(verified.events.is_empty());
        // The use case is a part of its request.
        let (request, created) = (collector.span("POST /graphql"), collector.span("create"));
        assert_eq!(created.trace_id, request.trace_id);
        assert_eq!(created.parent_span_id, request.span_id);
        assert_eq!(created.kind(), SpanKind::Internal);
        assert_ne!(hex(&request.trace_id), TRACE);
        assert_eq!(
            attributes(&collector.span("GET /invitations/{token}").attributes)["http.route"],
            "/invitations/{token}"
        );
        assert_eq!(attributes(&collector.span("HTTP").attributes)["http.request.method"], "_OTHER");

        let received = collector.received.lock().unwrap();
        assert_eq!(received.headers["authorization"], "Bearer collector");
        assert_eq!(received.headers["content-type"], "application/x-protobuf");
        let resource = attributes(&received.resources[0].resource.as_ref().unwrap().attributes);
        assert_eq!(resource["service.name"], "keys");
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(resource["deployment.environment.name"], "test");
        let all = String::from_utf8_lossy(&received.bytes);
        for secret in [&token[8..], &token[..8], secret, "not in a trace", "127.0.0.1"] {
            assert!(!all.contains(secret), "{secret} is in a trace");
        }
    });
    // The log names the trace of each request.
    let lines = json_lines(&std::fs::read_to_string(place.path("log")).unwrap());
    let verified = lines.iter().find(|line| line["path"] == "/api/v1/verify").unwrap();
    assert_eq!(verified["trace_id"], TRACE, "{verified}");
    let changed =
        lines.iter().find(|line| line["spans"][0]["path"] == "/graphql" && line["target"] == "access").unwrap();
    assert_eq!(changed["spans"][0]["trace_id"].as_str().map(str::len), Some(32), "{changed}");
    assert_eq!(changed["spans"].as_array().unwrap().len(), 1, "the spans of traces aren't in the log: {changed}");
}

#[test]
fn a_server_error_marks_the_span() {
    let place = Place::new();
    fill(&place.database);
    block_on(async {
        let collector = Collector::start("127.0.0.1:0").await;
        let mut server = serve(&place, &format!("http://{}", collector.address), &[]);
        let address = server.address("listening");
        assert!(Command::new("kill").arg(server.process.id().to_string()).status().unwrap().success());
        // A server that is about to stop isn't ready.
        let ready = || async {
            let asked = request(address, "GET", "/health/ready", &[], String::new());
            send(&mut connect(address).await, asked).await.unwrap().0
        };
        while ready().await != 503 {}
        assert!(server.process.wait().unwrap().success());
        let spans = collector.spans();
        let is_error = |span: &&Span| span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
        let span = spans.iter().find(is_error).unwrap();
        assert_eq!(span.name, "GET /health/ready");
        assert_eq!(attributes(&span.attributes)["error.type"], "503");
        assert_eq!(attributes(&span.attributes)["http.response.status_code"], "503");
    });
}

#[test]
fn a_collector_that_is_down_slows_no_request_and_is_reported_once() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    block_on(async {
        // The port of a collector that has just stopped.
        let address = Collector::start("127.0.0.1:0").await.address;
        let variables = [("OTEL_BSP_SCHEDULE_DELAY", "20"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "200")];
        let mut server = serve(&place, &format!("http://{address}"), &variables);
        let server_address = server.address("listening");
        let log = || std::fs::read_to_string(place.path("log")).unwrap();
        let begun = Instant::now();
        while !log().contains("traces can't be sent") {
            verify(server_address, &token).await;
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", log());
        }
        // Several more batches are lost.
        for _ in 0..200 {
            verify(server_address, &token).await;
        }
        let mut collector = Collector::start(&address.to_string()).await;
        while *collector.batches.borrow() == 0 {
            verify(server_address, &token).await;
            assert!(begun.elapsed() < Duration::from_mins(1), "{}", log());
        }
        collector.batches.wait_for(|batches| *batches > 0).await.unwrap();
        terminate(&mut server);
        let (lost, sent) = ("traces can't be sent", "traces are sent again");
        let count = |message: &str| log().lines().filter(|line| line.contains(message)).count();
        assert_eq!((count(lost), count(sent)), (1, 1), "{}", log());
    });
}

#[test]
fn a_collector_that_never_answers_delays_the_end_of_the_server_by_seconds_only() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    block_on(async {
        // Connections are accepted by the kernel, and nobody reads them.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let mut server = serve(&place, &endpoint, &[("OTEL_BSP_SCHEDULE_DELAY", "20")]);
        for _ in 0..50 {
            verify(server.address("listening"), &token).await;
        }
        let took = terminate(&mut server);
        assert!(took < Duration::from_secs(8), "{took:?}");
    });
}

#[test]
fn a_server_whose_traces_are_misconfigured_serves_without_them_and_says_so() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    block_on(async {
        let endpoint = "http://user:collector-password@127.0.0.1:4318";
        let mut server = serve(&place, endpoint, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        verify(server.address("listening"), &token).await;
        terminate(&mut server);
    });
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("traces are off") && log.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{log}");
    assert!(!log.contains("trace_id") && !log.contains("collector-password"), "{log}");
}

#[test]
fn a_request_through_a_gateway_has_a_span_without_its_path() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    block_on(async {
        let collector = Collector::start("127.0.0.1:0").await;
        let gateway = crate::proxies::free_address();
        // Nobody listens there.
        let setting = format!("down={gateway}=http://{}", crate::proxies::free_address());
        let variables = [("LATCHKEY_GATEWAY", setting.as_str())];
        let mut server = serve(&place, &format!("http://{}", collector.address), &variables);
        let headers =
            [("authorization", format!("Bearer {token}")), ("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))];
        let asked = request(gateway, "GET", "/secret/path?x=y", &headers, String::new());
        assert_eq!(send(&mut connect(gateway).await, asked).await.unwrap().0, 502);
        terminate(&mut server);
        let span = collector.span("GET gateway down");
        let own = attributes(&span.attributes);
        assert_eq!((own["http.route"].as_str(), own["http.response.status_code"].as_str()), ("gateway down", "502"));
        assert_eq!(hex(&span.trace_id), TRACE);
        let received = collector.received.lock().unwrap();
        let all = String::from_utf8_lossy(&received.bytes);
        assert!(!all.contains("secret/path") && !all.contains(&token[8..]), "{all}");
    });
}
