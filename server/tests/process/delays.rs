//! How late a revocation is effective elsewhere: on another server of the same `PostgreSQL` database, and in a verifier that
//! follows that server. Undisturbed, behind `PgBouncer`, and while that server or its way to the database is stopped. Prints
//! the distributions.
//!
//! Servers learn of changes by reading them, not by `LISTEN`, so there is no listener that could be lost.
//!
//! `LATCHKEY_DELAYS` sets how many revocations are measured in each situation; more in `make soak`.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ::verifier::Verifier;
use serde_json::json;
use service::testing::Proxy;

use crate::{
    number,
    postgres::{is_valid, mutate, on_postgres, start_pgbouncer, until},
    support::{Server, connect, count, fill, latchkey, serve, skip, start},
};

/// How late a revocation may be effective.
const LATEST: Duration = Duration::from_secs(1);
/// How long acceptances are looked for after an acknowledgement.
const WATCHED: Duration = Duration::from_millis(1_300);
/// How long an answer is awaited. A stopped server doesn't answer.
const ANSWERED: Duration = Duration::from_millis(300);

/// What happens to the other server before a key is revoked.
enum Situation {
    Undisturbed,
    BehindPgBouncer,
    Paused,
    DatabaseGone(Proxy),
}

impl Situation {
    fn name(&self) -> &'static str {
        match self {
            Self::Undisturbed => "undisturbed",
            Self::BehindPgBouncer => "behind PgBouncer in transaction mode",
            Self::Paused => "the server is paused (SIGSTOP)",
            Self::DatabaseGone(_) => "the server's database is gone",
        }
    }

    fn begin(&self, server: &Server) {
        match self {
            Self::Undisturbed | Self::BehindPgBouncer => (),
            Self::Paused => server.signal("-STOP"),
            Self::DatabaseGone(proxy) => proxy.vanish(),
        }
    }

    fn end(&self, server: &Server) {
        match self {
            Self::Undisturbed | Self::BehindPgBouncer => (),
            Self::Paused => server.signal("-CONT"),
            Self::DatabaseGone(proxy) => proxy.appear(),
        }
    }
}

/// How long after `since` the last question was asked that was answered with yes.
async fn last_yes(since: Instant, mut ask: impl AsyncFnMut() -> bool) -> Duration {
    let mut latest = Duration::ZERO;
    while since.elapsed() < WATCHED {
        let asked = since.elapsed();
        if ask().await {
            latest = asked;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    latest
}

async fn accepts(address: SocketAddr, token: &str) -> bool {
    let asked = async { is_valid(&mut connect(address).await, address, token).await == Some(true) };
    tokio::time::timeout(ANSWERED, asked).await.unwrap_or(false)
}

struct Scene {
    /// Where keys are revoked.
    one: SocketAddr,
    account: String,
    token: String,
}

impl Scene {
    /// Revokes a key that the other server and its verifier know. Returns how long either accepted it afterwards.
    async fn measure(&self, situation: &Situation, other: &Server, verifier: &Verifier) -> [Duration; 2] {
        let mut connection = connect(self.one).await;
        let input = json!({"user_id": self.account, "name": "short"});
        let key = mutate(&mut connection, self.one, &self.token, "create_api_key", input).await;
        let token = key["token"].as_str().unwrap();
        until("the other server knows the key", async || accepts(other.address, token).await).await;
        until("the verifier knows the key", async || verifier.verify(token).await.is_ok() && verifier.is_current())
            .await;
        situation.begin(other);
        mutate(&mut connection, self.one, &self.token, "delete_api_key", json!({"key_id": key["id"]})).await;
        let since = Instant::now();
        let (by_server, by_verifier) = tokio::join!(
            last_yes(since, async || accepts(other.address, token).await),
            last_yes(since, async || verifier.verify(token).await.is_ok()),
        );
        situation.end(other);
        let name = situation.name();
        for (who, late) in [("server", by_server), ("verifier", by_verifier)] {
            assert!(late < LATEST, "{name}: the {who} accepted the key {late:?} after the acknowledgement");
        }
        // It was refused for a reason that goes away. It must not be accepted then.
        until("the other server refuses the key", async || {
            let mut connection = connect(other.address).await;
            let answer = tokio::time::timeout(ANSWERED, is_valid(&mut connection, other.address, token)).await;
            assert_ne!(answer, Ok(Some(true)), "{name}: accepted again");
            answer == Ok(Some(false))
        })
        .await;
        until("the verifier follows again", async || {
            assert!(verifier.verify(token).await.is_err(), "{name}: the verifier accepts the key again");
            verifier.is_current()
        })
        .await;
        [by_server, by_verifier]
    }
}

fn print(situation: &str, who: &str, mut delays: Vec<Duration>) {
    delays.sort();
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!(
        "{situation}, {who}: accepted for {:?} (median), {:?} (95 %), {:?} (longest of {})",
        at(50),
        at(95),
        at(100),
        delays.len()
    );
}

#[test]
fn a_revocation_is_effective_elsewhere_within_a_second() {
    on_postgres(async |database| {
        let (account, token) = fill(&database);
        let one = serve(&database);
        let scene = Scene { one: one.address, account, token };
        let folder = tempfile::tempdir().unwrap();
        let (proxy, through_proxy) = Proxy::before_database(&database).await;
        let mut situations = vec![
            (Situation::Undisturbed, database.clone(), None),
            (Situation::Paused, database.clone(), None),
            (Situation::DatabaseGone(proxy), through_proxy, None),
        ];
        let pgbouncer = start_pgbouncer(folder.path(), &database);
        match &pgbouncer {
            Some((_, url)) => {
                let address: SocketAddr = url.split(['@', '/']).nth(3).unwrap().parse().unwrap();
                until("PgBouncer doesn't listen", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
                situations.push((Situation::BehindPgBouncer, url.clone(), Some("--pgbouncer")));
            }
            None => skip("PgBouncer"),
        }
        let measured = number("LATCHKEY_DELAYS", 3);
        for (situation, url, option) in situations {
            let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", &url];
            let other = start(latchkey().args(arguments).args(option));
            let verifier = Verifier::builder(format!("http://{}", other.address), &scene.token).start().unwrap();
            let (mut by_server, mut by_verifier) = (Vec::new(), Vec::new());
            for _ in 0..measured {
                let [server, verifier] = scene.measure(&situation, &other, &verifier).await;
                by_server.push(server);
                by_verifier.push(verifier);
            }
            print(situation.name(), "another server", by_server);
            print(situation.name(), "a verifier", by_verifier);
            count(&[("revocations seen elsewhere", measured)]);
        }
    });
}
