//! Revocations while all endpoints are asked at full rate: nothing that is sent after a change was acknowledged is answered as
//! before the change, whichever endpoint is asked and whichever way the change was made.
//!
//! `LATCHKEY_CUTS` sets how many changes are made on each database; more in `make soak`.

use std::{
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    json_headers, number, on_both,
    support::{Connection, admin, connect, count, fill, request, send, serve, sign_in},
};

/// How many clients ask at the same time.
const ASKING: usize = 50;
/// How many changes are made, each in the next of the ways.
const CUTS: usize = CHANGES.len();
/// How many answers of each endpoint are awaited before and after a change.
const ANSWERS: usize = 2;
const PATIENCE: Duration = Duration::from_mins(1);
/// How late a change by another process may be effective on PostgreSQL.
const PROMISE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);
const ENDPOINTS: [Endpoint; 6] =
    [Endpoint::Verify, Endpoint::WhoAmI, Endpoint::Forward, Endpoint::Envoy, Endpoint::Introspect, Endpoint::Graphql];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Verify,
    WhoAmI,
    Forward,
    Envoy,
    Introspect,
    Graphql,
}

/// What a change takes from a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Loss {
    /// The key isn't valid any more.
    Everything,
    /// The key has another role than this one.
    Role(&'static str),
    /// The key lacks the scope.
    Scope(String),
}

/// A way in which a change is made.
#[derive(Clone, Copy, Debug)]
enum Way {
    Graphql,
    Dashboard,
    CommandLine,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    RevokeKey,
    SuspendKey,
    DeleteAccount,
    RemoveMember,
    Demote,
    NarrowKey,
    RemoveScope,
}

const CHANGES: [(Change, Way); 12] = [
    (Change::RevokeKey, Way::Graphql),
    (Change::RevokeKey, Way::CommandLine),
    (Change::RevokeKey, Way::Dashboard),
    (Change::DeleteAccount, Way::Graphql),
    (Change::DeleteAccount, Way::CommandLine),
    (Change::SuspendKey, Way::Graphql),
    (Change::RemoveMember, Way::CommandLine),
    (Change::Demote, Way::Graphql),
    (Change::Demote, Way::CommandLine),
    (Change::NarrowKey, Way::Graphql),
    (Change::RemoveScope, Way::CommandLine),
    (Change::NarrowKey, Way::CommandLine),
];

/// The key that is asked about, and what has been answered.
#[derive(Debug)]
struct Victim {
    token: String,
    loss: Loss,
    is_cut: AtomicBool,
    before: [AtomicUsize; ENDPOINTS.len()],
    after: [AtomicUsize; ENDPOINTS.len()],
    late: AtomicUsize,
}

impl Victim {
    fn new(token: String, loss: Loss) -> Arc<Self> {
        Arc::new(Self {
            token,
            loss,
            is_cut: AtomicBool::default(),
            before: Default::default(),
            after: Default::default(),
            late: AtomicUsize::default(),
        })
    }

    /// Whether an endpoint says something about what the key loses.
    fn concerns(&self, endpoint: Endpoint) -> bool {
        self.loss == Loss::Everything || endpoint != Endpoint::Graphql
    }

    async fn wait_for(&self, what: &str, counts: &[AtomicUsize; ENDPOINTS.len()]) {
        let begun = Instant::now();
        for (endpoint, count) in ENDPOINTS.into_iter().zip(counts).filter(|(endpoint, _)| self.concerns(*endpoint)) {
            while count.load(Ordering::SeqCst) < ANSWERS {
                assert!(begun.elapsed() < PATIENCE, "{endpoint:?} has no answers {what} {:?}", self.loss);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The server and those who ask it.
#[derive(Clone)]
struct Scene {
    address: SocketAddr,
    /// An administrator's key.
    token: String,
    victim: Arc<RwLock<Option<Arc<Victim>>>>,
    has_ended: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
}

impl Scene {
    fn ask(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for client in 0..ASKING {
            let (scene, place) = (self.clone(), client % ENDPOINTS.len());
            tasks.spawn(async move { scene.ask_endpoint(place).await });
        }
        tasks
    }

    async fn ask_endpoint(&self, place: usize) {
        let (endpoint, mut connection) = (ENDPOINTS[place], connect(self.address).await);
        while !self.has_ended.load(Ordering::SeqCst) {
            let victim = self.victim.read().unwrap().clone();
            let Some(victim) = victim.filter(|victim| victim.concerns(endpoint)) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            // Read before the request is sent.
            let is_cut = victim.is_cut.load(Ordering::SeqCst);
            let is_granted = self.grants(&mut connection, endpoint, &victim).await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            match (is_cut, is_granted) {
                (false, true) => victim.before[place].fetch_add(1, Ordering::SeqCst),
                (true, false) => victim.after[place].fetch_add(1, Ordering::SeqCst),
                (true, true) => victim.late.fetch_add(1, Ordering::SeqCst),
                (false, false) => 0,
            };
        }
    }

    /// Asks an endpoint. Returns whether the key still has what it is about to lose.
    async fn grants(&self, connection: &mut Connection, endpoint: Endpoint, victim: &Victim) -> bool {
        let Victim { token, loss, .. } = victim;
        let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
        let demand = if let Loss::Scope(scope) = loss { format!("?scope={scope}") } else { String::new() };
        let get = |path: &str| request(self.address, "GET", &format!("{path}{demand}"), &bearer(token), String::new());
        let asked = match endpoint {
            Endpoint::Verify => {
                let scope = if let Loss::Scope(scope) = loss { Some(scope.as_str()) } else { None };
                let body = json!({"token": token, "scope": scope}).to_string();
                request(self.address, "POST", "/api/v1/verify", &json_headers("")[..1], body)
            }
            Endpoint::WhoAmI => get("/api/v1/whoami"),
            Endpoint::Forward => get("/auth/forward"),
            Endpoint::Envoy => {
                let mut headers = bearer(token);
                if let Loss::Scope(scope) = loss {
                    headers.push(("x-latchkey-scope", scope.clone()));
                }
                request(self.address, "POST", "/auth/envoy/orders", &headers, String::new())
            }
            Endpoint::Introspect => {
                let mut headers = bearer(&self.token);
                headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
                request(self.address, "POST", "/oauth2/introspect", &headers, format!("token={token}"))
            }
            Endpoint::Graphql => {
                let body = json!({"query": "{ auth_api_key { id } }"}).to_string();
                request(self.address, "POST", "/graphql", &json_headers(token), body)
            }
        };
        let answer = connection.send_request(asked).await.expect("the server answers");
        let (head, body) = answer.into_parts();
        let bytes = http_body_util::BodyExt::collect(body).await.expect("a whole body").to_bytes();
        connection.ready().await.ok();
        let status = head.status.as_u16();
        assert!(matches!(status, 200 | 401 | 403), "{endpoint:?}: {status}");
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_valid = match endpoint {
            Endpoint::Verify => said["valid"] == true,
            Endpoint::Introspect => said["active"] == true,
            Endpoint::Graphql => said.get("errors").is_none(),
            Endpoint::WhoAmI | Endpoint::Forward | Endpoint::Envoy => status == 200,
        };
        is_valid
            && match (loss, endpoint) {
                (Loss::Role(role), Endpoint::Forward | Endpoint::Envoy) => header("x-latchkey-role") == *role,
                (Loss::Role(role), _) => said["role"] == *role,
                (Loss::Scope(scope), Endpoint::Introspect) => {
                    said["scope"].as_str().unwrap_or_default().split(' ').any(|held| held == scope)
                }
                (Loss::Scope(_) | Loss::Everything, _) => true,
            }
    }

    async fn mutate(&self, connection: &mut Connection, mutation: &str) -> Value {
        let body = json!({"query": format!("mutation {{ result: {mutation} }}")}).to_string();
        let asked = request(self.address, "POST", "/graphql", &json_headers(&self.token), body);
        let (_, text) = send(connection, asked).await.unwrap();
        let mut said: Value = serde_json::from_str(&text).unwrap();
        assert!(said.get("errors").is_none(), "{mutation}: {said}");
        said["data"]["result"].take()
    }
}

/// What a change needs to know.
struct Target {
    number: usize,
    account: String,
    key: String,
    email: String,
    scope: String,
}

/// Makes the owner and the key that a change concerns.
async fn prepare(scene: &Scene, database: &str, change: Change, number: usize) -> (Target, Arc<Victim>) {
    let mut connection = connect(scene.address).await;
    let scope = format!("orders:write{number}");
    let email = format!("member{number}@example.org");
    if matches!(change, Change::NarrowKey | Change::RemoveScope) {
        let entry = format!("{{scope: \"{scope}\", description: \"Write\", least_role: READ_ONLY_USER}}");
        scene.mutate(&mut connection, &format!("set_scope(input: {entry}) {{ scope }}")).await;
    }
    let created = format!("create_service_account(input: {{name: \"victim {number}\"}}) {{ id }}");
    let account = text(&scene.mutate(&mut connection, &created).await["id"]);
    let (key, token) = if matches!(change, Change::RemoveMember) {
        let user = ["create-user", "--email", &email, "--tenant", "bench", "--role", "USER", "--password-stdin"];
        admin(database, &user, "seven lamps under the pier");
        let create = ["create-key", "--tenant", "bench", "--user", &email, "--name", "victim"];
        (String::new(), admin(database, &create, ""))
    } else {
        let scopes = match change {
            Change::NarrowKey | Change::RemoveScope => format!(", scopes: [\"{scope}\"]"),
            _ => String::new(),
        };
        let input = format!("{{user_id: \"{account}\", name: \"victim\"{scopes}}}");
        let made = scene.mutate(&mut connection, &format!("create_api_key(input: {input}) {{ id token }}")).await;
        (text(&made["id"]), text(&made["token"]))
    };
    let loss = match change {
        Change::Demote => Loss::Role("TENANT_ADMIN"),
        Change::NarrowKey | Change::RemoveScope => Loss::Scope(scope.clone()),
        _ => Loss::Everything,
    };
    (Target { number, account, key, email, scope }, Victim::new(token, loss))
}

/// Makes a change. Returns when it is acknowledged.
async fn cut(scene: &Scene, database: &str, cookie: &str, (change, way): (Change, Way), target: &Target) {
    let Target { account, key, email, scope, .. } = target;
    let in_tenant =
        |arguments: &[&str]| [arguments, &["--tenant", "bench"]].concat().into_iter().map(str::to_owned).collect();
    let arguments: Vec<String> = match change {
        Change::RevokeKey => in_tenant(&["revoke-key", key]),
        Change::SuspendKey => in_tenant(&["suspend-key", key]),
        Change::DeleteAccount => in_tenant(&["delete-service-account", account]),
        Change::RemoveMember => in_tenant(&["remove-member", "--email", email]),
        Change::Demote => in_tenant(&["change-service-account-role", account, "--role", "READ_ONLY_USER"]),
        Change::NarrowKey => in_tenant(&["set-key-scopes", key, "--no-scopes"]),
        Change::RemoveScope => vec!["remove-scope".to_owned(), scope.clone()],
    };
    let mutation = match change {
        Change::RevokeKey => format!("delete_api_key(input: {{key_id: \"{key}\"}}) {{ success }}"),
        Change::SuspendKey => format!("suspend_api_key(id: \"{key}\") {{ id }}"),
        Change::DeleteAccount => format!("delete_service_account(id: \"{account}\") {{ id }}"),
        Change::Demote => format!("change_service_account_role(id: \"{account}\", role: READ_ONLY_USER) {{ id }}"),
        Change::NarrowKey => format!("change_api_key_scopes(id: \"{key}\", scopes: []) {{ id }}"),
        Change::RemoveScope => format!("remove_scope(scope: \"{scope}\") {{ success }}"),
        Change::RemoveMember => String::new(),
    };
    match way {
        Way::Graphql => drop(scene.mutate(&mut connect(scene.address).await, &mutation).await),
        Way::Dashboard => revoke_in_dashboard(scene, cookie, key).await,
        Way::CommandLine => {
            let database = database.to_owned();
            let run = move || {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                admin(&database, &arguments, "")
            };
            drop(tokio::task::spawn_blocking(run).await.unwrap());
        }
    }
}

/// Submits the form of the dashboard that revokes a key.
async fn revoke_in_dashboard(scene: &Scene, cookie: &str, key: &str) {
    let mut connection = connect(scene.address).await;
    let body = json!({"query": "{ auth_info { tenant_id } }"}).to_string();
    let asked = request(scene.address, "POST", "/graphql", &json_headers(&scene.token), body);
    let (_, said) = send(&mut connection, asked).await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let tenant = text(&said["data"]["auth_info"]["tenant_id"]);
    let page = "/team/keys";
    let form = format!("key={key}&page={page}&then={page}&in_tenant={tenant}");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", "text/html".to_owned()),
        ("origin", format!("http://{}", scene.address)),
        ("cookie", cookie.to_owned()),
    ];
    let asked = request(scene.address, "POST", "/fn/delete_api_key", &headers, form);
    let (status, body) = send(&mut connection, asked).await.unwrap();
    assert_eq!(status, 303, "{body}");
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

#[test]
fn no_endpoint_answers_as_before_a_change_once_it_is_acknowledged() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        let server = serve(&database);
        let cookie = sign_in(server.address).await;
        let scene = Scene {
            address: server.address,
            token,
            victim: Arc::default(),
            has_ended: Arc::default(),
            requests: Arc::default(),
        };
        let mut clients = scene.ask();
        let begun = Instant::now();
        let (cuts, mut late) = (number("LATCHKEY_CUTS", CUTS), 0);
        for (number, how) in CHANGES.into_iter().cycle().take(cuts).enumerate() {
            let (target, victim) = prepare(&scene, &database, how.0, number).await;
            *scene.victim.write().unwrap() = Some(Arc::clone(&victim));
            victim.wait_for("before", &victim.before).await;
            cut(&scene, &database, &cookie, how, &target).await;
            if matches!(how.1, Way::CommandLine) && !database.starts_with("sqlite:") {
                // On PostgreSQL, the command line is like another server: its changes are effective within this time.
                tokio::time::sleep(PROMISE).await;
            }
            victim.is_cut.store(true, Ordering::SeqCst);
            victim.wait_for("after", &victim.after).await;
            let own = victim.late.load(Ordering::SeqCst);
            assert_eq!(own, 0, "{how:?}, number {}: answered as before", target.number);
            late += own;
        }
        scene.has_ended.store(true, Ordering::SeqCst);
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        let requests = scene.requests.load(Ordering::Relaxed);
        println!(
            "{cuts} changes, {requests} questions through {} endpoints in {:?}, {late} late acceptances",
            ENDPOINTS.len(),
            begun.elapsed()
        );
        count(&[("requests", requests), ("late acceptances", late)]);
    });
}
