//! Measures whether lists take as long with 100,000 keys and 10,000 service accounts in a tenant as with 100 and 20, and
//! with pictures of requests as without.
//!
//! Fills a small and a large tenant on each database, serves both with the built `latchkey`, and requests each page
//! from both in turn over one connection each. Prints the medians and their ratio. Uses loopback only.
//! `LATCHKEY_TEST_POSTGRES` names a `PostgreSQL` server; without it, only `SQLite` is measured. Each page must show all
//! of its rows on both sides.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and speaks by printing")]

mod measuring;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the benchmark `requests` uses the rest")]
mod support;

use std::{net::SocketAddr, time::Instant};

use measuring::{median, runtime};
use service::{
    Clock, Services, Settings,
    domain::api_key::input::SetKeyPolicy,
    testing::{Crowd, fill, new_postgres, use_every_day},
};
use support::{Connection, admin, connect, request, send, serve, sign_in};

const SMALL: Crowd = Crowd { accounts: 20, keys: 100 };
const LARGE: Crowd = Crowd { accounts: 10_000, keys: 100_000 };
/// How many times each page is requested from each server.
const TIMES: usize = 60;
const DATABASES: [&str; 2] = ["SQLite", "PostgreSQL"];

/// The pages that show pictures of requests: name and path.
const PICTURES: [(&str, &str); 2] =
    [("pictures, inventory", "/team/keys"), ("pictures, inventory, all states", "/team/keys?state=all")];

/// The pages to measure: name and path.
const PAGES: [(&str, &str); 28] = [
    ("inventory", "/team/keys"),
    ("inventory, by name", "/team/keys?sort=name&dir=asc"),
    ("inventory, by expiry", "/team/keys?sort=expires&dir=asc"),
    ("inventory, by last use", "/team/keys?sort=last_used&dir=asc"),
    ("inventory, expiring soon", "/team/keys?state=expiring_soon"),
    ("inventory, expiring soon, by expiry", "/team/keys?state=expiring_soon&sort=expires&dir=asc"),
    ("inventory, expired", "/team/keys?state=expired"),
    ("inventory, suspended", "/team/keys?state=suspended"),
    ("inventory, revoked", "/team/keys?state=revoked"),
    ("inventory, all states", "/team/keys?state=all"),
    ("inventory, never expires", "/team/keys?show=never_expires"),
    ("inventory, unused", "/team/keys?show=unused&state=all"),
    ("inventory, unused, oldest first", "/team/keys?show=unused&state=all&sort=created&dir=asc"),
    ("inventory, unused, by last use", "/team/keys?show=unused&state=all&sort=last_used&dir=desc"),
    ("inventory, unused, by name", "/team/keys?show=unused&state=all&sort=name&dir=asc"),
    ("inventory, owner left", "/team/keys?show=owner_gone&state=all"),
    ("inventory, violates policy", "/team/keys?show=against_policy"),
    ("inventory, service accounts' keys", "/team/keys?kind=service_account"),
    ("inventory, search for a common word", "/team/keys?q=frank"),
    ("inventory, search for a word in 1% of names", "/team/keys?q=berlin&state=all"),
    ("inventory, search for a word in 1% of names, by name", "/team/keys?q=berlin&state=all&sort=name&dir=asc"),
    ("inventory, search for a rare word", "/team/keys?q=zebra"),
    ("inventory, search by name in all states", "/team/keys?q=zeb&state=all&sort=name"),
    ("service accounts", "/team/service-accounts"),
    ("service accounts, newest first", "/team/service-accounts?sort=created&dir=desc"),
    ("service accounts, all", "/team/service-accounts?state=all"),
    ("service accounts, search for a common word", "/team/service-accounts?q=deploy"),
    ("service accounts, search for a rare word", "/team/service-accounts?q=zebra"),
];

fn main() {
    // `-- PostgreSQL` measures only that database, `-- search` only pages with that word in their name.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let (databases, words): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|word| DATABASES.contains(&word.as_str()));
    let is_wanted = |name: &str| databases.is_empty() || databases.iter().any(|wanted| wanted == name);
    let with_words = |name: &str| words.iter().all(|word| name.contains(word.as_str()));
    let pages = PAGES.into_iter().filter(|(name, _)| with_words(name)).collect::<Vec<_>>();
    let pictures = PICTURES.into_iter().filter(|(name, _)| with_words(name)).collect::<Vec<_>>();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    if is_wanted(DATABASES[0]) {
        measure(DATABASES[0], &sqlite("small.db"), &sqlite("large.db"), &pages);
        measure_pictures(DATABASES[0], &sqlite("unused.db"), &sqlite("used.db"), &pictures);
    }
    let Some(server) = std::env::var("LATCHKEY_TEST_POSTGRES").ok().filter(|_| is_wanted(DATABASES[1])) else { return };
    let new_pair = || runtime().block_on(async { (new_postgres(&server).await, new_postgres(&server).await) });
    let (small, large) = new_pair();
    measure(DATABASES[1], &small, &large, &pages);
    let (unused, used) = new_pair();
    measure_pictures(DATABASES[1], &unused, &used, &pictures);
}

fn measure(database: &str, small: &str, large: &str, pages: &[(&str, &str)]) {
    if pages.is_empty() {
        return;
    }
    for (url, crowd) in [(small, SMALL), (large, LARGE)] {
        support::fill(url);
        runtime().block_on(crowd_in(url, crowd));
    }
    compare(&format!("| {database} | 100 keys | 100,000 keys | ratio |"), small, large, pages);
}

/// Measures what the pictures of requests in 20 rows cost.
fn measure_pictures(database: &str, unused: &str, used: &str, pages: &[(&str, &str)]) {
    if pages.is_empty() {
        return;
    }
    for url in [unused, used] {
        support::fill(url);
        runtime().block_on(crowd_in(url, SMALL));
    }
    runtime().block_on(async {
        let services = Services::open(&Settings::new(used), Clock::system()).await.unwrap();
        use_every_day(&services).await;
        services.close().await;
    });
    compare(&format!("| {database} | no requests | requests of each key every day | ratio |"), unused, used, pages);
}

/// Requests each page from two servers in turn, and prints the medians.
fn compare(title: &str, one: &str, other: &str, pages: &[(&str, &str)]) {
    let (one, other) = (serve(one), serve(other));
    println!("\n{title}\n|---|---:|---:|---:|");
    runtime().block_on(async {
        let mut sides = (Side::of(one.address).await, Side::of(other.address).await);
        for (name, path) in pages {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for _ in 0..TIMES {
                first.push(sides.0.time(path).await);
                second.push(sides.1.time(path).await);
            }
            let (first, second) = (median(first), median(second));
            println!("| {name} | {first:.2} ms | {second:.2} ms | {:.2} |", second / first);
        }
    });
}

/// Fills the tenant with accounts and keys, a key policy, and keys of a removed member.
async fn crowd_in(url: &str, crowd: Crowd) {
    let settings = Settings::new(url);
    let services = Services::open(&settings, Clock::system()).await.unwrap();
    fill(&services, "bench", crowd).await.unwrap();
    let operator = services.admin().operator("bench").await.unwrap();
    let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
    services.tenant_policies().set(&operator, &policy).await.unwrap();
    services.close().await;
    let user =
        ["create-user", "--email", "gone@example.org", "--tenant", "bench", "--role", "USER", "--password-stdin"];
    admin(url, &user, support::PASSWORD);
    for n in 0..20 {
        let (name, until) = (format!("left {n}"), "2090-01-01T00:00:00Z");
        let key =
            ["create-key", "--tenant", "bench", "--user", "gone@example.org", "--name", &name, "--expires-at", until];
        admin(url, &key, "");
    }
    admin(url, &["remove-member", "--tenant", "bench", "--email", "gone@example.org"], "");
}

struct Side {
    address: SocketAddr,
    connection: Connection,
    cookie: String,
}

impl Side {
    async fn of(address: SocketAddr) -> Self {
        let cookie = sign_in(address).await;
        Self { address, connection: connect(address).await, cookie }
    }

    /// Returns how long a page takes, in milliseconds. Panics unless it has at least a full page of rows.
    async fn time(&mut self, path: &str) -> f64 {
        let begun = Instant::now();
        let request = request(self.address, "GET", path, &[("cookie", self.cookie.clone())], String::new());
        let (status, page) = send(&mut self.connection, request).await.unwrap();
        let time = begun.elapsed().as_secs_f64() * 1_000.0;
        let rows = page.matches("<th scope=\"row\"").count();
        // The timeline of expiring keys has a table too.
        assert!(status == 200 && rows >= 20, "{path}: status {status}, {rows} rows");
        time
    }
}
