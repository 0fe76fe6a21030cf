//! Clients that create, rotate, revoke and verify keys for as long as a test lets them, and what the server acknowledged.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    json_headers,
    support::{Connection, connect, latchkey, request, send},
};

const VERIFY: &str = "/api/v1/verify";
/// How long a server may take to answer, whatever happens to it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a client waits after it was told to try again.
const PAUSE: Duration = Duration::from_millis(5);
/// How many keys a client creates for a service account, because each may have a limited number.
const ROUNDS: usize = 50;

/// What was acknowledged, and what was wrong.
#[derive(Default)]
pub struct Facts {
    /// By token, whether it must be valid. A token whose change was sent but not acknowledged isn't here.
    pub valid: BTreeMap<String, bool>,
    /// Tokens that never expire and must be valid at any time, and tokens whose revocation was acknowledged.
    kept: Vec<String>,
    revoked: Vec<String>,
    /// Requests that were answered, and those of them that were told to try again.
    pub requests: usize,
    pub unavailable: usize,
    /// Changes that were acknowledged.
    pub changes: usize,
    pub late_acceptances: usize,
    /// Valid keys that were refused.
    pub losses: usize,
}

/// Why there is no result.
pub enum Failure {
    /// The server asks to try again. The change may have been made.
    Unavailable,
    /// The connection ended.
    Broken,
}

/// Clients of one server.
#[derive(Clone)]
pub struct Clients {
    pub address: SocketAddr,
    /// A key of an administrator, and the account for which the first keys are created.
    token: String,
    account: String,
    facts: Arc<Mutex<Facts>>,
    has_ended: Arc<AtomicBool>,
}

impl Clients {
    pub fn new(address: SocketAddr, token: &str, account: &str) -> Self {
        let (token, account) = (token.to_owned(), account.to_owned());
        Self { address, token, account, facts: Arc::default(), has_ended: Arc::default() }
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    /// Asks all clients to end after their current request.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Starts clients that make changes, and clients that verify. They end if their connection breaks.
    pub fn start(&self, writers: usize, readers: usize) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..writers {
            let clients = self.clone();
            tasks.spawn(async move { clients.write().await });
        }
        for number in 0..readers {
            let clients = self.clone();
            tasks.spawn(async move { clients.read(number).await });
        }
        tasks
    }

    /// Sends a request. Returns its JSON.
    async fn post(&self, connection: &mut Connection, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut headers = json_headers(&self.token);
        // Anyone may verify a token.
        headers.truncate(if path == VERIFY { 1 } else { 2 });
        let request = request(self.address, "POST", path, &headers, body.to_string());
        let sent = tokio::time::timeout(PATIENCE, send(connection, request)).await.expect("the server answers in time");
        let (status, text) = sent.ok_or(Failure::Broken)?;
        self.facts().requests += 1;
        if status == 503 {
            self.facts().unavailable += 1;
            return Err(Failure::Unavailable);
        }
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).map_err(|_| Failure::Broken)
    }

    /// Sends a GraphQL mutation. Returns the value of its field.
    pub async fn mutate(&self, connection: &mut Connection, mutation: &str) -> Result<Value, Failure> {
        let query = json!({"query": format!("mutation {{ result: {mutation} }}")});
        let mut answer = self.post(connection, "/graphql", &query).await?;
        if answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE" {
            self.facts().unavailable += 1;
            return Err(Failure::Unavailable);
        }
        assert!(answer.get("errors").is_none(), "{answer}");
        self.facts().changes += 1;
        Ok(answer["data"]["result"].take())
    }

    async fn verify(&self, connection: &mut Connection, token: &str) -> Result<bool, Failure> {
        let answer = self.post(connection, VERIFY, &json!({ "token": token })).await?;
        answer["valid"].as_bool().ok_or(Failure::Broken)
    }

    /// Makes changes until the clients end.
    async fn write(self) {
        let mut connection = connect(self.address).await;
        let mut account = self.account.clone();
        let mut rounds = 1;
        while !self.has_ended.load(Ordering::Relaxed) {
            let result = if rounds % ROUNDS == 0 {
                self.create_account(&mut connection).await.map(|id| account = id)
            } else {
                self.change(&mut connection, &account, rounds).await
            };
            match result {
                Ok(()) => rounds += 1,
                Err(Failure::Unavailable) => tokio::time::sleep(PAUSE).await,
                Err(Failure::Broken) => return,
            }
        }
    }

    /// Creates a service account. Returns its id.
    pub async fn create_account(&self, connection: &mut Connection) -> Result<String, Failure> {
        // No other account has the same name.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let create = format!("create_service_account(input: {{name: \"account {number}\"}}) {{ id }}");
        Ok(text(&self.mutate(connection, &create).await?["id"]))
    }

    /// Creates a key. Of three, one is rotated and one is revoked.
    async fn change(&self, connection: &mut Connection, account: &str, round: usize) -> Result<(), Failure> {
        let create = format!("create_api_key(input: {{user_id: \"{account}\", name: \"key {round}\"}}) {{ id token }}");
        let made = self.mutate(connection, &create).await?;
        let (id, token) = (text(&made["id"]), text(&made["token"]));
        self.facts().valid.insert(token.clone(), true);
        if round % 3 == 1 {
            self.facts().valid.remove(&token);
            self.mutate(connection, &format!("delete_api_key(input: {{key_id: \"{id}\"}}) {{ success }}")).await?;
            self.facts().valid.insert(token.clone(), false);
            self.facts().revoked.push(token.clone());
            let is_accepted = self.verify(connection, &token).await?;
            self.facts().late_acceptances += usize::from(is_accepted);
            return Ok(());
        }
        if round % 3 == 2 {
            self.facts().kept.push(token);
            return Ok(());
        }
        let roll = format!("roll_api_key(input: {{key_id: \"{id}\", overlap: \"24h\"}}) {{ token }}");
        let successor = text(&self.mutate(connection, &roll).await?["token"]);
        self.facts().valid.insert(successor, true);
        Ok(())
    }

    /// Verifies tokens of known keys until the clients end.
    async fn read(self, seed: usize) {
        let mut connection = connect(self.address).await;
        for number in seed.. {
            if self.has_ended.load(Ordering::Relaxed) {
                return;
            }
            let Some((token, must_be_valid)) = self.choose(number) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            match self.verify(&mut connection, &token).await {
                Ok(is_valid) => {
                    self.facts().late_acceptances += usize::from(is_valid && !must_be_valid);
                    self.facts().losses += usize::from(!is_valid && must_be_valid);
                }
                Err(Failure::Unavailable) => tokio::time::sleep(PAUSE).await,
                Err(Failure::Broken) => return,
            }
        }
    }

    /// Chooses a token, and says whether it must be valid. Most were changed lately.
    fn choose(&self, number: usize) -> Option<(String, bool)> {
        let facts = self.facts();
        let tokens = if number.is_multiple_of(2) { &facts.revoked } else { &facts.kept };
        let back = if number.is_multiple_of(5) { number } else { number % 5 };
        let at = tokens.len().checked_sub(1 + back % tokens.len().max(1))?;
        Some((tokens[at].clone(), !number.is_multiple_of(2)))
    }

    /// Waits until the facts meet a condition. Returns whether they do in time.
    pub async fn meet(&self, condition: impl Fn(&Facts) -> bool, within: Duration) -> bool {
        let waited = tokio::time::timeout(within, async {
            while !condition(&self.facts()) {
                tokio::time::sleep(PAUSE).await;
            }
        });
        waited.await.is_ok()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Counts the acknowledged changes that a restarted server doesn't have.
pub async fn count_losses(address: SocketAddr, facts: &Facts) -> usize {
    let (clients, mut connection, mut losses) = (Clients::new(address, "", ""), connect(address).await, 0);
    for (token, must_be_valid) in &facts.valid {
        match clients.verify(&mut connection, token).await {
            Ok(is_valid) => losses += usize::from(is_valid != *must_be_valid),
            Err(Failure::Unavailable | Failure::Broken) => panic!("a server without faults answers"),
        }
    }
    losses
}

/// Asserts that a database and its audit log are as they must be.
pub fn assert_intact(database: &str) {
    for command in [&["check"][..], &["audit", "verify"]] {
        let output =
            latchkey().args(command).args(["--database-url", database]).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
