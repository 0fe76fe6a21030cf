//! Measures how many keys a second are created durably: 64 at a time, by the use case, each with its audit entry.
//!
//! `SQLite` runs as in production (WAL, `synchronous=FULL`). `LATCHKEY_TEST_POSTGRES` names a `PostgreSQL` server,
//! whose settings decide how durable a commit is. The argument is the number of keys to create first (20,000 by
//! default):
//!
//!     end2end/bin/postgres cargo bench --locked --package service --features testing --bench creates -- 20000
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use service::{
    Clock, Services, Settings,
    domain::{Owner, api_key::input::CreateKey, service_account::input::CreateAccount},
    testing::{Crowd, fill, new_postgres},
};

const AT_ONCE: u32 = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

fn main() {
    let keys = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| database | creates/s (median of {ROUNDS} rounds) | slowest | fastest |\n|---|---:|---:|---:|");
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        measure("SQLite", &format!("sqlite:{}", folder.path().join("bench.db").display()), keys).await;
        if let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") {
            measure("PostgreSQL", &new_postgres(&server).await, keys).await;
        }
    });
}

async fn measure(database: &str, url: &str, keys: u32) {
    let services = Services::open(&Settings::new(url), Clock::system()).await.unwrap();
    services.migrate().await.unwrap();
    services.admin().create_tenant("Bench", "bench").await.unwrap();
    fill(&services, "bench", Crowd { accounts: 100, keys }).await.unwrap();
    let operator = services.admin().operator("bench").await.unwrap();
    let input = CreateAccount { name: "builder".to_owned(), ..CreateAccount::default() };
    let account = services.service_accounts().create(&operator, &input).await.unwrap().id;
    let number = Arc::new(AtomicU32::new(0));
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let (begun, before) = (Instant::now(), number.load(Ordering::Relaxed));
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (services, operator, number) = (services.clone(), operator.clone(), Arc::clone(&number));
                tokio::spawn(async move {
                    while begun.elapsed() < ROUND {
                        let name = format!("builder frankfurt {:06}", number.fetch_add(1, Ordering::Relaxed));
                        let owner = Some(Owner::ServiceAccount(account));
                        let input = CreateKey { owner, name, ..CreateKey::default() };
                        services.api_keys().create(&operator, &input).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        rates.push(f64::from(number.load(Ordering::Relaxed) - before) / begun.elapsed().as_secs_f64());
    }
    services.close().await;
    rates.sort_by(f64::total_cmp);
    println!("| {database} | {:.0} | {:.0} | {:.0} |", rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
}
