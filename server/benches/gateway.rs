//! Measures how fast the gateway forwards, compared with what it replaces: nginx that passes on requests after it has asked
//! Latchkey about each with `auth_request`.
//!
//! Starts the built `latchkey` with a gateway, nginx, and a process that answers every request with an empty response, which
//! is the upstream of both. Both have a thread or a worker for each core, and keep their connections. Loads each in
//! interleaved rounds over 64 and then 256 connections, and prints the medians of the ratios. `-- 64` measures only that many
//! connections. Uses loopback only.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

#[path = "measuring/load.rs"]
mod load;
mod measuring;
#[path = "measuring/nginx.rs"]
mod nginx;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{net::SocketAddr, process::Command};

use load::{Case, compare, empty_server};
use measuring::runtime;
use nginx::{Nginx, free_address};
use support::{connect, fill, latchkey, request, send, start};

const CONNECTIONS: [usize; 2] = [64, 256];

fn main() {
    if std::env::args().any(|argument| argument == "--empty-server") {
        return runtime().block_on(empty_server());
    }
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("bench.db").display());
    let (_, token) = fill(&database);
    let upstream = start(Command::new(std::env::current_exe().unwrap()).arg("--empty-server"));
    let gateway = free_address();
    let entry = format!("bench={gateway}=http://{}", upstream.address);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &database, "--gateway", &entry];
    let server = start(latchkey().args(serve));
    let settings = |address| asking(address, upstream.address, server.address);
    let place = tempfile::tempdir().unwrap();
    let Some(nginx) = Nginx::start(place.path(), settings) else {
        println!("nginx isn't installed");
        return;
    };
    let case = |name, address| {
        Case::new(name, (address, "GET", "/page"), vec![("authorization", format!("Bearer {token}"))], String::new())
    };
    let cases = [
        case("nginx: proxy_pass and auth_request", nginx.address),
        case("gateway", gateway),
        case("the upstream alone", upstream.address),
    ];
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    runtime().block_on(async {
        for case in &cases {
            let asked = request(case.address, case.method, &case.path, &case.headers, String::new());
            let (status, body) = send(&mut connect(case.address).await, asked).await.unwrap();
            assert_eq!(status, 200, "{}: {body}", case.name);
        }
        for address in [gateway, nginx.address] {
            let asked = request(address, "GET", "/page", &[], String::new());
            assert_eq!(send(&mut connect(address).await, asked).await.unwrap().0, 401, "without a key");
        }
        for connections in CONNECTIONS.into_iter().filter(|count| chosen.is_empty() || chosen.contains(count)) {
            compare(&cases, connections).await;
        }
    });
}

/// Returns the settings of an nginx that asks Latchkey about every request.
fn asking(address: SocketAddr, upstream: SocketAddr, latchkey: SocketAddr) -> String {
    format!(
        "upstream app {{ server {upstream}; keepalive 256; keepalive_requests 100000000; }}
         upstream latchkey {{ server {latchkey}; keepalive 256; keepalive_requests 100000000; }}
         proxy_http_version 1.1;
         server {{ listen {address};
           location / {{
             auth_request /check;
             auth_request_set $subject $upstream_http_x_latchkey_subject;
             proxy_set_header Connection \"\";
             proxy_set_header Authorization \"\";
             proxy_set_header X-Latchkey-Subject $subject;
             proxy_pass http://app;
           }}
           location = /check {{
             internal;
             proxy_pass_request_body off;
             proxy_set_header Connection \"\";
             proxy_set_header Content-Length \"\";
             proxy_set_header Host $http_host;
             proxy_set_header X-Original-URI $request_uri;
             proxy_set_header X-Original-Method $request_method;
             proxy_pass http://latchkey/auth/forward;
           }} }}"
    )
}
