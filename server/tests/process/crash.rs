//! A server that is killed again and again while keys are created, rotated and revoked. Every acknowledged change holds,
//! and the audit log is intact.
//!
//! `LATCHKEY_CRASHES` sets how often each database's server is killed: 50 times by default, 500 times in `make soak`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    json_headers, on_both,
    support::{Connection, Server, connect, fill, latchkey, request, send, serve},
};

const WORKERS: usize = 8;

/// What was acknowledged.
#[derive(Default)]
struct Facts {
    /// By token, whether it must be valid. A token whose change was sent but not acknowledged isn't here.
    valid: BTreeMap<String, bool>,
    requests: usize,
    late_acceptances: usize,
}

/// Sends a GraphQL mutation. Returns the value of its field, or `None` if the connection broke.
async fn mutate(connection: &mut Connection, address: SocketAddr, token: &str, mutation: &str) -> Option<Value> {
    let body = json!({"query": format!("mutation {{ result: {mutation} }}")}).to_string();
    let (status, text) = send(connection, request(address, "POST", "/graphql", &json_headers(token), body)).await?;
    let mut answer: Value = serde_json::from_str(&text).ok()?;
    assert!(status == 200 && answer.get("errors").is_none(), "{status} {text}");
    Some(answer["data"]["result"].take())
}

/// Returns whether a token is valid, or `None` if the connection broke.
async fn verify(connection: &mut Connection, address: SocketAddr, token: &str) -> Option<bool> {
    let headers = [("content-type", "application/json".to_owned())];
    let body = json!({ "token": token }).to_string();
    let (status, text) = send(connection, request(address, "POST", "/api/v1/verify", &headers, body)).await?;
    let answer: Value = serde_json::from_str(&text).ok()?;
    assert_eq!(status, 200, "{text}");
    answer["valid"].as_bool()
}

/// Creates, rotates and revokes keys until the server is gone.
async fn work(address: SocketAddr, token: String, account: String, facts: Arc<Mutex<Facts>>) -> Option<()> {
    let mut connection = connect(address).await;
    for number in 0_usize.. {
        let create =
            format!("create_api_key(input: {{user_id: \"{account}\", name: \"key {number}\"}}) {{ id token }}");
        let made = mutate(&mut connection, address, &token, &create).await?;
        let (id, new) = (made["id"].as_str()?.to_owned(), made["token"].as_str()?.to_owned());
        note(&facts, &new, true);
        if number % 3 == 0 {
            let roll = format!("roll_api_key(input: {{key_id: \"{id}\", overlap: \"24h\"}}) {{ token }}");
            let successor = mutate(&mut connection, address, &token, &roll).await?;
            note(&facts, successor["token"].as_str()?, true);
        } else if number % 3 == 1 {
            facts.lock().unwrap().valid.remove(&new);
            let revoke = format!("delete_api_key(input: {{key_id: \"{id}\"}}) {{ success }}");
            mutate(&mut connection, address, &token, &revoke).await?;
            note(&facts, &new, false);
            if verify(&mut connection, address, &new).await? {
                facts.lock().unwrap().late_acceptances += 1;
            }
        }
    }
    None
}

fn note(facts: &Mutex<Facts>, token: &str, is_valid: bool) {
    let mut facts = facts.lock().unwrap();
    facts.valid.insert(token.to_owned(), is_valid);
    facts.requests += 1;
}

/// Lets a server work until it has acknowledged `most` changes, and kills it. Returns what it acknowledged.
async fn run_until_killed(server: Server, token: &str, most: usize) -> Facts {
    let address = server.address;
    let mut connection = connect(address).await;
    let create = format!("create_service_account(input: {{name: \"{}\"}}) {{ id }}", uuid());
    let account = mutate(&mut connection, address, token, &create).await.unwrap();
    let account = account["id"].as_str().unwrap().to_owned();
    let facts = Arc::<Mutex<Facts>>::default();
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(work(address, token.to_owned(), account.clone(), Arc::clone(&facts)));
    }
    while facts.lock().unwrap().requests < most {
        assert!(!workers.is_empty(), "every worker failed");
        tokio::task::yield_now().await;
    }
    // SIGKILL, with changes of all workers in progress.
    drop(server);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    std::mem::take(&mut facts.lock().unwrap())
}

/// A name that no other account has.
fn uuid() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    format!("account {}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// Counts the acknowledged changes that a restarted server doesn't have.
async fn count_losses(address: SocketAddr, facts: &Facts) -> usize {
    let (mut connection, mut losses) = (connect(address).await, 0);
    for (token, is_valid) in &facts.valid {
        if verify(&mut connection, address, token).await.unwrap() != *is_valid {
            losses += 1;
        }
    }
    losses
}

fn assert_intact(database: &str) {
    for command in [&["check"][..], &["audit", "verify"]] {
        let output =
            latchkey().args(command).args(["--database-url", database]).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_server_that_is_killed_many_times_loses_nothing_that_it_acknowledged() {
    let crashes = std::env::var("LATCHKEY_CRASHES").map_or(50, |text| text.parse::<usize>().unwrap());
    on_both(async |database| {
        let begun = Instant::now();
        let (_, token) = fill(&database);
        let (mut requests, mut losses, mut late) = (0, 0, 0);
        let mut last = Facts::default();
        for crash in 0..crashes {
            let server = serve(&database);
            losses += count_losses(server.address, &last).await;
            last = run_until_killed(server, &token, 1 + crash * 7_919 % 61).await;
            requests += last.requests;
            late += last.late_acceptances;
            if crash % 25 == 24 {
                assert_intact(&database);
            }
        }
        let server = serve(&database);
        losses += count_losses(server.address, &last).await;
        drop(server);
        assert_intact(&database);
        let kind = database.split(':').next().unwrap_or_default();
        println!(
            "{kind}: {requests} acknowledged changes, {crashes} SIGKILLs, {losses} losses, {late} late acceptances in {:?}",
            begun.elapsed()
        );
        assert_eq!((losses, late), (0, 0));
    });
}
