//! Tests that need a whole process: the command line, many concurrent connections, and a killed server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod backup;
mod command_line;
mod crash;
mod delays;
#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod disk;
mod documents;
mod edge;
mod edge_proxies;
mod envoy_grpc;
#[cfg(target_os = "linux")]
mod faults;
mod forward_auth;
mod gateway;
mod gateway_prefect;
mod import;
mod litestream;
mod load;
mod logs;
mod metrics;
mod operator;
mod operator_commands;
mod postgres;
mod proxies;
mod scan;
mod secrets;
mod settings;
#[cfg(target_os = "linux")]
mod sign_in_flood;
mod storm;
mod support;
mod traces;
mod verifier;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{Connection, connect, fill, request, send, serve, sign_in};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
const CREATES: usize = 1_000;

/// Runs a story on a database file and, if `LATCHKEY_TEST_POSTGRES` names a server, on `PostgreSQL`.
fn on_both<F, Fut>(story: F)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        story(format!("sqlite:{}", folder.path().join("test.db").display())).await;
        if let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") {
            service::testing::with_postgres(&server, story).await;
        }
    });
}

/// Returns the number in an environment variable, or another one if it isn't set.
fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn json_headers(token: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {token}"))]
}

/// Creates a key. Returns its token once the server has acknowledged it, or `None` if the connection broke.
async fn create(
    connection: &mut Connection,
    address: SocketAddr,
    token: &str,
    owner: &str,
    name: usize,
) -> Option<String> {
    let query = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { token } }";
    let body = json!({"query": query, "variables": {"input": {"user_id": owner, "name": format!("key {name}")}}});
    for _ in 0..20 {
        let asked = request(address, "POST", "/graphql", &json_headers(token), body.to_string());
        let (status, text) = send(connection, asked).await?;
        let answer: Value = serde_json::from_str(&text).unwrap();
        // On a slow machine, a client may wait too long for its turn, and tries again.
        if answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE" {
            continue;
        }
        assert!(status == 200 && answer.get("errors").is_none(), "{status} {text}");
        return Some(answer["data"]["create_api_key"]["token"].as_str().unwrap().to_owned());
    }
    panic!("the database stayed busy");
}

/// Creates service accounts, because each may have a limited number of keys. Returns their ids.
fn accounts(database: &str) -> Vec<String> {
    (0..4).map(|number| support::account(database, &format!("Builder {number}")).0).collect()
}

/// Creates keys over many connections at once until there are `most` or the server is gone. Returns the tokens that it
/// acknowledged.
async fn create_many(
    address: SocketAddr,
    token: &str,
    owners: &[String],
    most: usize,
    made: &Arc<AtomicUsize>,
) -> Vec<String> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, made, token, owners) = (Arc::clone(&next), Arc::clone(made), token.to_owned(), owners.to_vec());
        tasks.spawn(async move {
            let (mut tokens, mut connection) = (Vec::new(), connect(address).await);
            loop {
                let name = next.fetch_add(1, Ordering::SeqCst);
                if name >= most {
                    return tokens;
                }
                let owner = &owners[name % owners.len()];
                let Some(new) = create(&mut connection, address, &token, owner, name).await else { return tokens };
                tokens.push(new);
                made.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    tasks.join_all().await.concat()
}

async fn assert_all_verify(address: SocketAddr, tokens: &[String]) {
    let mut connection = connect(address).await;
    for token in tokens {
        let headers = [("content-type", "application/json".to_owned())];
        let body = json!({ "token": token }).to_string();
        let (status, text) =
            send(&mut connection, request(address, "POST", "/api/v1/verify", &headers, body)).await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(status == 200 && answer["valid"] == true, "{status} {text}");
    }
}

#[test]
fn a_thousand_keys_created_over_64_connections_all_verify() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        let accounts = accounts(&database);
        let server = serve(&database);
        let begun = Instant::now();
        let tokens = create_many(server.address, &token, &accounts, CREATES, &Arc::default()).await;
        println!("{CREATES} keys created in {:?}", begun.elapsed());
        assert_eq!(tokens.len(), CREATES, "all creations were acknowledged");
        assert_all_verify(server.address, &tokens).await;
    });
}

#[test]
fn acknowledged_keys_survive_a_killed_server() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        let accounts = accounts(&database);
        let server = serve(&database);
        let (address, made) = (server.address, Arc::new(AtomicUsize::new(0)));
        let creating = {
            let (token, made) = (token.clone(), Arc::clone(&made));
            tokio::spawn(async move { create_many(address, &token, &accounts, usize::MAX, &made).await })
        };
        while made.load(Ordering::SeqCst) < 100 {
            assert!(!creating.is_finished(), "every connection failed");
            assert!(!creating.is_finished(), "a key could not be created before the server was killed");
            tokio::task::yield_now().await;
        }
        // Sends SIGKILL while requests are in progress.
        drop(server);
        let tokens = creating.await.unwrap();
        assert!(tokens.len() >= 100);
        let server = serve(&database);
        assert_all_verify(server.address, &tokens).await;
    });
}

#[test]
fn pages_are_served_over_many_connections() {
    on_both(async |database| {
        fill(&database);
        let server = serve(&database);
        let (address, cookie) = (server.address, sign_in(server.address).await);
        let mut tasks = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let cookie = cookie.clone();
            tasks.spawn(async move {
                let path = if connection % 2 == 0 { "/user/api-keys" } else { "/team/service-accounts" };
                let mut connection = connect(address).await;
                for _ in 0..5 {
                    let page = request(address, "GET", path, &[("cookie", cookie.clone())], String::new());
                    let (status, text) = send(&mut connection, page).await.expect("the connection stays open");
                    assert!(status == 200 && text.contains("</main>"), "{status}, {} bytes", text.len());
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn every_bomb_is_refused_in_less_than_a_tenth_of_a_second() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        let server = serve(&database);
        let mut connection = connect(server.address).await;
        for (name, query) in support::bombs() {
            let body = json!({ "query": query }).to_string();
            let mut quickest = Duration::MAX;
            // The fastest of three attempts, because other load on the machine may slow one down.
            for _ in 0..3 {
                let begun = Instant::now();
                let request = request(server.address, "POST", "/graphql", &json_headers(&token), body.clone());
                let (status, text) = send(&mut connection, request).await.expect("the server is running");
                assert!(status == 400 || text.contains("\"errors\""), "{name}: {status} {text}");
                quickest = quickest.min(begun.elapsed());
            }
            assert!(quickest < Duration::from_millis(100), "{name}: {quickest:?}");
        }
    });
}
