//! What clients and proxies do to connections: large bodies, odd heads, silence, and signals. Talks to the server over
//! plain sockets.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    number,
    support::{EMAIL, PASSWORD, Server, count, fill, latchkey, start},
};

/// A database with a tenant, and its folder.
fn database() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_, token) = fill(&url);
    (folder, url, token)
}

fn serve_with(url: &str, arguments: &[&str]) -> Server {
    start(latchkey().args(["serve", "--listen", "127.0.0.1:0", "--database-url", url]).args(arguments))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// Sends bytes, and reads until the server closes the connection.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    read_all(&mut stream)
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&text)));
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads one response with a `Content-Length`. Returns its status line and headers, and its body.
fn read_one(stream: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "the connection ended: {head}");
    }
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn verify(token: &str, framing: &str) -> String {
    let body = json!({ "token": token }).to_string();
    let head = "POST /api/v1/verify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    if framing == "length" {
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
    } else {
        let (first, second) = body.split_at(10);
        let (one, two) = (first.len(), second.len());
        format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{one:x}\r\n{first}\r\n{two:x};a=b\r\n{second}\r\n0\r\nT: x\r\n\r\n"
        )
    }
}

#[test]
fn the_answer_to_a_large_body_arrives() {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &[]);
    let body = vec![b'x'; 3_000_000];
    for (path, host, status) in [
        ("/graphql", server.address.to_string(), "413"),
        ("/api/v1/verify", "a".to_owned(), "413"),
        ("/sign-in", server.address.to_string(), "413"),
        ("/health/ready", "a".to_owned(), "405"),
    ] {
        for round in 0..10 {
            let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
            let text = exchange(server.address, &[head.as_bytes(), &body].concat());
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{path}, round {round}: {text}");
        }
    }
    // A body without a declared length.
    let head = format!("POST /graphql HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.address);
    let chunks = [b"10000\r\n".as_slice(), &body[..0x1_0000], b"\r\n"].concat().repeat(20);
    let text = exchange(server.address, &[head.as_bytes(), &chunks].concat());
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("connection: close"), "{text}");
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused_with_an_answer() {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &[]);
    let host = format!("Host: {}\r\n", server.address);
    let post = format!("POST /graphql HTTP/1.1\r\n{host}");
    for (status, request) in [
        ("400", format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("400", format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")),
        ("400", format!("{post}Content-Length: 4\r\nContent-Length: 4\r\n\r\n{{}}  ")),
        ("400", format!("{post}Content-Length: 0x4\r\n\r\n{{}}  ")),
        ("501", format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("400", format!("GET /sign-in HTTP/1.1\r\n{host}{host}\r\n")),
        ("400", "GET /sign-in HTTP/1.1\r\n\r\n".to_owned()),
        ("400", format!("GET /sign-in HTTP/1.1\r\n{host}Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n")),
        ("400", "GET /sign-in\r\n\r\n".to_owned()),
        ("400", format!("GET /?a=\"b HTTP/1.1\r\n{host}\r\n")),
        ("400", format!("GET http://a\"b/c HTTP/1.1\r\n{host}\r\n")),
        ("400", format!("GET /?a=<b> HTTP/1.1\r\n{host}\r\n")),
        ("400", format!("POST /api/v1/verify`x HTTP/1.1\r\n{host}\r\n")),
        ("400", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("400", "\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned()),
        ("431", format!("GET /sign-in HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(17_000))),
        ("431", format!("GET /sign-in HTTP/1.1\r\n{host}X: {}", "x".repeat(400_000))),
        ("431", format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(20_000))),
        ("431", format!("GET /sign-in HTTP/1.1\r\n{host}{}\r\n", "X: y\r\n".repeat(120))),
    ] {
        let text = exchange(server.address, request.as_bytes());
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.80}: {text}");
        assert!(
            text.contains("application/problem+json") && text.contains("connection: close"),
            "{request:.80}: {text}"
        );
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "nothing after it is read: {text}");
    }
    let large = format!("GET /sign-in HTTP/1.1\r\n{host}Connection: close\r\nX: {}\r\n\r\n", "x".repeat(15_000));
    assert!(exchange(server.address, large.as_bytes()).starts_with("HTTP/1.1 200 "), "up to 16 KiB");
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    let (_folder, url, token) = database();
    let server = serve_with(&url, &[]);
    let mut stream = BufReader::new(connect(server.address));
    let all = ["length", "chunked", "length", "chunked", "chunked", "length"].map(|framing| verify(&token, framing));
    let sent = format!("\r\n{}\n", all.concat());
    // At once, and in pieces of every size that cuts heads, sizes and chunks.
    for piece in [sent.len(), 1, 7, 64, 333] {
        for bytes in sent.as_bytes().chunks(piece) {
            stream.get_mut().write_all(bytes).unwrap();
        }
        for _ in 0..all.len() {
            let (head, body) = read_one(&mut stream);
            assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("\"valid\":true"), "{piece}: {head}{body}");
        }
    }
}

#[test]
fn a_get_that_declares_a_body_and_sends_none_is_answered_at_once() {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &[]);
    for path in ["/health/ready", "/sign-in", "/api/v1/verify", "/graphql"] {
        for method in ["GET", "HEAD"] {
            let (begun, host) = (Instant::now(), server.address);
            let mut stream = connect(server.address);
            write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 52\r\n\r\n").unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(5), "{method} {path}");
            assert_ne!(&first, b"HTTP/1.1 408", "{method} {path}");
            stream.shutdown(Shutdown::Write).unwrap();
            let rest = read_all(&mut stream);
            assert!(rest.contains("connection: close"), "what follows isn't read as the body: {rest}");
        }
    }
}

#[test]
fn a_connection_may_wait_longer_for_a_request_than_for_its_head() {
    let ((_folder, url, _), (_other, second, _)) = (database(), database());
    let (server, brief) = (serve_with(&url, &[]), serve_with(&second, &["--idle-timeout", "1"]));
    let request = |server: &Server| format!("GET /health/live HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut used = BufReader::new(connect(server.address));
    used.get_mut().write_all(request(&server).as_bytes()).unwrap();
    read_one(&mut used);
    let (mut new, mut half) = (connect(server.address), connect(server.address));
    half.write_all(b"GET /health/live HTTP/1.1\r\nHo").unwrap();
    let mut short = BufReader::new(connect(brief.address));
    short.get_mut().write_all(request(&brief).as_bytes()).unwrap();
    read_one(&mut short);
    assert_eq!(read_all(short.get_mut()), "", "the setting is kept");
    // It ends when 15 seconds have passed, and the other two don't.
    let begun = Instant::now();
    let text = read_all(&mut half);
    assert!(text.starts_with("HTTP/1.1 408 ") && begun.elapsed() < Duration::from_secs(30), "{text}");
    for stream in [used.get_mut(), &mut new] {
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        assert!(stream.read(&mut [0]).is_err(), "the connection is still open");
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.write_all(request(&server).as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}

#[test]
fn a_client_that_only_sends_empty_lines_is_idle() {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &["--idle-timeout", "1"]);
    let mut stream = connect(server.address);
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let begun = Instant::now();
    // Each read waits for 200 ms, unless the server has closed the connection.
    while stream.write_all(b"\r\n").is_ok()
        && stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    {
        assert!(begun.elapsed() < Duration::from_secs(20), "the connection stays open");
    }
}

#[test]
fn clients_that_do_not_read_do_not_hold_their_places() {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &["--max-connections", "3"]);
    let request = format!("GET /docs/verify HTTP/1.1\r\nHost: {}\r\nCookie: a=b\r\n\r\n", server.address);
    let readers: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.set_nonblocking(true).unwrap();
            // As many as the server takes. It stops reading when nobody reads its answers.
            for _ in 0..400 {
                if stream.write_all(request.as_bytes()).is_err() {
                    break;
                }
            }
            stream
        })
        .collect();
    let begun = Instant::now();
    let text = exchange(server.address, b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 ") && begun.elapsed() < Duration::from_secs(40), "{text}");
    drop(readers);
}

#[test]
fn sigterm_denies_readiness_first_and_a_second_one_ends_at_once() {
    let (_folder, url, _) = database();
    let ask = |address, path: &str| {
        exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
    };
    let mut server = serve_with(&url, &["--drain-delay", "600"]);
    assert!(ask(server.address, "/health/ready").starts_with("HTTP/1.1 200 "));
    let mut kept = BufReader::new(connect(server.address));
    write!(kept.get_mut(), "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(!read_one(&mut kept).0.contains("connection: close"));
    server.terminate();
    while ask(server.address, "/health/ready").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    assert!(ask(server.address, "/health/ready").starts_with("HTTP/1.1 503 "), "new connections are accepted");
    assert!(ask(server.address, "/sign-in").starts_with("HTTP/1.1 200 "), "and served");
    write!(kept.get_mut(), "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(read_one(&mut kept).0.contains("connection: close"), "clients connect elsewhere next time");
    let begun = Instant::now();
    server.terminate();
    assert_eq!(server.wait(), Some(1), "told twice");
    assert!(begun.elapsed() < Duration::from_secs(5));

    let mut server = serve_with(&url, &["--drain-delay", "1"]);
    let _idle = connect(server.address);
    server.terminate();
    assert_eq!(server.wait(), Some(0), "everything is finished");
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_log_that_nobody_can_read_fails_no_request() {
    let (_folder, url, _) = database();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let targets = [Some(Stdio::piped()), full.ok().map(Stdio::from)].into_iter().flatten();
    for target in targets {
        let mut command = latchkey();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &url]).env("LATCHKEY_LOG", "debug");
        let mut server = start(command.stderr(target));
        server.close_errors();
        for _ in 0..5 {
            let text =
                exchange(server.address, b"GET /sign-in HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
            assert!(text.starts_with("HTTP/1.1 421 "), "{text}");
        }
    }
}

#[test]
fn connections_are_limited_by_descriptors() {
    let (folder, url, _) = database();
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    let script = "ulimit -n 90; exec \"$0\" serve --listen 127.0.0.1:0 --database-url \"$1\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_latchkey"), &url]);
    let server = start(command.stderr(std::fs::File::create(&log).unwrap()));
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("at most 45 connections") && said.contains("ulimit -n"), "{said}");
    let held: Vec<TcpStream> = (0..40).map(|_| connect(server.address)).collect();
    let text = exchange(server.address, b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 "), "the database has descriptors too: {text}");
    drop(held);
}

/// Sends requests that never end, and asserts that the server still serves, with little memory for each of them. `each`:
/// in kilobytes.
fn assert_unfinished_cost_little(what: &str, number: usize, each: usize, request: impl Fn(SocketAddr) -> String) {
    let (_folder, url, _) = database();
    let server = serve_with(&url, &[]);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse::<usize>().ok()
    };
    let Some(before) = resident() else { return eprintln!("skipped: this system has no /proc") };
    let request = request(server.address);
    let unfinished: Vec<TcpStream> = (0..number)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let text = exchange(server.address, b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 "));
    let after = resident().unwrap();
    let most = before + 5_000 + number * each;
    assert!(after < most, "{before} kB before, {after} kB with {} requests", unfinished.len());
    count(&[("requests", number), (&format!("fault: {what}"), number)]);
}

#[test]
fn unfinished_heads_cost_little_memory() {
    let number = number("LATCHKEY_HALF_HEADS", 300);
    assert_unfinished_cost_little("half head", number, 50, |address| {
        format!("GET /sign-in HTTP/1.1\r\nHost: {address}\r\nX: {}", "x".repeat(16_000))
    });
}

#[test]
fn unfinished_bodies_cost_little_memory() {
    let number = number("LATCHKEY_STALLED_BODIES", 300);
    assert_unfinished_cost_little("stalled body", number, 150, |address| {
        let head = format!("POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        format!("{head}Content-Length: 60000\r\n\r\n{{\"query\": \"{}", "x".repeat(50_000))
    });
}

#[test]
fn two_servers_on_one_host_do_not_sign_each_other_out() {
    let (_folder, url, _) = database();
    let (_other_folder, other_url, _) = database();
    let servers = [serve_with(&url, &[]), serve_with(&other_url, &[])];
    let mut jar: Vec<(String, String)> = Vec::new();
    let mut send = |server: &Server, request: &str, body: &str| {
        let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let address = server.address;
        let text = exchange(
            address,
            format!(
                "{request} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {}\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                cookies.join("; "),
                body.len()
            )
            .as_bytes(),
        );
        for line in text.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            jar.retain(|(kept, _)| kept != name);
            if !line.contains("Max-Age=0") {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
        text
    };
    let body = format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    for server in &servers {
        assert!(send(server, "POST /sign-in", &body).starts_with("HTTP/1.1 303 "));
    }
    for server in servers.iter().chain(&servers) {
        assert!(send(server, "GET /user/api-keys", "").starts_with("HTTP/1.1 200 "));
    }
    assert!(send(&servers[1], "POST /sign-out", "").contains("signed-out"));
    assert!(send(&servers[0], "GET /user/api-keys", "").starts_with("HTTP/1.1 200 "), "still signed in");
    assert!(send(&servers[1], "GET /user/api-keys", "").starts_with("HTTP/1.1 303 "));
}
