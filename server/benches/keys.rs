//! Measures whether verification is as fast with a million keys as with a thousand, how much memory a key takes, and how
//! long the server takes to start.
//!
//! Fills a database, serves it with the built `latchkey`, verifies each key once, so that all of them are in memory, and then
//! verifies keys at random over 64 connections, in turn for each number of keys. `-- 1000 100000` measures these numbers.
//! Uses loopback only, and reads `/proc`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]
#![expect(clippy::cast_precision_loss, reason = "the numbers are small")]

mod measuring;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use measuring::{median, runtime};
use service::{Clock, Services, Settings, testing::add_valid_keys};
use support::{Server, connect, fill, request, send, serve};

const NUMBERS: [usize; 3] = [1_000, 100_000, 1_000_000];
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// How many tokens one request of the warm-up contains.
const BATCH: usize = 100;

/// A server with keys.
struct Side {
    server: Server,
    tokens: Arc<Vec<String>>,
    started_in: f64,
    idle: f64,
    rates: Vec<f64>,
}

fn main() {
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let numbers = if chosen.is_empty() { NUMBERS.to_vec() } else { chosen };
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let mut sides = Vec::new();
    for number in numbers {
        let database = format!("sqlite:{}", folder.path().join(format!("{number}.db")).display());
        fill(&database);
        let tokens = runtime.block_on(tokens_in(&database, number));
        let begun = Instant::now();
        let server = serve(&database);
        let started_in = begun.elapsed().as_secs_f64();
        let idle = resident(&server);
        sides.push(Side { server, tokens: Arc::new(tokens), started_in, idle, rates: Vec::new() });
    }
    let before: Vec<f64> = sides.iter().map(|side| resident(&side.server)).collect();
    for side in &sides {
        runtime.block_on(warm_up(side));
    }
    // Usage is kept in memory until it is written.
    for side in &sides {
        runtime.block_on(wait_until_written(side));
    }
    let after: Vec<f64> = sides.iter().map(|side| resident(&side.server)).collect();
    for _ in 0..ROUNDS {
        for side in &mut sides {
            let rate = runtime.block_on(rate(side));
            side.rates.push(rate);
        }
    }
    println!(
        "| keys | start | resident, idle | resident, all keys known | bytes a key | verifications/s | × the first |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for (place, side) in sides.iter().enumerate() {
        let ratios = side.rates.iter().zip(&sides[0].rates).map(|(own, first)| own / first).collect();
        println!(
            "| {} | {:.2} s | {:.0} MiB | {:.0} MiB | {:.0} | {:.0} | {:.2} |",
            side.tokens.len(),
            side.started_in,
            side.idle / 1_048_576.0,
            after[place] / 1_048_576.0,
            (after[place] - before[place]) / side.tokens.len() as f64,
            median(side.rates.clone()),
            median(ratios),
        );
    }
}

async fn tokens_in(database: &str, number: usize) -> Vec<String> {
    let services = Services::open(&Settings::new(database), Clock::system()).await.unwrap();
    let tokens = add_valid_keys(&services, "bench", number).await.unwrap();
    services.close().await;
    tokens
}

/// Returns the resident memory of a server, in bytes.
fn resident(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1_024.0
}

fn json() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

/// Verifies each key once.
async fn warm_up(side: &Side) {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let (tokens, address) = (Arc::clone(&side.tokens), side.server.address);
        tasks.spawn(async move {
            let mut connection = connect(address).await;
            for batch in tokens.chunks(BATCH).skip(lane).step_by(8) {
                let keys: Vec<_> = batch.iter().map(|token| serde_json::json!({ "token": token })).collect();
                let body = serde_json::json!({ "keys": keys }).to_string();
                let (status, body) =
                    send(&mut connection, request(address, "POST", "/api/v1/verify/batch", &json(), body))
                        .await
                        .unwrap();
                assert_eq!((status, body.matches("\"valid\":true").count()), (200, batch.len()), "{body}");
            }
        });
    }
    tasks.join_all().await;
}

/// Waits until the usage of all keys is in the database: the page of a key writes it, and is then fast.
async fn wait_until_written(side: &Side) {
    let mut last = f64::MAX;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = resident(&side.server);
        if now >= last - 1_048_576.0 {
            return;
        }
        last = now;
    }
}

/// Returns how many random keys are verified per second.
async fn rate(side: &Side) -> f64 {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for lane in 0..CONNECTIONS {
        tasks.spawn(verify_many(side.server.address, Arc::clone(&side.tokens), lane, start));
    }
    let counts = tasks.join_all().await;
    counts.into_iter().sum::<usize>() as f64 / start.elapsed().as_secs_f64()
}

async fn verify_many(address: SocketAddr, tokens: Arc<Vec<String>>, lane: usize, start: Instant) -> usize {
    let mut connection = connect(address).await;
    let (mut count, mut place) = (0, lane * 7_919);
    while start.elapsed() < ROUND {
        // A walk that looks random to the caches.
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let token = &tokens[(place >> 20) % tokens.len()];
        let body = format!(r#"{{"token":"{token}"}}"#);
        let answer = send(&mut connection, request(address, "POST", "/api/v1/verify", &json(), body)).await;
        assert!(answer.is_some_and(|(status, body)| status == 200 && body.starts_with("{\"valid\":true")));
        count += 1;
    }
    count
}
