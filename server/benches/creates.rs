//! Measures how many keys a second are created durably: 64 at a time, by the use case, each with its audit entry. Compares
//! the schema with one in which every key is in every index of `api_keys`, as in earlier versions. The rounds of the two
//! alternate, so that both see the same load of the machine.
//!
//! `SQLite` runs as in production (WAL, `synchronous=FULL`). `LATCHKEY_TEST_POSTGRES` names a `PostgreSQL` server,
//! whose settings decide how durable a commit is. The argument is the number of keys to create first (20,000 by
//! default):
//!
//!     end2end/bin/postgres cargo bench --locked --package service --features testing --bench creates -- 20000
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use service::{
    Actor, Clock, Services, Settings,
    domain::{Owner, ServiceAccountId, api_key::input::CreateKey, service_account::input::CreateAccount},
    testing::{Crowd, execute, fill, new_postgres},
};

const AT_ONCE: u32 = 64;
const ACCOUNTS: u32 = 200;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

/// The indexes that now contain only the keys of one kind of owner.
const PARTIAL: [(&str, &str); 10] = [
    ("UNIQUE INDEX api_keys_user_idempotency", "user_id, idempotency_key"),
    ("UNIQUE INDEX api_keys_account_idempotency", "service_account_id, idempotency_key"),
    ("INDEX api_keys_user_created", "user_id, lifecycle, created_at, id"),
    ("INDEX api_keys_user_name", "user_id, lifecycle, name_folded, id"),
    ("INDEX api_keys_user_expires", "user_id, lifecycle, COALESCE(expires_at, 9223372036854775807), id"),
    ("INDEX api_keys_user_used", "user_id, lifecycle, COALESCE(last_used_at, 0), id"),
    ("INDEX api_keys_account_created", "service_account_id, lifecycle, created_at, id"),
    ("INDEX api_keys_account_name", "service_account_id, lifecycle, name_folded, id"),
    ("INDEX api_keys_account_expires", "service_account_id, lifecycle, COALESCE(expires_at, 9223372036854775807), id"),
    ("INDEX api_keys_account_used", "service_account_id, lifecycle, COALESCE(last_used_at, 0), id"),
];

fn main() {
    let keys = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!(
        "| database | creates/s (median of {ROUNDS} rounds) | every key in every index | ratio |\n|---|---:|---:|---:|"
    );
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        compare("SQLite", [file("now.db"), file("before.db")], keys).await;
        if let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") {
            compare("PostgreSQL", [new_postgres(&server).await, new_postgres(&server).await], keys).await;
        }
    });
}

/// `urls`: a database for the schema as it is, and one for the schema as it was.
async fn compare(database: &str, urls: [String; 2], keys: u32) {
    let [now, before] = urls;
    let (now, before) = (Bench::open(&now, keys, false).await, Bench::open(&before, keys, true).await);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(now.round().await);
        rates[1].push(before.round().await);
    }
    now.services.close().await;
    before.services.close().await;
    let [now, before] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    println!("| {database} | {now:.0} | {before:.0} | {:.2} |", now / before);
}

struct Bench {
    services: Services,
    operator: Actor,
    /// Enough of them that none reaches the limit of keys per owner.
    accounts: Vec<ServiceAccountId>,
    number: Arc<AtomicU32>,
}

impl Bench {
    async fn open(url: &str, keys: u32, in_every_index: bool) -> Self {
        let services = Services::open(&Settings::new(url), Clock::system()).await.unwrap();
        services.migrate().await.unwrap();
        if in_every_index {
            let mut sql = "CREATE INDEX api_keys_by_creator ON api_keys (tenant_id, created_by_id);".to_owned();
            for (index, columns) in PARTIAL {
                let name = index.rsplit(' ').next().unwrap();
                write!(sql, "DROP INDEX {name}; CREATE {index} ON api_keys ({columns});").unwrap();
            }
            execute(&services, &sql).await;
        }
        services.admin().create_tenant("Bench", "bench").await.unwrap();
        fill(&services, "bench", Crowd { accounts: 100, keys }).await.unwrap();
        let operator = services.admin().operator("bench").await.unwrap();
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            let input = CreateAccount { name: format!("builder {number}"), ..CreateAccount::default() };
            accounts.push(services.service_accounts().create(&operator, &input).await.unwrap().id);
        }
        Self { services, operator, accounts, number: Arc::default() }
    }

    /// Creates keys for the time of a round, and returns how many a second.
    async fn round(&self) -> f64 {
        let (begun, before) = (Instant::now(), self.number.load(Ordering::Relaxed));
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (services, operator, accounts) =
                    (self.services.clone(), self.operator.clone(), self.accounts.clone());
                let number = Arc::clone(&self.number);
                tokio::spawn(async move {
                    while begun.elapsed() < ROUND {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        let name = format!("builder frankfurt {number:06}");
                        let owner = Some(Owner::ServiceAccount(accounts[number as usize % accounts.len()]));
                        let input = CreateKey { owner, name, ..CreateKey::default() };
                        services.api_keys().create(&operator, &input).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        f64::from(self.number.load(Ordering::Relaxed) - before) / begun.elapsed().as_secs_f64()
    }
}
