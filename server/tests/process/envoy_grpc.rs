//! Envoy's authorization over gRPC, asked by a plain client with messages of its own.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use h2::client::SendRequest;
use http::{HeaderMap, Request};
use hyper::body::Bytes;
use prost::Message;

use crate::{
    import::{import, line, token as token_of},
    proxies::free_address,
    support::{Server, account, admin, fill, latchkey, start},
};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<Asked>,
    #[prost(map = "string, string", tag = "10")]
    context_extensions: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<Socket>,
}

#[derive(Clone, PartialEq, Message)]
struct Socket {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(message, optional, tag = "2")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
struct Http {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    allowed: Option<Allowed>,
}

/// `google.rpc.Status` or `envoy.type.v3.HttpStatus`.
#[derive(Clone, PartialEq, Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<SetHeader>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct Allowed {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<SetHeader>,
    #[prost(string, repeated, tag = "5")]
    removed: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct SetHeader {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(message, optional, tag = "2")]
    append: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

fn question(method: &str, headers: &[(&str, &str)], context: &[(&str, &str)]) -> Question {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<HashMap<_, _>>()
    };
    let http = Http { method: method.to_owned(), headers: map(headers), path: "/orders".to_owned() };
    let socket = Socket { address: "198.51.100.7".to_owned(), port: 5_000 };
    Question {
        attributes: Some(Attributes {
            source: Some(Peer { address: Some(Address { socket: Some(socket) }) }),
            request: Some(Asked { http: Some(http) }),
            context_extensions: map(context),
        }),
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// Connects to the service. The connection ends with the runtime.
async fn connect(to: SocketAddr) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Sends the body of a call. Returns the status of gRPC, and the message after its prefix.
async fn call(client: &SendRequest<Bytes>, path: &str, body: Vec<u8>) -> (String, Vec<u8>) {
    let request = Request::post(format!("http://latchkey{path}")).header("content-type", "application/grpc").body(());
    let mut client = client.clone().ready().await.unwrap();
    let (response, mut stream) = client.send_request(request.unwrap(), false).unwrap();
    stream.send_data(body.into(), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    assert_eq!(head.status, 200);
    let mut message = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        message.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await.unwrap();
    let status = |headers: &HeaderMap| headers.get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
    let status = status(&head.headers).or_else(|| trailers.as_ref().and_then(status)).unwrap();
    (status, message.split_off(message.len().min(5)))
}

async fn check(client: &SendRequest<Bytes>, question: &Question) -> Answer {
    let (status, message) = call(client, CHECK, framed(&question.encode_to_vec())).await;
    assert_eq!(status, "0");
    Answer::decode(&message[..]).unwrap()
}

struct Place {
    server: Server,
    grpc: SocketAddr,
    database: String,
    _folder: tempfile::TempDir,
}

fn place(arguments: &[&str]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&database);
    admin(&database, &["set-scope", "orders:read", "--description", "x", "--least-role", "USER"], "");
    let grpc = free_address();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &database];
    let server = start(latchkey().args(serve).args(["--grpc-listen", &grpc.to_string()]).args(arguments));
    Place { server, grpc, database, _folder: folder }
}

fn run<F: Future>(story: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(story)
}

fn headers(list: &[SetHeader]) -> HashMap<String, String> {
    let header = |one: &SetHeader| {
        assert_eq!(one.append, Some(false), "it replaces the client's own");
        one.header.clone().unwrap()
    };
    list.iter().map(header).map(|header| (header.key, header.value)).collect()
}

#[test]
fn a_plain_client_is_told_what_the_http_form_tells() {
    run(async {
        let metrics = free_address();
        let place = place(&["--trusted-proxy", "127.0.0.1", "--metrics-listen", &metrics.to_string()]);
        let (id, token) = account(&place.database, "Shop");
        let client = connect(place.grpc).await;
        let bearer = format!("Bearer {token}");
        let asked = question("GET", &[("authorization", &bearer), (":path", "/orders")], &[("scope", "orders:read")]);
        let answer = check(&client, &asked).await;
        assert_eq!((answer.status.unwrap().code, answer.denied), (0, None));
        let allowed = answer.allowed.unwrap();
        assert_eq!(allowed.removed, ["authorization", "x-api-key"]);
        let set = headers(&allowed.headers);
        assert_eq!((set["x-latchkey-subject"].as_str(), set["x-latchkey-expires-at"].as_str()), (id.as_str(), ""));
        assert_eq!(set.len(), 9, "{set:?}");

        // The same in another header, and refusals as `/auth/envoy` answers them.
        assert!(check(&client, &question("GET", &[("x-api-key", &token)], &[])).await.allowed.is_some());
        let unknown = format!("lks_{}", "0".repeat(38));
        for (headers, context, status, code) in [
            (vec![], vec![], 401, 16),
            (vec![("x-api-key", unknown.as_str())], vec![], 401, 16),
            (vec![("x-api-key", token.as_str())], vec![("scope_safe", "orders:purge")], 403, 7),
            (vec![("x-api-key", token.as_str())], vec![("scope", "no scope")], 403, 7),
        ] {
            let answer = check(&client, &question("GET", &headers, &context)).await;
            let denied = answer.denied.unwrap();
            assert_eq!((denied.status.unwrap().code, answer.status.unwrap().code), (status, code), "{headers:?}");
            assert_eq!(answer.allowed, None);
            assert!(denied.body.contains(&format!("\"status\":{status}")), "{}", denied.body);
        }
        let unsafe_only = [("scope_unsafe", "orders:purge")];
        let named = [("x-api-key", token.as_str())];
        assert!(check(&client, &question("GET", &named, &unsafe_only)).await.allowed.is_some());
        assert!(check(&client, &question("POST", &named, &unsafe_only)).await.denied.is_some());

        // A token of another system.
        let imported = token_of(1);
        assert!(check(&client, &question("GET", &[("x-api-key", &imported)], &[])).await.denied.is_some());
        assert!(import(&place.database, &[line(1, "Bench")], &["--tenant", "bench"]).status.success());
        assert!(check(&client, &question("GET", &[("x-api-key", &imported)], &[])).await.allowed.is_some());

        // The trusted proxy's client is the one that usage is about.
        let keys = admin(&place.database, &["list-keys", "--tenant", "bench", "--service-account", &id], "");
        let key = keys.split('\t').next().unwrap().to_owned();
        admin(&place.database, &["revoke-key", &key, "--tenant", "bench"], "");
        assert!(check(&client, &asked).await.denied.is_some());
        let (_, counted) = crate::metrics::get(metrics, "/metrics").await;
        let route = "http_route=\"/envoy.service.auth.v3.Authorization/Check\",http_response_status_code=\"200\"";
        let calls = counted.lines().find(|line| line.contains("duration_seconds_count") && line.contains(route));
        assert!(calls.is_some_and(|line| line.ends_with(" 11")), "{counted}");
        drop(place.server);
    });
}

#[test]
fn broken_and_oversized_calls_fail_and_others_go_on() {
    run(async {
        let place = place(&[]);
        let client = connect(place.grpc).await;
        let empty = Question::default().encode_to_vec();
        for (path, body, status) in [
            (CHECK, framed(&empty), "3"),
            (CHECK, vec![0, 0], "3"),
            (CHECK, framed(&[0xff; 20]), "3"),
            (CHECK, vec![0, 0, 0, 0, 9, 1], "3"),
            (CHECK, vec![1, 0, 0, 0, 0], "12"),
            ("/envoy.service.auth.v3.Authorization/Other", framed(&empty), "12"),
        ] {
            assert_eq!(call(&client, path, body.clone()).await.0, status, "{path} {body:?}");
        }
        let large = "x".repeat(200 * 1_024);
        let large = question("GET", &[("cookie", &large)], &[]).encode_to_vec();
        assert_eq!(call(&client, CHECK, framed(&large)).await.0, "8");
        assert!(check(&client, &question("GET", &[], &[])).await.denied.is_some());
    });
}

#[test]
fn the_listener_ends_with_the_server_after_running_calls() {
    run(async {
        let mut place = place(&["--drain-delay", "0"]);
        let client = connect(place.grpc).await;
        // A call whose message isn't complete when the server is told to stop.
        let request = Request::post(format!("http://latchkey{CHECK}")).header("content-type", "application/grpc");
        let mut ready = client.clone().ready().await.unwrap();
        let (response, mut stream) = ready.send_request(request.body(()).unwrap(), false).unwrap();
        let body = framed(&question("GET", &[], &[]).encode_to_vec());
        stream.send_data(body[..3].to_vec().into(), false).unwrap();
        assert!(check(&client, &question("GET", &[], &[])).await.denied.is_some(), "the first call has arrived, too");
        place.server.terminate();
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(place.grpc).await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it still listens");
            tokio::task::yield_now().await;
        }
        stream.send_data(body[3..].to_vec().into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        drop((client, ready));
        assert_eq!(place.server.wait(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    });
}
