//! The gateway: what it forwards, whom it admits, and that what is open ends together with a key or a session.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::{
    number, on_both,
    operator::{Place, stderr},
    proxies::free_address,
    support::{EMAIL, PASSWORD, Server, account, admin, fill, latchkey, start},
};

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// Returns the answer to a `Sec-WebSocket-Key`.
fn accepted(key: &str) -> String {
    BASE64_STANDARD
        .encode(Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize())
}

/// What an upstream does: `/big/N` sends N bytes, `/upload` counts those that it gets, `/events` never ends, `/ws` sends
/// everything back, `/silent` never answers, `/stalls` never ends; everything else shows the request's head.
async fn respond(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if let Some(size) = path.strip_prefix("/big/") {
        const PIECE: usize = 64 * 1_024;
        let (size, piece) = (size.parse::<usize>().unwrap(), Bytes::from(vec![b'x'; PIECE]));
        let pieces = (0..size.div_ceil(PIECE)).map(move |index| PIECE.min(size - index * PIECE));
        let frames = pieces.map(move |length| Ok::<_, Infallible>(Frame::data(piece.slice(..length))));
        return Ok(Response::new(StreamBody::new(futures::stream::iter(frames)).boxed_unsync()));
    }
    if path == "/upload" {
        let (mut size, mut body) = (0, request.into_body());
        while let Some(Ok(frame)) = body.frame().await {
            size += frame.data_ref().map_or(0, Bytes::len);
        }
        return Ok(Response::new(text(size.to_string())));
    }
    if path == "/silent" {
        std::future::pending::<()>().await;
    }
    if path == "/stalls" {
        let first = futures::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"first")))]);
        return Ok(Response::new(StreamBody::new(first.chain(futures::stream::pending())).boxed_unsync()));
    }
    if path == "/events" {
        let ticks = futures::stream::unfold(0_u64, async |count| {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let event = Bytes::from(format!("data: {count}\n\n"));
            Some((Ok::<_, Infallible>(Frame::data(event)), count + 1))
        });
        let body = StreamBody::new(ticks.boxed()).boxed_unsync();
        return Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap());
    }
    if path.starts_with("/ws") {
        let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (key, protocol) = (header("sec-websocket-key"), header("sec-websocket-protocol"));
        let head = format!("{:?}", request.headers());
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(stream) = upgrade.await else { return };
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(stream));
            tokio::io::copy(&mut reader, &mut writer).await.ok();
        });
        let answer = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "websocket");
        let answer = answer.header("sec-websocket-accept", accepted(&key)).header("x-head", head);
        let answer = if protocol.is_empty() { answer } else { answer.header("sec-websocket-protocol", protocol) };
        return Ok(answer.body(text("")).unwrap());
    }
    let method = request.method().clone();
    let lines =
        request.headers().iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let head = [format!("{method} {}", request.uri())].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let answer = Response::builder().header("connection", "x-of-connection").header("x-of-connection", "1");
    Ok(answer.header("x-of-upstream", "1").body(text(head)).unwrap())
}

/// Starts an upstream. It ends with the runtime. Its responses have the number of their connection.
async fn start_upstream() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut number = 0_u32;
        while let Ok((stream, _)) = listener.accept().await {
            number += 1;
            let service = hyper::service::service_fn(move |request| async move {
                let mut response = respond(request).await?;
                response.headers_mut().insert("x-connection", number.into());
                Ok::<_, Infallible>(response)
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    address
}

/// A server with a gateway.
pub struct Stage {
    pub server: Server,
    pub gateway: SocketAddr,
    database: String,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `more`: lines of the gateway's table. `UPSTREAM` and `OTHER` stand for addresses.
    async fn new(database: &str, more: &str) -> (Self, String, String) {
        let (account, token) = fill(database);
        let upstream = start_upstream().await;
        (Self::serve(database, more, upstream), account, token)
    }

    pub fn serve(database: &str, more: &str, upstream: SocketAddr) -> Self {
        Self::serve_with(database, more, upstream, &[])
    }

    /// `arguments`: further ones of `serve`.
    pub fn serve_with(database: &str, more: &str, upstream: SocketAddr, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = free_address();
        let table =
            format!("[[gateway]]\nname = 'echo'\nlisten = '{gateway}'\nupstream = 'http://{upstream}'\n{more}\n");
        let table = table.replace("OTHER", &upstream.to_string());
        let config = folder.path().join("latchkey.toml");
        std::fs::write(&config, table).unwrap();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", database, "--drain-delay", "0", "--config"];
        let server = start(latchkey().args(serve).arg(&config).args(arguments));
        Self { server, gateway, database: database.to_owned(), _folder: folder }
    }

    /// The id of an account's first key.
    fn key_of(&self, account: &str) -> String {
        let keys = admin(&self.database, &["list-keys", "--tenant", "bench", "--json"], "");
        let mut keys = keys.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let key = keys.rfind(|key| key.to_string().contains(account)).unwrap();
        key["id"].as_str().unwrap().to_owned()
    }

    fn revoke(&self, account: &str) {
        admin(&self.database, &["revoke-key", "--tenant", "bench", &self.key_of(account)], "");
    }
}

pub fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    BufReader::new(stream)
}

/// Reads the head of a response: its status, and its lines in lower case.
pub fn read_head(stream: &mut BufReader<TcpStream>) -> (u16, String) {
    let head = read_lines(stream);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
}

/// Reads the head of a request or a response.
fn read_lines(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "the connection ended: {head}");
    }
    head
}

/// Sends a request that closes the connection. Returns status, head and body.
pub fn ask(to: SocketAddr, line: &str, headers: &[&str]) -> (u16, String, String) {
    let mut stream = connect(to);
    let has_host = headers.iter().any(|header| header.to_lowercase().starts_with("host:"));
    let host = if has_host { String::new() } else { format!("Host: {to}\r\n") };
    let lines = lines_of(headers);
    let close = if lines.contains("Connection:") { "" } else { "Connection: close\r\n" };
    write!(stream.get_mut(), "{line} HTTP/1.1\r\n{host}{lines}{close}\r\n").unwrap();
    let (status, head) = read_head(&mut stream);
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    (status, head.to_lowercase(), String::from_utf8_lossy(&body).into_owned())
}

fn lines_of(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\r\n"]).collect()
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[test]
fn a_request_is_forwarded_with_its_identity_and_without_its_key() {
    on_both(async |database| {
        let more = "upstream_authorization = 'Bearer own-secret'";
        let (stage, account, token) = Stage::new(&database, more).await;
        let to = stage.gateway;
        let basic = |text: String| format!("Authorization: Basic {}", BASE64_STANDARD.encode(text));
        for credential in
            [bearer(&token), basic(format!("any:{token}")), basic(token.clone()), format!("X-API-Key: {token}")]
        {
            let (status, head, body) =
                ask(to, "PATCH /a%20b/%C3%A9?q=%2F..&x=%ff", &[&credential, "Cookie: a=1; latchkey-3000=secret"]);
            assert_eq!(status, 200, "{body}");
            assert!(body.starts_with("PATCH /a%20b/%C3%A9?q=%2F..&x=%ff\n"), "{body}");
            assert!(body.contains(&format!("x-latchkey-subject: {account}\n")), "{body}");
            assert!(
                body.contains("x-latchkey-role: TENANT_ADMIN\n") && body.contains("x-latchkey-tenant: bench\n"),
                "{body}"
            );
            assert!(body.contains("x-latchkey-expires-at: \n") || body.ends_with("x-latchkey-expires-at: "), "{body}");
            assert!(body.contains("authorization: Bearer own-secret"), "{body}");
            assert!(body.contains("cookie: a=1\n") && body.contains("x-forwarded-for: 127.0.0.1\n"), "{body}");
            assert!(!body.contains("lks_") && !body.contains("secret\n,"), "{body}");
            assert!(head.contains("x-of-upstream: 1") && !head.contains("x-of-connection"), "{head}");
        }
        for credential in ["Accept: */*", "Authorization: Bearer lks_wrong", "Authorization: Bearer", "X-API-Key: x"] {
            let (status, head, body) = ask(to, "GET /", &[credential]);
            assert_eq!(status, 401, "{body}");
            assert!(
                head.contains("www-authenticate: bearer realm=\"latchkey\"") && head.contains("problem+json"),
                "{head}"
            );
            assert!(serde_json::from_str::<Value>(&body).unwrap()["detail"].is_string(), "{body}");
        }
        // Forged identities, in every spelling, and what a client says about its way.
        let forged = [
            "X-Latchkey-Role: ROOT",
            "x_latchkey_role: ROOT",
            "X-LATCHKEY_TENANT: ROOT",
            "X.Latchkey.Subject: ROOT",
            "X-Forwarded-For: ROOT",
            "Forwarded: for=ROOT",
            "X-Forwarded-Host: ROOT",
            "X-Real-IP: ROOT",
            "X-HTTP-Method-Override: ROOT",
            "X-Original-URL: /ROOT",
            "Connection: close, X-Latchkey-Tenant, X-Latchkey-Role",
        ];
        let own = bearer(&token);
        let (status, _, body) = ask(to, "GET /", &[&[own.as_str()], &forged[..]].concat());
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains("ROOT") && body.contains("x-latchkey-tenant: bench\n"), "{body}");
        let (status, ..) = ask(to, "GET /", &[&own, "Connection: close, Host, Authorization, X-Latchkey-Tenant"]);
        assert_eq!(status, 200);
    });
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    on_both(async |database| {
        let more = "[[gateway.rule]]\npath = '/health'\npublic = true\n[[gateway.rule]]\npath = '/admin'\nrole = 'TENANT_ADMIN'\n\
                    [[gateway.rule]]\npath = '/api'\nmethods = ['DELETE']\nrole = 'TENANT_ADMIN'";
        let (stage, ..) = Stage::new(&database, more).await;
        let to = stage.gateway;
        let account =
            admin(&database, &["create-service-account", "--tenant", "bench", "--name", "U", "--role", "USER"], "");
        let key = ["create-key", "--tenant", "bench", "--service-account", &account, "--name", "first"];
        let own = bearer(&admin(&database, &key, ""));
        assert_eq!(ask(to, "GET /health", &[]).0, 200);
        let (_, _, body) = ask(to, "GET /health/x", &["X-Latchkey-Role: ROOT"]);
        assert!(body.contains("x-latchkey-role: \n") || body.ends_with("x-latchkey-role: "), "{body}");
        assert_eq!(ask(to, "GET /healthy", &[]).0, 401);
        assert_eq!(ask(to, "GET /admin", &[&own]).0, 403);
        assert_eq!(ask(to, "DELETE /api/x", &[&own]).0, 403);
        assert_eq!(ask(to, "GET /api/x", &[&own]).0, 200);
        for path in [
            "/health/../admin",
            "/health/%2e%2e/admin",
            "/x/../admin",
            "//admin",
            "/x//admin",
            "/health%2f..%2fadmin",
            "/%2fadmin",
            "/health/..;/admin",
            "/./admin",
            "/admin%00",
            "/health\\..\\admin",
            "/health/%252e%252e/admin",
            "/ADMIN",
            "/%41dmin",
            "/admin;x",
            "/Health",
            "/health;x=1",
            "/admin%5c",
        ] {
            let (status, _, body) = ask(to, &format!("GET {path}"), &[&own]);
            assert_eq!(status, 400, "{path}: {body}");
            assert!(ask(to, &format!("GET {path}"), &[]).0 >= 400, "{path}");
        }
        assert_eq!(ask(to, "GET /%61dmin", &[&own]).0, 403);
        for line in
            ["GET http://127.0.0.1/admin", "GET http://evil.example/health", "OPTIONS *", "CONNECT 127.0.0.1:80"]
        {
            assert_eq!(ask(to, line, &[&own]).0, 400, "{line}");
        }
        // Some servers read these as DELETE.
        for method in ["delete", "Delete", "deLETE", "DELETE_"] {
            assert_eq!(ask(to, &format!("{method} /api/x"), &[&own]).0, 400, "{method}");
        }
        assert_eq!(ask(to, "TRACE /api/x", &[&own]).0, 405);
        for headers in [
            &["Content-Length: 4", "Transfer-Encoding: chunked"][..],
            &["Content-Length: 4", "Content-Length: 5"],
            &["Authorization: Bearer x"],
            &["Host: a", "Host: b"],
        ] {
            let (status, head, _) = ask(to, "POST /health", &[&[own.as_str()], headers].concat());
            assert!(status == 400 && head.contains("connection: close"), "{headers:?}: {head}");
        }
        assert_eq!(ask(to, "POST /health", &["Transfer-Encoding: gzip, chunked"]).0, 501);
        // Once more under one connection: the refused request's body isn't the next request.
        let mut stream = connect(to);
        write!(stream.get_mut(), "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
    });
}

#[test]
fn roles_and_scopes_are_those_of_the_rules_and_a_reader_only_reads() {
    on_both(async |database| {
        let more = "read_role_posts = ['*/filter', '*/count']\n[[gateway.rule]]\nmethods = ['PUT']\npath = '/orders'\nscopes = ['orders:write']\n\
                    [[gateway.rule]]\npath = '/open'\nrole = 'READ_ONLY_USER'";
        let (stage, account, token) = Stage::new(&database, more).await;
        for (scope, role) in [("orders:read", "READ_ONLY_USER"), ("orders:write", "USER")] {
            admin(&database, &["set-scope", scope, "--description", scope, "--least-role", role], "");
        }
        let create = |account: &str, more: &[&str]| {
            let key = ["create-key", "--tenant", "bench", "--service-account", account, "--name", "further"];
            bearer(&admin(&database, &[&key[..], more].concat(), ""))
        };
        let reader = ["create-service-account", "--tenant", "bench", "--name", "R", "--role", "READ_ONLY_USER"];
        let reader = create(&admin(&database, &reader, ""), &[]);
        let (all, scoped) = (bearer(&token), create(&account, &["--scope", "orders:read"]));
        let limited = create(&account, &["--rate-limit", "1/hour"]);
        for (line, key, status) in [
            ("GET /orders", &reader, 200),
            ("HEAD /orders", &reader, 200),
            ("POST /orders", &reader, 403),
            ("DELETE /orders", &reader, 403),
            ("POST /orders/filter", &reader, 200),
            ("POST /a/count", &reader, 200),
            ("POST /a/counts", &reader, 403),
            ("PUT /a/count", &reader, 403),
            ("POST /open/x", &reader, 200),
            ("PUT /orders/1", &scoped, 403),
            ("GET /orders/1", &scoped, 200),
            ("PUT /orders/1", &all, 200),
            ("GET /", &limited, 200),
            ("GET /", &limited, 429),
        ] {
            let (found, head, body) = ask(stage.gateway, line, &[key, "Content-Length: 0"]);
            assert_eq!(found, status, "{line}: {body}");
            assert_eq!(status == 429, head.contains("retry-after"), "{head}");
            if line == "PUT /orders/1" && status == 403 {
                assert!(head.contains("scope=\"orders:write\"") && body.contains("orders:write"), "{head}{body}");
            }
        }
    });
}

#[test]
fn an_upstream_that_fails_is_named_by_the_status() {
    on_both(async |database| {
        let nowhere = free_address();
        let (slow, small) = (free_address(), free_address());
        let more = format!(
            "[[gateway]]\nname = 'slow'\nlisten = '{slow}'\nupstream = 'http://OTHER'\nresponse_timeout = 1\nmax_body = 10\n\
             [[gateway]]\nname = 'small'\nlisten = '{small}'\nupstream = 'http://{nowhere}'\n"
        );
        let (_stage, _, token) = Stage::new(&database, &more).await;
        let own = bearer(&token);
        let (status, _, body) = ask(small, "GET /", &[&own]);
        assert!(
            status == 502 && serde_json::from_str::<Value>(&body).unwrap()["detail"].is_string(),
            "{status} {body}"
        );
        assert_eq!(ask(slow, "GET /silent", &[&own]).0, 504);
        assert_eq!(ask(slow, "POST /upload", &[&own, "Content-Length: 11"]).0, 413);
        let mut stream = connect(slow);
        write!(stream.get_mut(), "POST /upload HTTP/1.1\r\nHost: a\r\n{own}\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n").unwrap();
        assert_eq!(read_head(&mut stream).0, 413);
    });
}

#[test]
fn connections_to_an_upstream_are_used_again_until_it_closes_them() {
    on_both(async |database| {
        let (stage, _, token) = Stage::new(&database, "").await;
        let own = bearer(&token);
        // With a length, in chunks, with a body of its own, and without any.
        for line in ["GET /", "GET /big/200000", "POST /upload", "HEAD /", "GET /big/0", "GET /"] {
            let (status, head, _) = ask(stage.gateway, line, &[&own, "Content-Length: 0"]);
            assert!(status == 200 && head.contains("\r\nx-connection: 1\r\n"), "{line}: {head}");
        }
        // A response that a client doesn't wait for takes its connection with it.
        let mut stream = connect(stage.gateway);
        write!(stream.get_mut(), "GET /events HTTP/1.1\r\nHost: a\r\n{own}\r\n\r\n").unwrap();
        assert!(read_head(&mut stream).1.contains("x-connection: 1\r\n"));
        let (_, head, _) = ask(stage.gateway, "GET /", &[&own]);
        assert!(head.contains("\r\nx-connection: 2\r\n"), "{head}");
        drop(stream);
        let (_, head, _) = ask(stage.gateway, "GET /", &[&own]);
        assert!(head.contains("\r\nx-connection: 2\r\n"), "{head}");
    });
}

#[test]
fn a_connection_that_the_upstream_has_closed_without_a_word_is_not_used_again() {
    on_both(async |database| {
        let answers = vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"; 20];
        let count = answers.len();
        let (upstream, requests) = start_scripted(answers);
        let (_, token) = fill(&database);
        let stage = Stage::serve(&database, "", upstream);
        let own = bearer(&token);
        let mut client = connect(stage.gateway);
        for _ in 0..count {
            write!(client.get_mut(), "POST / HTTP/1.1\r\nHost: a\r\n{own}\r\nContent-Length: 0\r\n\r\n").unwrap();
            assert_eq!(read_head(&mut client).0, 200);
            client.read_exact(&mut [0; 2]).unwrap();
        }
        assert_eq!(requests.iter().count(), count);
    });
}

/// An upstream that reads one request by connection, gives its answer to each and closes. Returns its address, and what it
/// reads.
fn start_scripted(answers: Vec<&'static str>) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut all = read_lines(&mut stream);
            while all.contains("transfer-encoding: chunked") && !all.ends_with("\r\n0\r\n\r\n") {
                assert_ne!(stream.read_line(&mut all).unwrap(), 0, "the connection ended: {all}");
                // Fields after the last chunk.
                assert!(!all.contains("\r\n0\r\nx-"), "{all}");
            }
            sender.send(all).unwrap();
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, receiver)
}

#[test]
fn what_follows_a_body_is_not_forwarded() {
    on_both(async |database| {
        let (upstream, requests) = start_scripted(vec!["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]);
        let (_, token) = fill(&database);
        let stage = Stage::serve(&database, "", upstream);
        let own = bearer(&token);
        let mut stream = connect(stage.gateway);
        write!(
            stream.get_mut(),
            "POST / HTTP/1.1\r\nHost: a\r\n{own}\r\nTE: trailers\r\nTrailer: X-Latchkey-Role\r\n\
             Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Latchkey-Role: evil\r\n\r\n"
        )
        .unwrap();
        assert_eq!(read_head(&mut stream).0, 200);
        let request = requests.recv().unwrap();
        assert!(request.contains("hello") && !request.contains("evil") && !request.contains("trailer"), "{request}");
    });
}

#[test]
fn answers_of_unusual_upstreams_arrive_whole_or_break_off() {
    on_both(async |database| {
        let (upstream, _requests) = start_scripted(vec![
            "HTTP/1.0 200 OK\r\nAlt-Svc: h3=\":1\"\r\nClear-Site-Data: \"cookies\"\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        ]);
        let (_, token) = fill(&database);
        let stage = Stage::serve(&database, "", upstream);
        let own = bearer(&token);
        // A body that lasts until the end of the connection is sent in chunks, so that one that is cut off lacks the last.
        for whole in ["HTTP/1.0", "two lengths"] {
            let (status, head, body) = ask(stage.gateway, "GET /", &[&own]);
            assert!(status == 200 && head.starts_with("http/1.1 "), "{whole}: {head}");
            assert!(
                head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"),
                "{whole}: {head}"
            );
            assert!(!head.contains("alt-svc") && !head.contains("clear-site-data"), "{head}");
            assert_eq!(body, "5\r\nhello\r\n0\r\n\r\n", "{whole}");
        }
        let (status, head, body) = ask(stage.gateway, "GET /", &[&own]);
        assert!(status == 200 && head.contains("content-length: 100\r\n") && body == "abc", "{head}{body}");
    });
}

#[test]
fn a_client_may_pause_in_the_middle_of_a_body_but_not_for_too_long() {
    on_both(async |database| {
        let patient = free_address();
        let more = format!(
            "idle_timeout = 1\n\
             [[gateway]]\nname = 'patient'\nlisten = '{patient}'\nupstream = 'http://OTHER'\nresponse_timeout = 1\n"
        );
        let (stage, _, token) = Stage::new(&database, &more).await;
        let own = bearer(&token);
        let upload_half = |to| {
            let mut stream = connect(to);
            write!(stream.get_mut(), "POST /upload HTTP/1.1\r\nHost: a\r\n{own}\r\nContent-Length: 10\r\n\r\n01234")
                .unwrap();
            stream
        };
        let (mut patient, mut hasty) = (upload_half(patient), upload_half(stage.gateway));
        let begun = Instant::now();
        assert_eq!(read_head(&mut hasty).0, 408);
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
        // By now, the other one has waited for longer than its upstream may take.
        while begun.elapsed() < Duration::from_millis(1_300) {
            std::thread::yield_now();
        }
        patient.get_mut().write_all(b"56789").unwrap();
        assert_eq!(read_head(&mut patient).0, 200);
    });
}

#[test]
fn an_exchange_in_which_nothing_is_transferred_ends() {
    on_both(async |database| {
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(1).unwrap();
        let unreachable = full.local_addr().unwrap();
        // Nobody accepts these, and further ones aren't answered.
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&unreachable, Duration::from_millis(200)) {
            waiting.push(stream);
        }
        let far = free_address();
        let more = format!(
            "idle_timeout = 1\n\
             [[gateway]]\nname = 'far'\nlisten = '{far}'\nupstream = 'http://{unreachable}'\nconnect_timeout = 1\n"
        );
        let (stage, _, token) = Stage::new(&database, &more).await;
        let own = bearer(&token);
        let (status, _, body) = ask(far, "GET /", &[&own]);
        assert!(status == 504 && body.contains("Connecting"), "{status} {body}");
        let (status, head, body) = ask(stage.gateway, "GET /stalls", &[&own]);
        assert!(status == 200 && head.contains("transfer-encoding: chunked"), "{head}");
        assert_eq!(body, "5\r\nfirst\r\n", "without the last chunk");
        let (status, head, mut socket) = open(stage.gateway, "/ws", &format!("{own}\r\n"));
        assert_eq!(status, 101, "{head}");
        assert_eq!(read_close(&mut socket), (1001, "The connection was idle for too long.".to_owned()));
    });
}

#[test]
fn a_stream_ends_with_its_key_even_if_its_client_does_not_read() {
    on_both(async |database| {
        let (stage, account, token) = Stage::new(&database, "").await;
        let own = bearer(&token);
        let mut stream = connect(stage.gateway);
        write!(stream.get_mut(), "GET /big/1000000000 HTTP/1.1\r\nHost: a\r\n{own}\r\n\r\n").unwrap();
        assert_eq!(read_head(&mut stream).0, 200);
        stage.revoke(&account);
        let revoked = Instant::now();
        // The client sends until it is told that the connection was reset.
        while stream.get_mut().write_all(b"\r\n").is_ok() {
            assert!(revoked.elapsed() < Duration::from_secs(5), "the connection is still open");
            std::thread::yield_now();
        }
        assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    });
}

/// Returns how much memory a process has had at most, in megabytes, apart from the mapped binary. That of a debug build
/// is larger than the 30 MB of a release.
#[cfg(target_os = "linux")]
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let kilobytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (kilobytes("VmHWM") - kilobytes("RssFile")) / 1_024
}

#[test]
#[cfg(target_os = "linux")]
fn large_bodies_pass_without_being_held() {
    on_both(async |database| {
        let (stage, _, token) = Stage::new(&database, "").await;
        let size = number("LATCHKEY_TEST_TRANSFER", 100_000_000);
        let mut stream = connect(stage.gateway);
        let own = bearer(&token);
        write!(stream.get_mut(), "GET /big/{size} HTTP/1.1\r\nHost: a\r\n{own}\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(read_head(&mut stream).0, 200);
        // In chunks, whose lines add less than a hundredth.
        let read = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        assert!(read >= size as u64 && read < size as u64 * 101 / 100 + 100, "{read}");
        let mut stream = connect(stage.gateway);
        write!(
            stream.get_mut(),
            "POST /upload HTTP/1.1\r\nHost: a\r\n{own}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        std::io::copy(&mut std::io::repeat(b'x').take(size as u64), stream.get_mut()).unwrap();
        assert_eq!(read_head(&mut stream).0, 200);
        let mut counted = String::new();
        stream.read_to_string(&mut counted).unwrap();
        assert_eq!(counted, size.to_string());
        // With the binary, less than 80 MB.
        assert!(peak(&stage.server) < 50, "{} MB", peak(&stage.server));
    });
}

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Opens a websocket. Returns the status, the head, and the connection.
fn open(to: SocketAddr, path: &str, lines: &str) -> (u16, String, BufReader<TcpStream>) {
    let mut stream = connect(to);
    write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: {to}\r\n{HANDSHAKE}{lines}\r\n").unwrap();
    let (status, head) = read_head(&mut stream);
    (status, head.to_lowercase(), stream)
}

/// Sends a text in a client's frame.
fn send_text(stream: &mut BufReader<TcpStream>, text: &str) {
    let mask = [1, 2, 3, 4];
    let length = u8::try_from(text.len()).unwrap();
    let mut frame = if length < 126 { vec![0x81, 0x80 | length] } else { vec![0x81, 0xfe, 0, length] };
    frame.extend(mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    stream.get_mut().write_all(&frame).unwrap();
}

/// Reads a short frame: its first byte, and its payload. The echo's frames are masked as the client's were.
fn read_frame(stream: &mut BufReader<TcpStream>) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut length = usize::from(head[1] & 0x7f);
    if length == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long).unwrap();
        length = usize::from(u16::from_be_bytes(long));
    }
    let mut mask = [0; 4];
    if head[1] & 0x80 != 0 {
        stream.read_exact(&mut mask).unwrap();
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
}

/// Reads frames until the connection is closed by one. Returns its status and reason.
fn read_close(stream: &mut BufReader<TcpStream>) -> (u16, String) {
    loop {
        let (first, payload) = read_frame(stream);
        if first == 0x88 {
            return (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8_lossy(&payload[2..]).into_owned());
        }
    }
}

/// Whether the connection ends, by whatever, within a second.
fn ends_within_a_second(stream: &mut BufReader<TcpStream>, since: Instant) -> bool {
    let mut piece = [0; 4_096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(_) if since.elapsed() > Duration::from_secs(5) => return false,
            Ok(_) => (),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(_) => break,
        }
    }
    since.elapsed() < Duration::from_secs(1)
}

#[test]
fn a_websocket_passes_both_ways_and_ends_with_its_key() {
    on_both(async |database| {
        let (stage, _, _) = Stage::new(&database, "").await;
        let (account, token) = account(&database, "Socket");
        let own = format!("{}\r\n", bearer(&token));
        assert_eq!(open(stage.gateway, "/ws", "").0, 401);
        assert_eq!(open(stage.gateway, "/ws", "Authorization: Bearer lks_x\r\n").0, 401);
        let (status, head, mut stream) = open(stage.gateway, "/ws", &format!("{own}Sec-WebSocket-Protocol: chat\r\n"));
        assert_eq!(status, 101, "{head}");
        assert!(
            head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=")
                && head.contains("sec-websocket-protocol: chat"),
            "{head}"
        );
        assert!(head.contains("x-latchkey-subject") && !head.contains(&token.to_lowercase()), "{head}");
        for message in ["hello", "again", &"x".repeat(200)] {
            send_text(&mut stream, message);
            assert_eq!(read_frame(&mut stream), (0x81, message.as_bytes().to_vec()));
        }
        // One upstream sends half a frame, so that there is no place for another.
        let (_, _, mut broken) = open(stage.gateway, "/ws", &own);
        broken.get_mut().write_all(&[0x82, 0x05, 1]).unwrap();
        let mut half = [0; 3];
        broken.read_exact(&mut half).unwrap();
        let (_, _, mut other) =
            open(stage.gateway, "/ws", &format!("{}\r\n", bearer(&crate::support::account(&database, "Other").1)));
        // As an upload, a download and a request without an answer.
        let mut events = connect(stage.gateway);
        write!(events.get_mut(), "GET /events HTTP/1.1\r\nHost: a\r\n{own}\r\n").unwrap();
        assert_eq!(read_head(&mut events).0, 200);
        let mut silent = connect(stage.gateway);
        write!(silent.get_mut(), "GET /silent HTTP/1.1\r\nHost: a\r\n{own}Connection: close\r\n\r\n").unwrap();
        let mut upload = connect(stage.gateway);
        write!(upload.get_mut(), "POST /upload HTTP/1.1\r\nHost: a\r\n{own}Content-Length: 1000000\r\n\r\n").unwrap();

        stage.revoke(&account);
        let since = Instant::now();
        let (status, reason) = read_close(&mut stream);
        assert!(status == 1008 && reason.contains("isn't valid"), "{status} {reason}");
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        assert!(ends_within_a_second(&mut events, since), "events");
        assert!(ends_within_a_second(&mut broken, since), "half a frame");
        for stream in [&mut silent, &mut upload] {
            assert_eq!(read_head(stream).0, 401);
        }
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        send_text(&mut other, "still there");
        assert_eq!(read_frame(&mut other).1, b"still there");
        assert_eq!(open(stage.gateway, "/ws", &own).0, 401);
        let mut server = stage.server;
        server.terminate();
        assert_eq!(read_close(&mut other).0, 1001, "the server is about to stop");
        drop(other);
        assert_eq!(server.wait(), Some(0));
    });
}

#[test]
fn a_demoted_suspended_or_removed_account_ends_what_is_open() {
    on_both(async |database| {
        let (stage, ..) = Stage::new(&database, "").await;
        let set = |act: &[&str]| admin(&database, &[act, &["--tenant", "bench"]].concat(), "");
        for name in ["Demoted", "Suspended", "Removed"] {
            let (account, token) = account(&database, name);
            let (status, _, mut stream) = open(stage.gateway, "/ws", &format!("{}\r\n", bearer(&token)));
            assert_eq!(status, 101, "{name}");
            match name {
                "Demoted" => set(&["change-service-account-role", &account, "--role", "READ_ONLY_USER"]),
                "Suspended" => set(&["suspend-service-account", &account]),
                _ => set(&["delete-service-account", &account]),
            };
            let since = Instant::now();
            assert_eq!(read_close(&mut stream).0, 1008, "{name}");
            assert!(since.elapsed() < Duration::from_secs(1), "{name}: {:?}", since.elapsed());
        }
    });
}

#[test]
fn a_key_that_expires_ends_what_is_open() {
    on_both(async |database| {
        let (stage, account, token) = Stage::new(&database, "").await;
        let (status, _, mut stream) = open(stage.gateway, "/ws", &format!("{}\r\n", bearer(&token)));
        assert_eq!(status, 101);
        let key = stage.key_of(&account);
        // A rotation can give the old key an end that is near. Its time is that of a key which is created now.
        let now = ["create-key", "--tenant", "bench", "--service-account", &account, "--name", "now", "--json"];
        let created: Value = serde_json::from_str(&admin(&database, &now, "")).unwrap();
        let begun = Instant::now();
        let rows = admin(&database, &["list-keys", "--tenant", "bench", "--json"], "");
        let mut rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let row = rows.find(|row| row["id"] == created["id"]).unwrap();
        let now = chrono::DateTime::parse_from_rfc3339(row["created_at"].as_str().unwrap()).unwrap();
        let deadline = (now + chrono::TimeDelta::seconds(5)).to_rfc3339();
        let near = ["roll-key", &key, "--tenant", "bench", "--overlap", "first_use", "--deadline", &deadline];
        admin(&database, &near, "");
        send_text(&mut stream, "still there");
        assert_eq!(read_frame(&mut stream).1, b"still there");
        assert_eq!(read_close(&mut stream).0, 1008);
        // The time in the list may be without its fraction.
        let open_for = begun.elapsed();
        assert!(open_for > Duration::from_millis(3_500) && open_for < Duration::from_secs(6), "{open_for:?}");
    });
}

#[test]
fn prefect_shows_its_key_in_the_first_message() {
    on_both(async |database| {
        let more = "websocket_first_frame_auth = 'prefect'\nupstream_authorization = 'Basic YWRtaW46cGFzcw=='\nread_role_websockets = ['/ws/out']";
        let (stage, ..) = Stage::new(&database, more).await;
        let (account, token) = account(&database, "Worker");
        let reader = ["create-service-account", "--tenant", "bench", "--name", "R", "--role", "READ_ONLY_USER"];
        let key =
            ["create-key", "--tenant", "bench", "--service-account", &admin(&database, &reader, ""), "--name", "first"];
        let reader = admin(&database, &key, "");
        let protocol = "Sec-WebSocket-Protocol: prefect\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        let auth = |token: &str| format!("{{\"type\":\"auth\",\"token\":{token}}}");
        assert_eq!(open(stage.gateway, "/ws", "").0, 401, "another protocol");
        assert_eq!(open(stage.gateway, "/ws", &format!("{protocol}Authorization: Bearer lks_x\r\n")).0, 401);
        for (message, reason) in [
            (auth("null"), "needs an API key"),
            (auth("\"lks_wrong\""), "isn't valid"),
            ("{\"type\":\"filter\"}".to_owned(), "first message"),
            ("x".to_owned(), "first message"),
            (auth(&format!("\"{reader}\"")), "role Read only"),
        ] {
            let (status, head, mut stream) = open(stage.gateway, "/ws", protocol);
            assert!(
                status == 101 && head.contains("sec-websocket-protocol: prefect") && !head.contains("extensions"),
                "{head}"
            );
            send_text(&mut stream, &message);
            let (status, found) = read_close(&mut stream);
            assert!(status == 1008 && found.contains(reason), "{message}: {status} {found}");
        }
        let own = auth("\"admin:pass\"");
        let (_, _, mut pinging) = open(stage.gateway, "/ws/out", protocol);
        pinging.get_mut().write_all(&[0x89, 0x82, 0, 0, 0, 0, b'a', b'b']).unwrap();
        assert_eq!(read_frame(&mut pinging), (0x8a, b"ab".to_vec()), "a ping before the first message");
        let (_, _, mut stream) = open(stage.gateway, "/ws/out", protocol);
        send_text(&mut stream, &auth(&format!("\"{reader}\"")));
        assert_eq!(read_frame(&mut stream).1, own.as_bytes());
        let streams = [
            (String::new(), format!("\"{token}\"")),
            (String::new(), format!("\"latchkey:{token}\"")),
            (format!("{}\r\n", bearer(&token)), "null".to_owned()),
            (format!("{}\r\n", bearer(&token)), format!("\"{token}\"")),
        ]
        .map(|(header, shown)| {
            let (status, _, mut stream) = open(stage.gateway, "/ws", &format!("{protocol}{header}"));
            assert_eq!(status, 101);
            send_text(&mut stream, &auth(&shown));
            assert_eq!(read_frame(&mut stream).1, own.as_bytes(), "the upstream's own secret is in its place");
            send_text(&mut stream, "next");
            assert_eq!(read_frame(&mut stream).1, b"next");
            stream
        });
        stage.revoke(&account);
        let since = Instant::now();
        for mut stream in streams {
            assert_eq!(read_close(&mut stream).0, 1008);
        }
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    });
}

/// A browser without a script: it keeps cookies by host and port, and follows redirects.
#[derive(Default)]
pub struct Browser(Vec<(SocketAddr, String, String)>);

impl Browser {
    pub fn send(&mut self, to: SocketAddr, line: &str, more: &[&str], body: &str) -> (u16, String, String) {
        let cookies: Vec<String> =
            self.0.iter().filter(|(at, ..)| *at == to).map(|(_, name, value)| format!("{name}={value}")).collect();
        let cookie = format!("Cookie: {}", cookies.join("; "));
        let mut stream = connect(to);
        let lines = lines_of(more);
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        write!(
            stream.get_mut(),
            "{line} HTTP/1.1\r\nHost: {to}\r\n{cookie}\r\n{lines}{length}Connection: close\r\n\r\n{body}"
        )
        .unwrap();
        let (status, head) = read_head(&mut stream);
        for line in head.lines().filter(|line| line.to_lowercase().starts_with("set-cookie: ")) {
            let pair = line.split_once(": ").unwrap().1.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.0.retain(|(at, known, _)| *at != to || known != name);
            if !value.is_empty() {
                self.0.push((to, name.to_owned(), value.to_owned()));
            }
        }
        let mut body = Vec::new();
        stream.read_to_end(&mut body).unwrap();
        (status, head, String::from_utf8_lossy(&body).into_owned())
    }

    pub fn get(&mut self, to: SocketAddr, path: &str) -> (u16, String, String) {
        self.send(to, &format!("GET {path}"), &["Accept: text/html", "Sec-Fetch-Mode: navigate"], "")
    }
}

pub fn location(head: &str) -> String {
    let line =
        head.lines().find(|line| line.to_lowercase().starts_with("location: ")).unwrap_or_else(|| panic!("{head}"));
    line.split_once(": ").unwrap().1.to_owned()
}

/// Returns the address and the path of a URL.
pub fn split_url(url: &str) -> (SocketAddr, String) {
    let (host, path) = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url}")).split_once('/').unwrap();
    (host.parse().unwrap(), format!("/{path}"))
}

/// Follows a browser from a page of the gateway to the sign-in page and back. Returns the URL with the code.
pub fn enter(browser: &mut Browser, stage: &Stage, path: &str) -> String {
    let (status, head, _) = browser.get(stage.gateway, path);
    assert_eq!(status, 303, "{head}");
    let (site, page) = split_url(&location(&head));
    assert_eq!(site, stage.server.address);
    let (mut status, mut head, mut body) = browser.get(site, &page);
    if status == 303 {
        let sign_in = location(&head);
        assert!(sign_in.starts_with("/sign-in?next="), "{sign_in}");
        let next = sign_in.split_once("next=").unwrap().1;
        let form = format!("email={}&password={}&next={next}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let lines =
            ["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin", "Accept: text/html"];
        (status, head, body) = browser.send(site, "POST /sign-in", &lines, &form);
        assert_eq!((status, location(&head)), (303, page.clone()), "{body}");
        (status, _, body) = browser.get(site, &page);
    }
    assert_eq!(status, 200, "{body}");
    let mut links = body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.find(|link| link.contains("/.latchkey/enter/")).unwrap().replace("&amp;", "&")
}

#[test]
fn people_reach_the_upstream_with_their_session() {
    on_both(async |database| {
        let more = "[[gateway.rule]]\npath = '/none'\nscopes = ['orders:write']";
        let (stage, ..) = Stage::new(&database, more).await;
        let mut browser = Browser::default();
        let to = stage.gateway;
        let with_code = enter(&mut browser, &stage, "/page?a=b%2Fc");
        let (host, path) = split_url(&with_code);
        assert_eq!(host, to);
        let mut thief = Browser::default();
        assert_eq!(thief.get(to, &path).0, 400, "a code without the browser that asked for it");
        let (status, head, _) = browser.get(to, &path);
        assert_eq!((status, location(&head)), (303, "/page?a=b%2Fc".to_owned()));
        let pass = head.lines().find(|line| line.contains("latchkey-gateway-echo=")).unwrap();
        assert!(pass.contains("HttpOnly") && pass.contains("SameSite=Lax"), "{pass}");
        let (status, _, body) = browser.get(to, "/page?a=b%2Fc");
        assert_eq!(status, 200, "{body}");
        assert!(body.starts_with("GET /page?a=b%2Fc\n") && body.contains("x-latchkey-kind: user\n"), "{body}");
        assert!(body.contains("x-latchkey-role: TENANT_ADMIN") && !body.contains("latchkey-gateway"), "{body}");
        assert_eq!(browser.get(to, &path).0, 400, "a code is used once");

        // A page of another site can't use the cookie for what changes something.
        let origin = format!("Origin: http://{to}");
        for (lines, status) in [
            (vec![], 403),
            (vec!["Sec-Fetch-Site: cross-site"], 403),
            (vec!["Sec-Fetch-Site: same-site"], 403),
            (vec!["Origin: http://evil.example"], 403),
            (vec!["Sec-Fetch-Site: same-origin", "Origin: http://evil.example"], 403),
            (vec!["Sec-Fetch-Site: same-origin"], 200),
            (vec![origin.as_str()], 200),
        ] {
            assert_eq!(browser.send(to, "POST /page", &lines, "x").0, status, "{lines:?}");
        }
        let cookie: Vec<String> =
            browser.0.iter().filter(|(at, ..)| *at == to).map(|(_, name, value)| format!("{name}={value}")).collect();
        let cookie = format!("Cookie: {}\r\n", cookie.join("; "));
        assert_eq!(open(to, "/ws", &cookie).0, 403);
        let (status, _, mut stream) = open(to, "/ws", &format!("{cookie}{origin}\r\n"));
        assert_eq!(status, 101);
        let (status, head, page) = browser.get(to, "/none");
        assert_eq!(status, 403, "an unknown scope");
        assert!(
            head.to_lowercase().contains("content-type: text/html") && page.contains("You don't have access"),
            "{head}{page}"
        );
        assert!(
            page.contains("needs a scope") && page.contains(&format!("href=\"http://{}\"", stage.server.address)),
            "{page}"
        );
        let sheet = page
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .find(|to| to.contains(".css"))
            .unwrap()
            .to_owned();
        assert!(sheet.starts_with("/.latchkey/pkg/") && ask(to, &format!("GET {sheet}x"), &[]).0 == 404, "{sheet}");
        let script = ["Accept: application/json"];
        let (status, head, _) = browser.send(to, "GET /none", &script, "");
        assert!(status == 403 && head.contains("problem+json"), "{head}");

        // What is asked by a script gets no page.
        assert_eq!(thief.send(to, "GET /page", &["Accept: application/json"], "").0, 401);
        assert_eq!(thief.send(to, "GET /page", &["Accept: text/html", "Sec-Fetch-Mode: cors"], "").0, 401);
        // Where the gateway leads is never another site.
        for next in ["//evil.example", "https://evil.example", "/\\evil.example"] {
            let zeros = "0".repeat(64);
            let site = stage.server.address;
            let page = browser.get(site, &format!("/gateway/enter?gateway=echo&state={zeros}&next={next}")).2;
            assert!(!page.contains("evil"), "{page}");
        }
        assert_eq!(browser.get(stage.server.address, "/gateway/enter?gateway=other&state=0&next=/").0, 404);
        for path in ["/.latchkey/x", "/.latchkey", "/.Latchkey/enter/echo", "/.latchkey/enter/other"] {
            let status = browser.get(to, path).0;
            assert!(status == 404 || status == 400, "{path}: {status}");
        }

        // Signing out ends it, here too.
        let lines = ["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"];
        assert_eq!(browser.send(stage.server.address, "POST /sign-out", &lines, "x=y").0, 303);
        let since = Instant::now();
        assert_eq!(read_close(&mut stream).0, 1008);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        assert_eq!(browser.get(to, "/page").0, 303);
    });
}

#[test]
fn a_person_who_is_demoted_or_removed_is_cut_off() {
    on_both(async |database| {
        let (stage, ..) = Stage::new(&database, "role = 'TENANT_ADMIN'").await;
        let to = stage.gateway;
        let other = [
            "create-user",
            "--tenant",
            "bench",
            "--email",
            "other@example.org",
            "--role",
            "TENANT_ADMIN",
            "--password-stdin",
        ];
        admin(&database, &other, PASSWORD);
        let open_as_person = || {
            let mut browser = Browser::default();
            let with_code = enter(&mut browser, &stage, "/page");
            assert_eq!(browser.get(to, &split_url(&with_code).1).0, 303);
            let own = browser.0.iter().filter(|(at, ..)| *at == to);
            let cookies: Vec<String> = own.map(|(_, name, value)| format!("{name}={value}")).collect();
            let lines = format!("Cookie: {}\r\nOrigin: http://{to}\r\n", cookies.join("; "));
            let (status, _, stream) = open(to, "/ws", &lines);
            assert_eq!(status, 101);
            (browser, stream)
        };
        let (mut demoted, mut stream) = open_as_person();
        admin(&database, &["set-role", "--tenant", "bench", "--email", EMAIL, "--role", "USER"], "");
        let since = Instant::now();
        assert_eq!(read_close(&mut stream).0, 1008);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        let (status, _, page) = demoted.get(to, "/page");
        assert!(status == 403 && page.contains("Your role doesn't allow you"), "{page}");
        admin(&database, &["set-role", "--tenant", "bench", "--email", EMAIL, "--role", "TENANT_ADMIN"], "");
        let (mut removed, mut stream) = open_as_person();
        admin(&database, &["remove-member", "--tenant", "bench", "--email", EMAIL], "");
        let since = Instant::now();
        assert_eq!(read_close(&mut stream).0, 1008);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        assert_eq!(removed.get(to, "/page").0, 303, "the sign-in page");
    });
}

#[test]
fn each_gateway_has_its_own_tenant_and_place() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        admin(&database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
        let account = admin(&database, &["create-service-account", "--tenant", "other", "--name", "O"], "");
        let key = ["create-key", "--tenant", "other", "--service-account", &account, "--name", "first"];
        let (own, foreign) = (bearer(&token), bearer(&admin(&database, &key, "")));
        let upstream = start_upstream().await;
        let second = free_address();
        let more = format!(
            "tenant = 'bench'\n[[gateway]]\nname = 'second'\nlisten = '{second}'\nupstream = 'http://OTHER/base/'\ntenant = 'other'\n\
             host_header = 'keep'\n[[gateway]]\nname = 'named'\nhost = 'app.example'\nprefix = '/app'\nstrip_prefix = true\n\
             upstream = 'http://OTHER'\ntenant = 'bench'\n[[gateway]]\nname = 'inner'\nhost = 'app.example'\nprefix = '/app/inner'\n\
             upstream = 'http://OTHER'\ntenant = 'other'\n"
        );
        let stage = Stage::serve(&database, &more, upstream);
        assert_eq!((ask(stage.gateway, "GET /", &[&own]).0, ask(stage.gateway, "GET /", &[&foreign]).0), (200, 401));
        let (status, _, body) = ask(second, "GET /a?b", &[&foreign]);
        assert!(
            status == 200 && body.starts_with("GET /base/a?b\n") && body.contains(&format!("host: {second}\n")),
            "{body}"
        );
        assert_eq!(ask(second, "GET /", &[&own]).0, 401);
        let site = stage.server.address;
        let host = "Host: app.example";
        let (status, _, body) = ask(site, "GET /app/x", &[&own, host]);
        assert!(
            status == 200 && body.starts_with("GET /x\n") && body.contains(&format!("host: {upstream}\n")),
            "{body}"
        );
        assert!(body.contains("x-forwarded-host: app.example\n"), "{body}");
        assert!(ask(site, "GET /app", &[&own, host]).2.starts_with("GET /\n"));
        assert!(ask(site, "GET /app/inner/x", &[&foreign, host]).2.starts_with("GET /app/inner/x\n"));
        assert_eq!(ask(site, "GET /app/inner/x", &[&own, host]).0, 401);
        assert_eq!(ask(site, "GET /apps", &[&own, host]).0, 404);
        assert_eq!(ask(site, "GET /auth/forward", &[&own, host]).0, 404, "not Latchkey's own endpoint");
        assert_eq!(ask(site, "GET /auth/forward", &[&own]).0, 200);
    });
}

#[test]
fn wrong_gateways_are_refused_before_the_start() {
    let place = Place::new();
    let table =
        |name: &str, more: &str| format!("[[gateway]]\nname = '{name}'\nupstream = 'http://127.0.0.1:1'\n{more}\n");
    for (text, message) in [
        (
            table("a", "listen = '127.0.0.1:3000'"),
            "--listen (127.0.0.1:3000) and gateway a (127.0.0.1:3000) need different addresses",
        ),
        (table("a", "host = 'localhost:3000'"), "is Latchkey's own host"),
        (table("a", "host = 'a.example'") + &table("a", "host = 'b.example'"), "two gateways named a"),
        (table("a", "host = 'a.example'") + &table("b", "host = 'a.example'"), "the same prefix"),
        (table("a", "hosts = 'a.example'"), "unknown field `hosts`"),
        ("gateway = 'a=b'".to_owned(), "NAME=LISTEN=UPSTREAM"),
    ] {
        let file = place.write("latchkey.toml", &text);
        let output = latchkey().args(["config", "check", "--config", &file]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(stderr(&output).contains(message), "{text}: {}", stderr(&output));
    }
    let good = place.write("latchkey.toml", &table("a", "listen = '127.0.0.1:3001'"));
    let output = latchkey().args(["config", "check", "--config", &good]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    fill(&place.database);
    admin(&place.database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
    let output = place.run(&["serve", "--listen", "127.0.0.1:0", "--config", &good]);
    assert!(stderr(&output).contains("there are several tenants"), "{}", stderr(&output));
}

#[test]
fn requests_are_counted_as_usage_of_the_key_with_the_name_of_the_worker_and_in_the_metrics() {
    on_both(async |database| {
        let (account, token) = fill(&database);
        let metrics = free_address();
        let upstream = start_upstream().await;
        let stage = Stage::serve_with(&database, "", upstream, &["--metrics-listen", &metrics.to_string()]);
        let (to, own) = (stage.gateway, bearer(&token));
        for _ in 0..2 {
            assert_eq!(
                ask(to, "GET /", &[&own, "User-Agent: prefect/3.9.1", "X-Prefect-Worker-Name: night shift"]).0,
                200
            );
        }
        assert_eq!(ask(to, "GET /", &[&own, "User-Agent: curl/8"]).0, 200);
        assert_eq!(ask(to, "GET /", &[]).0, 401);
        assert_eq!(ask(to, "GET //", &[&own]).0, 400);
        let (_, _, text) = ask(metrics, "GET /metrics", &[]);
        for (outcome, count) in [("forwarded", 3), ("unauthenticated", 1), ("bad_request", 1)] {
            let line = format!("latchkey_gateway_requests_total{{gateway=\"echo\",outcome=\"{outcome}\"}} {count}");
            assert!(text.lines().any(|own| own == line), "{line}: {text}");
        }
        // Usage is written within a second or so.
        let query = format!("{{ api_key_usage(id: \"{}\") {{ clients {{ user_agent }} }} }}", stage.key_of(&account));
        let body = serde_json::json!({ "query": query }).to_string();
        let begun = Instant::now();
        loop {
            let headers =
                [("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {token}"))];
            let request = crate::support::request(stage.server.address, "POST", "/graphql", &headers, body.clone());
            let mut connection = crate::support::connect(stage.server.address).await;
            let (_, answer) = crate::support::send(&mut connection, request).await.unwrap();
            if answer.contains("night shift prefect/3.9.1") && answer.contains("curl/8") {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{answer}");
        }
    });
}

#[test]
fn what_is_open_ends_when_the_database_has_not_answered_for_five_seconds() {
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(service::testing::with_postgres(&server, async |database| {
        let (_, token) = fill(&database);
        let upstream = start_upstream().await;
        let (proxy, through) = service::testing::Proxy::before_database(&database).await;
        let stage = Stage::serve(&through, "", upstream);
        let (to, own) = (stage.gateway, bearer(&token));
        assert_eq!(ask(to, "GET /", &[&own]).0, 200);
        let (status, _, mut websocket) = open(to, "/ws", &format!("{own}\r\n"));
        assert_eq!(status, 101);
        proxy.vanish();
        let since = Instant::now();
        assert_eq!(read_close(&mut websocket).0, 1008);
        let lasted = since.elapsed();
        assert!(lasted > Duration::from_secs(3) && lasted < Duration::from_secs(20), "{lasted:?}");
        let (status, head, _) = ask(to, "GET /", &[&own]);
        assert!(status == 503 && head.contains("problem+json"), "{head}");
        proxy.appear();
        let since = Instant::now();
        while ask(to, "GET /", &[&own]).0 != 200 {
            assert!(since.elapsed() < Duration::from_secs(30));
        }
    }));
}

/// Returns the code that an authenticator app shows, `steps` of 30 seconds later.
fn code_after(secret: &str, steps: i64) -> String {
    let now = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8(now.stdout).unwrap().trim().parse().unwrap();
    let at = chrono::DateTime::from_timestamp(now + 30 * steps, 0).unwrap();
    service::testing::code_at(&domain::Secret::new(secret), at)
}

#[test]
fn a_second_factor_is_asked_for_on_the_way_in() {
    let place = Place::new();
    fill(&place.database);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let stage = Stage::serve(&place.database, "", start_upstream().await);
        let (site, to) = (stage.server.address, stage.gateway);
        let lines =
            ["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin", "Accept: text/html"];
        let mut owner = Browser::default();
        enter(&mut owner, &stage, "/");
        assert_eq!(owner.send(site, "POST /user/second-factor/begin", &lines, "x=y").0, 303);
        let (_, _, page) = owner.get(site, "/user/second-factor/enable");
        // In groups of four characters.
        let shown = page.split("<code").skip(1).filter_map(|rest| rest.split('<').next()?.split_once('>'));
        let secret = shown.map(|(_, text)| text.replace(' ', "")).find(|text| text.len() == 32);
        let secret = secret.unwrap_or_else(|| panic!("{page}"));
        let (status, _, body) =
            owner.send(site, "POST /user/second-factor/enable", &lines, &format!("code={}", code_after(&secret, 0)));
        assert_eq!(status, 200, "{body}");

        let mut browser = Browser::default();
        let (_, head, _) = browser.get(to, "/page");
        let page = split_url(&location(&head)).1;
        let (_, head, _) = browser.get(site, &page);
        let next = location(&head).split_once("next=").unwrap().1.to_owned();
        let form = format!("email={}&password={}&next={next}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let (status, head, _) = browser.send(site, "POST /sign-in", &lines, &form);
        assert!(status == 303 && location(&head).starts_with("/sign-in/code"), "{head}");
        let (status, head, _) = browser.get(site, &page);
        assert!(status == 303 && location(&head).starts_with("/sign-in"), "a password isn't enough: {head}");
        let wrong = browser.send(site, "POST /sign-in/code", &lines, &format!("code=000000&next={next}"));
        assert_ne!(wrong.0, 303);
        let code = format!("code={}&next={next}", code_after(&secret, 1));
        let (status, head, body) = browser.send(site, "POST /sign-in/code", &lines, &code);
        assert_eq!((status, location(&head)), (303, page), "{body}");
        let with_code = enter(&mut browser, &stage, "/page");
        assert_eq!(browser.get(to, &split_url(&with_code).1).0, 303);
        assert_eq!(browser.get(to, "/page").0, 200);
    });
}
