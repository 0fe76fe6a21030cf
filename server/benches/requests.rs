//! Measures how fast requests are answered, compared to an empty axum handler in the same run.
//!
//! Starts the built `latchkey` and, in a separate process, a server that answers every request with an empty response.
//! Loads both over 64 connections in interleaved rounds, and prints the medians of the ratios. Uses loopback only.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

mod measuring;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use measuring::{median, runtime};
use support::{Server, admin, connect, fill, request, send, serve, sign_in, start};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const KEYS: usize = 25;

/// A request that is sent repeatedly.
#[derive(Clone)]
struct Case {
    name: &'static str,
    address: SocketAddr,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn main() {
    if std::env::args().any(|argument| argument == "--empty-server") {
        return runtime().block_on(empty_server());
    }
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("bench.db").display());
    let (_, token) = fill(&database);
    for n in 0..KEYS {
        let name = format!("key {n}");
        admin(&database, &["create-key", "--tenant", "bench", "--user", support::EMAIL, "--name", &name], "");
    }
    let (account, cut_off) = support::account(&database, "Cut off");
    admin(&database, &["delete-service-account", &account, "--tenant", "bench"], "");
    let empty: Server = start(Command::new(std::env::current_exe().unwrap()).arg("--empty-server"));
    let latchkey = serve(&database);
    runtime().block_on(async {
        let cases = cases(empty.address, latchkey.address, &token, &cut_off).await;
        measure(&cases).await;
        measure_bombs(&cases[1], latchkey.address, &token).await;
    });
}

async fn empty_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || ());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}

async fn cases(empty: SocketAddr, latchkey: SocketAddr, token: &str, cut_off: &str) -> Vec<Case> {
    let cookie = sign_in(latchkey).await;
    let json = || ("content-type", "application/json".to_owned());
    let bearer = ("authorization", format!("Bearer {token}"));
    let case = |name, address, method, path: &str, headers, body: String| Case {
        name,
        address,
        method,
        path: path.to_owned(),
        headers,
        body,
    };
    let query = r#"{"query":"query { auth_api_key { id name expires_at } }","variables":"null"}"#.to_owned();
    vec![
        case("empty axum handler", empty, "POST", "/", vec![json()], "{}".to_owned()),
        case("verify valid key", latchkey, "POST", "/api/v1/verify", vec![json()], format!(r#"{{"token":"{token}"}}"#)),
        case(
            "verify malformed token",
            latchkey,
            "POST",
            "/api/v1/verify",
            vec![json()],
            r#"{"token":"lku_garbage"}"#.to_owned(),
        ),
        case(
            "GraphQL, agent with a revoked key",
            latchkey,
            "POST",
            "/",
            vec![json(), ("authorization", format!("Bearer {cut_off}"))],
            r#"{"query":"mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }","variables":"{\"input\": {}}"}"#.to_owned(),
        ),
        case("GraphQL auth_api_key", latchkey, "POST", "/graphql", vec![json(), bearer], query),
        case("page /user/api-keys", latchkey, "GET", "/user/api-keys", vec![("cookie", cookie.clone())], String::new()),
        case(
            "page /team/service-accounts",
            latchkey,
            "GET",
            "/team/service-accounts",
            vec![("cookie", cookie)],
            String::new(),
        ),
    ]
}

/// Returns the requests per second over one round.
async fn rate(case: &Case) -> f64 {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        let case = case.clone();
        tasks.spawn(async move {
            let mut connection = connect(case.address).await;
            let mut count = 0_u32;
            while start.elapsed() < ROUND {
                let request = request(case.address, case.method, &case.path, &case.headers, case.body.clone());
                let status = send(&mut connection, request).await.map(|(status, _)| status);
                assert_eq!(status, Some(200), "{}", case.name);
                count += 1;
            }
            count
        });
    }
    let counts = tasks.join_all().await;
    f64::from(counts.into_iter().sum::<u32>()) / start.elapsed().as_secs_f64()
}

async fn measure(cases: &[Case]) {
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (case, rates) in cases.iter().zip(&mut rates) {
            rates.push(rate(case).await);
        }
    }
    println!("| request | requests/s (median) | × empty handler (median of {ROUNDS} rounds) |\n|---|---:|---:|");
    for (case, own) in cases.iter().zip(&rates) {
        let ratios = own.iter().zip(&rates[0]).map(|(own, empty)| own / empty).collect();
        println!("| {} | {:.0} | {:.3} |", case.name, median(own.clone()), median(ratios));
    }
}

/// Measures how long a healthy request takes alone, beside harmless queries, and beside queries that the guard refuses.
async fn measure_bombs(healthy: &Case, address: SocketAddr, token: &str) {
    let body = |query: String| format!("{{\"query\":{}}}", serde_json::Value::from(query));
    let bombs: Vec<String> = support::bombs().into_iter().map(|(_, query)| body(query)).collect();
    let loads: [(&str, u64, Vec<String>); 5] = [
        ("alone", 100, Vec::new()),
        ("with 100 harmless queries/s", 100, vec![body("{ hello }".to_owned())]),
        ("with 100 harmful queries/s", 100, bombs.clone()),
        ("with 400 harmless queries/s", 400, vec![body("{ hello }".to_owned())]),
        ("with 400 harmful queries/s", 400, bombs),
    ];
    let mut times = vec![Vec::new(); loads.len()];
    for _ in 0..ROUNDS {
        for ((_, rate, bodies), times) in loads.iter().zip(&mut times) {
            let sending = tokio::spawn(send_beside(address, token.to_owned(), *rate, bodies.clone()));
            times.push(p99(healthy).await);
            sending.abort();
        }
    }
    println!("\n| verify valid key, 2,000/s | p99 (median of {ROUNDS} rounds) | × alone |\n|---|---:|---:|");
    for ((name, ..), own) in loads.iter().zip(&times) {
        let ratios = own.iter().zip(&times[0]).map(|(own, alone)| own / alone).collect();
        println!("| {name} | {:.2} ms | {:.2} |", median(own.clone()), median(ratios));
    }
}

/// Returns the 99th percentile of the response times at 2,000 requests per second, in milliseconds.
async fn p99(case: &Case) -> f64 {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..8 {
        let case = case.clone();
        tasks.spawn(async move {
            let (mut connection, mut times) = (connect(case.address).await, Vec::new());
            let mut pace = tokio::time::interval(Duration::from_millis(4));
            while start.elapsed() < ROUND {
                pace.tick().await;
                let begun = Instant::now();
                let request = request(case.address, case.method, &case.path, &case.headers, case.body.clone());
                assert!(send(&mut connection, request).await.is_some_and(|(status, _)| status == 200));
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
            times
        });
    }
    let mut times = tasks.join_all().await.concat();
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

/// Sends the bodies in turn, `rate` per second over 8 connections, until it is aborted.
async fn send_beside(address: SocketAddr, token: String, rate: u64, bodies: Vec<String>) {
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..8 {
        let bodies = bodies.clone();
        let headers =
            vec![("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {token}"))];
        tasks.spawn(async move {
            let mut sender = connect(address).await;
            let mut pace = tokio::time::interval(Duration::from_micros(8_000_000 / rate));
            // Each connection starts with a different body, so that all kinds are mixed at any time.
            for body in bodies.iter().cycle().skip(connection) {
                pace.tick().await;
                send(&mut sender, request(address, "POST", "/graphql", &headers, body.clone())).await;
            }
        });
    }
    tasks.join_all().await;
}
