//! Measures how much the changes of one tenant delay the verifications of another: alone, while 64 clients create and revoke
//! keys in the other tenant, and while they wait for a lock. The rounds alternate, so that all see the same load of the
//! machine. Fails if a delay is out of proportion.
//!
//!     end2end/bin/postgres cargo bench --locked --package service --features testing --bench fairness
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use service::{
    Actor, Client, Clock, Services, Settings,
    domain::{Owner, ServiceAccountId, api_key::input::CreateKey, service_account::input::CreateAccount},
    testing::{hold_audit_head, new_postgres},
};

const CLIENTS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(2);

fn main() {
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else {
        println!("skipped: LATCHKEY_TEST_POSTGRES names no server");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { measure(&new_postgres(&server).await).await });
}

async fn measure(url: &str) {
    let services = Services::open(&Settings::new(url), Clock::system()).await.unwrap();
    services.migrate().await.unwrap();
    let (busy, account) = tenant(&services, "busy").await;
    let (quiet, own) = tenant(&services, "quiet").await;
    let input = CreateKey { owner: Some(Owner::ServiceAccount(own)), name: "ci".to_owned(), ..CreateKey::default() };
    let token = services.api_keys().create(&quiet, &input).await.unwrap().token;
    let mut delays = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        delays[0].push(verify(&services, token.expose()).await);
        let changes = change(&services, &busy, account);
        delays[1].push(verify(&services, token.expose()).await);
        let held = hold_audit_head(url, busy.tenant_id()).await;
        delays[2].push(verify(&services, token.expose()).await);
        drop(held);
        changes.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let [alone, load, locked] = delays.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[ROUNDS / 2]
    });
    println!(
        "| verifications of a tenant | 99th percentile, ms (median of {ROUNDS} rounds) | ratio |\n|---|---:|---:|"
    );
    println!("| alone | {alone:.1} | 1.00 |");
    println!("| while {CLIENTS} clients change another tenant | {load:.1} | {:.2} |", load / alone);
    println!("| while they wait for a lock | {locked:.1} | {:.2} |", locked / alone);
    services.close().await;
}

async fn tenant(services: &Services, slug: &str) -> (Actor, ServiceAccountId) {
    services.admin().create_tenant(slug, slug).await.unwrap();
    let operator = services.admin().operator(slug).await.unwrap();
    let input = CreateAccount { name: "builder".to_owned(), ..CreateAccount::default() };
    let account = services.service_accounts().create(&operator, &input).await.unwrap().id;
    (operator, account)
}

/// Verifies a token for the time of a round, and returns the 99th percentile in milliseconds.
async fn verify(services: &Services, token: &str) -> f64 {
    let client = Client::command_line();
    let (begun, mut delays) = (Instant::now(), Vec::new());
    while begun.elapsed() < ROUND {
        let sent = Instant::now();
        assert!(services.verification().verify(token, &client).await.unwrap().is_some());
        delays.push(sent.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(PAUSE).await;
    }
    delays.sort_by(f64::total_cmp);
    delays[delays.len() * 99 / 100]
}

/// Creates and revokes keys with many clients until the flag is set. Changes that fail because of a lock are repeated.
fn change(services: &Services, actor: &Actor, account: ServiceAccountId) -> Arc<AtomicBool> {
    let is_over = Arc::new(AtomicBool::new(false));
    for _ in 0..CLIENTS {
        let (services, actor, is_over) = (services.clone(), actor.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let owner = Some(Owner::ServiceAccount(account));
                let input = CreateKey { owner, name: "ci".to_owned(), ..CreateKey::default() };
                if let Ok(key) = services.api_keys().create(&actor, &input).await {
                    services.api_keys().revoke(&actor, key.key.id).await.ok();
                }
            }
        });
    }
    is_over
}
