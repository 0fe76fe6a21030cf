//! Loads servers over many connections, in interleaved rounds.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    measuring::median,
    support::{connect, request, send},
};

/// How often each request is measured.
pub const ROUNDS: usize = 5;
/// How long one measurement takes.
pub const ROUND: Duration = Duration::from_secs(2);

/// A request that is sent repeatedly.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub address: SocketAddr,
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Case {
    /// Returns a request that is answered with status 200.
    pub fn new(
        name: &'static str,
        (address, method, path): (SocketAddr, &'static str, &str),
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Self {
        Self { name, address, method, path: path.to_owned(), headers, body }
    }
}

/// The result of one round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Requests per second.
    pub rate: f64,
    /// The 99th percentile of the response times, in milliseconds.
    pub p99: f64,
}

/// Sends a request over several connections as fast as it is answered.
pub async fn round(case: &Case, connections: usize) -> Round {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..connections {
        let case = case.clone();
        tasks.spawn(async move {
            let (mut connection, mut times) = (connect(case.address).await, Vec::new());
            while start.elapsed() < ROUND {
                let request = request(case.address, case.method, &case.path, &case.headers, case.body.clone());
                let begun = Instant::now();
                let status = send(&mut connection, request).await.map(|(status, _)| status);
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
                assert_eq!(status, Some(200), "{}", case.name);
            }
            times
        });
    }
    let mut times = tasks.join_all().await.concat();
    #[expect(clippy::cast_precision_loss, reason = "the number is small")]
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Round { rate, p99: times[times.len() * 99 / 100] }
}

/// Measures all requests in turn, and prints each compared with the first one.
#[expect(clippy::print_stdout, reason = "a benchmark speaks by printing")]
pub async fn compare(cases: &[Case], connections: usize) {
    let mut rounds = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (case, rounds) in cases.iter().zip(&mut rounds) {
            rounds.push(round(case, connections).await);
        }
    }
    let first = cases[0].name;
    println!("\n| {connections} connections | requests/s | × {first} | p99 | × {first} |\n|---|---:|---:|---:|---:|");
    for (case, own) in cases.iter().zip(&rounds) {
        let of = |value: fn(&Round) -> f64| median(own.iter().map(value).collect());
        let ratio = |value: fn(&Round) -> f64| {
            median(own.iter().zip(&rounds[0]).map(|(own, first)| value(own) / value(first)).collect())
        };
        println!(
            "| {} | {:.0} | {:.2} | {:.2} ms | {:.2} |",
            case.name,
            of(|round| round.rate),
            ratio(|round| round.rate),
            of(|round| round.p99),
            ratio(|round| round.p99),
        );
    }
}

/// Serves an empty response to every request, as axum and hyper do it without anything else.
#[expect(clippy::print_stdout, reason = "whoever started the process reads the address")]
pub async fn empty_server() {
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
