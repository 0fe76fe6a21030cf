//! Injects faults into a server while keys are created, rotated, revoked and verified. The server recovers without a
//! restart, every acknowledged change holds, and no revoked key is accepted.
//!
//! `LATCHKEY_FAULTS` sets how often each fault happens on each database: once by default, more often in `make soak`.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use server::cli::PANIC_TARGET;
use service::{
    Clock, Services, Settings,
    testing::{Proxy, execute},
};
use tokio::io::AsyncWriteExt;

use crate::{
    devices::{self, Devices},
    load::{Clients, assert_intact, count_losses},
    number, on_both,
    support::{Server, count, fill, latchkey, serve, start},
};

const WRITERS: usize = 6;
const READERS: usize = 2;
/// How long a fault may take to be noticed, and the server to work again after it, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many changes a server makes before and after a fault.
const CHANGES: usize = 30;
/// How many clients go away at once.
const VANISHING: usize = 50;
const YEAR: i64 = 365 * 86_400;

/// What happens to a server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Every write fails with an error of the disk.
    Disk(&'static str, i64),
    /// The system clock is wrong for a moment, by this many seconds.
    Clock(i64),
    /// Clients send a change and go away.
    VanishedClients,
    /// The host of the database falls silent, and another takes over its address.
    VanishedHost,
    /// The database ends all connections.
    EndedConnections,
}

const DISKS: [Fault; 3] = [
    Fault::Disk("full disk", devices::FULL),
    Fault::Disk("failing disk", devices::FAILING),
    Fault::Disk("read-only disk", devices::READ_ONLY),
];
const CLOCKS: [Fault; 2] = [Fault::Clock(10 * YEAR), Fault::Clock(-YEAR)];
const HOSTS: [Fault; 2] = [Fault::VanishedHost, Fault::EndedConnections];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Disk(name, _) => name,
            Self::Clock(_) => "clock jump",
            Self::VanishedClients => "vanished client",
            Self::VanishedHost => "vanished database host",
            Self::EndedConnections => "ended database connections",
        }
    }

    /// How often it happens when it is injected once.
    fn times(self) -> usize {
        if matches!(self, Self::VanishedClients) { VANISHING } else { 1 }
    }
}

/// A server with what faults are injected into.
struct Scene {
    server: Server,
    clients: Clients,
    database: String,
    log: PathBuf,
    devices: Option<Devices>,
    proxy: Option<Proxy>,
    token: String,
    account: String,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set(database: &str) -> Self {
        let (account, token) = fill(database);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let (proxy, url) = if database.starts_with("postgres:") {
            let (proxy, url) = Proxy::before_database(database).await;
            (Some(proxy), url)
        } else {
            (None, database.to_owned())
        };
        let devices = Devices::new();
        let mut command = latchkey();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &url]);
        command.stderr(File::create(&log).unwrap());
        if let Some(devices) = &devices {
            devices.attach(&mut command);
        }
        let server = start(&mut command);
        let clients = Clients::new(server.address, &token, &account);
        Self { server, clients, database: database.to_owned(), log, devices, proxy, token, account, _folder: folder }
    }

    /// The faults that can happen here.
    fn faults(&self) -> Vec<Fault> {
        let disks = if self.devices.is_some() && self.proxy.is_none() { &DISKS[..] } else { &[] };
        let clocks = if self.devices.is_some() { &CLOCKS[..] } else { &[] };
        let hosts = if self.proxy.is_some() { &HOSTS[..] } else { &[] };
        [disks, clocks, hosts, &[Fault::VanishedClients]].concat()
    }

    /// Lets a fault happen and end. Returns how long it takes until changes are acknowledged again.
    async fn inject(&mut self, fault: Fault) -> Duration {
        match fault {
            Fault::Disk(_, error) => {
                self.devices.as_ref().unwrap().break_disk(error);
                self.await_refusals(fault).await;
                self.devices.as_ref().unwrap().break_disk(0);
            }
            Fault::Clock(seconds) => {
                self.devices.as_ref().unwrap().move_clock(seconds);
                self.await_changes(fault).await;
                self.devices.as_ref().unwrap().move_clock(0);
            }
            Fault::VanishedHost => {
                self.proxy.as_ref().unwrap().vanish();
                self.await_refusals(fault).await;
                self.proxy.as_ref().unwrap().appear();
            }
            Fault::EndedConnections => {
                let services = Services::open(&Settings::new(&self.database), Clock::system()).await.unwrap();
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                              WHERE datname = current_database() AND pid <> pg_backend_pid()";
                execute(&services, others).await;
                services.close().await;
            }
            Fault::VanishedClients => self.vanish().await,
        }
        let begun = Instant::now();
        self.await_changes(fault).await;
        assert!(!self.server.has_ended(), "{fault:?}: the server goes on");
        begun.elapsed()
    }

    async fn await_refusals(&self, fault: Fault) {
        let before = self.clients.facts().unavailable;
        let is_noticed = self.clients.meet(|facts| facts.unavailable >= before + WRITERS, PATIENCE).await;
        assert!(is_noticed, "{fault:?} is noticed");
    }

    async fn await_changes(&self, fault: Fault) {
        let before = self.clients.facts().changes;
        let goes_on = self.clients.meet(|facts| facts.changes >= before + CHANGES, PATIENCE).await;
        assert!(goes_on, "{fault:?}: changes are acknowledged again");
    }

    /// Sends changes without waiting for their responses.
    async fn vanish(&self) {
        let query =
            format!("mutation {{ create_api_key(input: {{user_id: \"{}\", name: \"x\"}}) {{ id }} }}", self.account);
        let body = json!({ "query": query }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.server.address,
            self.token,
            body.len()
        );
        for number in 0..VANISHING {
            let mut client = tokio::net::TcpStream::connect(self.server.address).await.unwrap();
            // Some go away in the middle of the request.
            let sent = if number % 3 == 0 { request.len() - 10 } else { request.len() };
            client.write_all(&request.as_bytes()[..sent]).await.unwrap();
        }
    }
}

#[test]
fn a_server_survives_every_fault_under_load_and_loses_nothing() {
    let times = number("LATCHKEY_FAULTS", 1);
    on_both(async |database| {
        let mut scene = Scene::set(&database).await;
        let mut tasks = scene.clients.start(WRITERS, READERS);
        let mut slowest = Duration::ZERO;
        for _ in 0..times {
            for fault in scene.faults() {
                slowest = slowest.max(scene.inject(fault).await);
                count(&[(&format!("fault: {}", fault.name()), fault.times())]);
            }
        }
        scene.clients.end();
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        let crashes = fs::read_to_string(&scene.log).unwrap().matches(&format!(" {PANIC_TARGET}: ")).count();
        let facts = std::mem::take(&mut *scene.clients.facts());
        drop(scene);
        let server = serve(&database);
        let losses = facts.losses + count_losses(server.address, &facts).await;
        drop(server);
        assert_intact(&database);
        let kind = database.split(':').next().unwrap_or_default();
        println!(
            "{kind}: {} acknowledged changes, {losses} losses, {} late acceptances, {crashes} crashes, recovery within {slowest:?}",
            facts.changes, facts.late_acceptances
        );
        count(&[
            ("requests", facts.requests),
            ("changes acknowledged", facts.changes),
            ("losses", losses),
            ("late acceptances", facts.late_acceptances),
            ("crashes", crashes),
        ]);
        assert_eq!((losses, facts.late_acceptances, crashes), (0, 0, 0));
    });
}
