//! The log: its formats, one line a request, and no token in it.

use serde_json::{Value, json};

use crate::{
    operator::{Logged, Place, json_lines},
    support::{connect, fill, request, send},
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
        let request = &line["spans"][0];
        assert!(request["id"].is_string() && request["method"].is_string() && request["path"].is_string(), "{line}");
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
