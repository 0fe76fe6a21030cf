//! How fast the doors are, against an empty axum handler in the same run.
//!
//! Starts the built `latchkey` and, in a process of its own, a server that answers every request with nothing; loads
//! both from here over 64 connections in interleaved rounds, and prints the medians of the ratios. Only loopback.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const KEYS: usize = 25;
const PASSWORD: &str = "seven lamps under the pier";

/// A process that ends with the benchmark.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// One request that is sent over and over.
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
    let token = fill(&database);
    let (_empty, empty) = start(Command::new(std::env::current_exe().unwrap()).arg("--empty-server"));
    let (_latchkey, latchkey) =
        start(latchkey_command().args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database]));
    runtime().block_on(async move {
        let cases = cases(empty, latchkey, &token).await;
        measure(&cases).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

fn latchkey_command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_latchkey"))
}

async fn empty_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || ());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Starts a server and reads where it listens.
fn start(command: &mut Command) -> (Process, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on http://")).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    let address = line.rsplit("http://").next().unwrap().trim().trim_end_matches('/').parse().unwrap();
    (Process(child), address)
}

fn admin(database: &str, arguments: &[&str], input: &str) -> String {
    let mut child = latchkey_command()
        .arg("admin")
        .args(arguments)
        .args(["--database-url", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A tenant with an administrator and a page full of keys; gives one token.
fn fill(database: &str) -> String {
    let migrated =
        latchkey_command().args(["migrate", "--database-url", database]).stderr(Stdio::null()).status().unwrap();
    assert!(migrated.success());
    admin(database, &["create-tenant", "--name", "Bench", "--slug", "bench"], "");
    let user = [
        "create-user",
        "--email",
        "bench@example.org",
        "--tenant",
        "bench",
        "--role",
        "TENANT_ADMIN",
        "--password-stdin",
    ];
    admin(database, &user, PASSWORD);
    let account = admin(database, &["create-service-account", "--tenant", "bench", "--name", "Bench"], "");
    for n in 0..KEYS {
        let name = format!("key {n}");
        admin(database, &["create-key", "--tenant", "bench", "--user", "bench@example.org", "--name", &name], "");
    }
    admin(database, &["create-key", "--tenant", "bench", "--service-account", &account, "--name", "hit"], "")
}

async fn cases(empty: SocketAddr, latchkey: SocketAddr, token: &str) -> Vec<Case> {
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
        case("verify, good key", latchkey, "POST", "/api/v1/verify", vec![json()], format!(r#"{{"token":"{token}"}}"#)),
        case(
            "verify, garbage",
            latchkey,
            "POST",
            "/api/v1/verify",
            vec![json()],
            r#"{"token":"lku_garbage"}"#.to_owned(),
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

async fn sign_in(address: SocketAddr) -> String {
    let body = format!("email=bench%40example.org&password={}", PASSWORD.replace(' ', "+"));
    let headers =
        vec![("content-type", "application/x-www-form-urlencoded".to_owned()), ("origin", format!("http://{address}"))];
    let case = Case { name: "sign in", address, method: "POST", path: "/sign-in".to_owned(), headers, body };
    let mut sender = connect(address).await;
    let answer = sender.send_request(request(&case)).await.unwrap();
    assert_eq!(answer.status(), 303, "signing in");
    let cookies = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    cookies.collect::<Vec<_>>().join("; ")
}

async fn connect(address: SocketAddr) -> http1::SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(case: &Case) -> Request<Full<Bytes>> {
    let mut request =
        Request::builder().method(case.method).uri(case.path.as_str()).header("host", case.address.to_string());
    for (name, value) in &case.headers {
        request = request.header(*name, value);
    }
    request.body(Full::from(case.body.clone())).unwrap()
}

/// Requests a second over one round.
async fn rate(case: &Case) -> f64 {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        let case = case.clone();
        tasks.spawn(async move {
            let mut sender = connect(case.address).await;
            let mut count = 0_u32;
            while start.elapsed() < ROUND {
                let answer = sender.send_request(request(&case)).await.unwrap();
                assert_eq!(answer.status(), 200, "{}", case.name);
                answer.into_body().collect().await.unwrap();
                sender.ready().await.unwrap();
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
