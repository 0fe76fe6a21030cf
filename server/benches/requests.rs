//! Measures how fast requests are answered, compared to an empty axum handler in the same run.
//!
//! Starts the built `latchkey` and, in a separate process, a server that answers every request with an empty response.
//! Loads both over 64 connections in interleaved rounds, and prints the medians of the ratios. Uses loopback only.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

#[path = "measuring/load.rs"]
mod load;
mod measuring;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use load::{Case, ROUND, ROUNDS, compare, empty_server};
use measuring::{median, runtime};
use support::{Server, admin, connect, fill, request, send, serve, sign_in, start};

const CONNECTIONS: usize = 64;
const KEYS: usize = 25;

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
        compare(&cases, CONNECTIONS).await;
        measure_bombs(&cases[1], latchkey.address, &token).await;
    });
}

async fn cases(empty: SocketAddr, latchkey: SocketAddr, token: &str, cut_off: &str) -> Vec<Case> {
    let cookie = sign_in(latchkey).await;
    let json = || ("content-type", "application/json".to_owned());
    let bearer = ("authorization", format!("Bearer {token}"));
    let case =
        |name, address, method, path: &str, headers, body| Case::new(name, (address, method, path), headers, body);
    let query = r#"{"query":"query { auth_api_key { id name expires_at } }","variables":"null"}"#.to_owned();
    vec![
        case("empty axum handler", empty, "POST", "/", vec![json()], "{}".to_owned()),
        case("verify valid key", latchkey, "POST", "/api/v1/verify", vec![json()], format!(r#"{{"token":"{token}"}}"#)),
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
