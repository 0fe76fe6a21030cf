//! The log: its formats, one line a request, and no token in it.

use serde_json::{Value, json};

use crate::{
    operator::{Logged, Place, json_lines},
    support::{self, connect, fill, request, send},
};

/// Serves a database with settings of the log, sends some requests, and returns the log.
fn log_of(settings: &[&str]) -> (String, String) {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    let path = place.path("log");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut command = place.command(&[&["serve", "--listen", "127.0.0.1:0"], settings].concat());
        let server = Logged::start(&mut command, &path);
        let address = server.address("listening");
        let bearer = ("authorization", format!("Bearer {token}"));
        let json = ("content-type", "application/json".to_owned());
        for (method, path, headers, body) in [
            ("GET", "/health/live".to_owned(), vec![], String::new()),
            ("POST", "/api/v1/verify".to_owned(), vec![json.clone()], json!({ "token": token }).to_string()),
            ("GET", format!("/api/v1/{token}"), vec![bearer.clone()], String::new()),
            ("GET", format!("/user/api-keys?q={token}"), vec![bearer.clone()], String::new()),
            ("POST", "/graphql".to_owned(), vec![json, bearer], json!({ "query": "{ hello }" }).to_string()),
        ] {
            send(&mut connect(address).await, request(address, method, &path, &headers, body)).await.unwrap();
        }
        server.stop();
    });
    (std::fs::read_to_string(path).unwrap(), token)
}

#[test]
fn each_request_leaves_one_line_of_json_without_a_token() {
    let (log, token) = log_of(&["--log", "debug", "--log-format", "json"]);
    let lines = json_lines(&log);
    let access: Vec<&Value> = lines.iter().filter(|line| line["target"] == "access").collect();
    assert_eq!(access.len(), 5, "{log}");
    for line in &access {
        assert!(line["status"].is_u64() && line["milliseconds"].is_f64() && line["level"] == "DEBUG", "{line}");
        // The verification endpoints have no span.
        let request = if line["spans"].is_array() { &line["spans"][0] } else { *line };
        assert!(request["method"].is_string() && request["path"].is_string(), "{line}");
        assert!(request["id"].is_string() || request["path"] == "/api/v1/verify", "{line}");
    }
    assert_eq!(access[0]["spans"][0]["path"], "/health/live");
    assert!(access[4]["spans"][0]["api_key.id"].is_string(), "{}", access[4]);
    assert!(!log.contains(&token[8..]), "a token is in the log");
}

#[test]
fn a_log_that_no_terminal_shows_has_no_colors_and_requests_only_on_demand() {
    for (filter, requests) in [("info", 0), ("info,access=debug", 5), ("debug", 5)] {
        let (log, token) = log_of(&["--log", filter]);
        assert!(!log.contains('\u{1b}'), "{log}");
        assert_eq!(log.lines().filter(|line| line.contains(" access: ")).count(), requests, "{filter}: {log}");
        assert!(!log.contains(&token[8..]), "a token is in the log");
    }
}

/// A request whose line in the log is longer than ten kilobytes.
fn long_request(address: std::net::SocketAddr) -> hyper::Request<http_body_util::Full<hyper::body::Bytes>> {
    request(address, "GET", &format!("/nothing/{}", "x".repeat(10_000)), &[], String::new())
}

#[cfg(unix)]
#[test]
fn a_log_that_nobody_reads_delays_no_request_and_says_what_was_lost_once_it_is_read() {
    let place = Place::new();
    fill(&place.database);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = ["serve", "--listen", "127.0.0.1:0", "--log", "access=debug,info", "--drain-delay", "0"];
        let mut server = support::start(place.command(&settings).stderr(std::process::Stdio::piped()));
        let log = server.take_errors();
        let mut connection = connect(server.address).await;
        // More than what the pipe and the queue can hold.
        for _ in 0..1_000 {
            let answer = send(&mut connection, long_request(server.address));
            let answer = tokio::time::timeout(std::time::Duration::from_mins(1), answer).await;
            assert_eq!(answer.expect("the request waits for the log").unwrap().0, 404);
        }
        let reading = std::thread::spawn(move || {
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(log)).map(Result::unwrap);
            lines.find(|line| line.contains("log entries were lost")).expect("the log says what was lost")
        });
        let line = reading.join().unwrap();
        let lost: u32 = line.rsplit("lost=").next().unwrap().trim().parse().unwrap();
        assert!((100..1_000).contains(&lost), "{line}");
        server.terminate();
        assert_eq!(server.wait(), Some(0));
    });
}

#[cfg(unix)]
#[test]
fn a_server_whose_log_nobody_reads_ends_when_it_is_told_to() {
    let place = Place::new();
    fill(&place.database);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = ["serve", "--listen", "127.0.0.1:0", "--log", "access=debug,info", "--drain-delay", "0"];
        let mut server = support::start(place.command(&settings).stderr(std::process::Stdio::piped()));
        let _unread = server.take_errors();
        let mut connection = connect(server.address).await;
        for _ in 0..1_000 {
            send(&mut connection, long_request(server.address)).await.unwrap();
        }
        drop(connection);
        let begun = std::time::Instant::now();
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_fails_no_request() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--log", "trace"]);
        let server = Logged::start(&mut command, std::path::Path::new("/dev/full"));
        let address = server.address("listening");
        for _ in 0..20 {
            let headers = [("content-type", "application/json".to_owned())];
            let body = json!({ "token": token }).to_string();
            let request = request(address, "POST", "/api/v1/verify", &headers, body);
            let (status, text) = send(&mut connect(address).await, request).await.unwrap();
            assert!(status == 200 && text.contains("\"valid\":true"), "{status} {text}");
        }
        server.stop();
    });
}
