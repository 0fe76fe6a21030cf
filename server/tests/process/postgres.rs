//! `PostgreSQL` as people run it: behind `PgBouncer`, on a host that disappears, and with several servers that start at
//! once. The tests are skipped, with a message, if there is no server or no `PgBouncer`.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use service::testing::{LockedTable, Proxy, with_postgres};

use super::{json_headers, on_both};
use crate::{
    documents::blocks,
    support::{Connection, admin, connect, fill, latchkey, request, send, serve, skip, start},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a story with the URL of an empty `PostgreSQL` database.
pub fn on_postgres<Fut: Future<Output = ()>>(story: impl FnOnce(String) -> Fut) {
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else {
        println!("skipped: LATCHKEY_TEST_POSTGRES names no server");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(with_postgres(&server, story));
}

/// A process that is killed when its value is dropped.
pub struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn mutate(connection: &mut Connection, address: SocketAddr, token: &str, name: &str, input: Value) -> Value {
    let fields = if name == "create_api_key" { "id token" } else { "success" };
    let query = format!("mutation($input: {name}_input!) {{ {name}(input: $input) {{ {fields} }} }}");
    let body = json!({"query": query, "variables": {"input": input}}).to_string();
    let (status, text) =
        send(connection, request(address, "POST", "/graphql", &json_headers(token), body)).await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(status == 200 && answer.get("errors").is_none(), "{status} {text}");
    answer["data"][name].clone()
}

pub async fn is_valid(connection: &mut Connection, address: SocketAddr, token: &str) -> Option<bool> {
    let headers = [("content-type", "application/json".to_owned())];
    let body = json!({ "token": token }).to_string();
    let (status, text) = send(connection, request(address, "POST", "/api/v1/verify", &headers, body)).await?;
    if status != 200 {
        assert_eq!(status, 503, "{text}");
        return None;
    }
    serde_json::from_str::<Value>(&text).unwrap()["valid"].as_bool()
}

/// Creates a key, verifies it, revokes it and verifies it again.
async fn live_and_die(address: SocketAddr, token: &str, account: &str, name: &str) {
    let mut connection = connect(address).await;
    let key =
        mutate(&mut connection, address, token, "create_api_key", json!({"user_id": account, "name": name})).await;
    let new = key["token"].as_str().unwrap();
    assert_eq!(is_valid(&mut connection, address, new).await, Some(true));
    mutate(&mut connection, address, token, "delete_api_key", json!({"key_id": key["id"]})).await;
    assert_eq!(is_valid(&mut connection, address, new).await, Some(false));
}

/// Starts `PgBouncer` with the settings of the documentation, but only three connections, before the server of a URL. Returns the
/// URL through it.
pub fn start_pgbouncer(folder: &Path, database: &str) -> Option<(Killed, String)> {
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
    let program = program.into_iter().find(|path| Path::new(path).exists())?;
    let (user, server) = database.split_once('@').unwrap();
    let (host, name) = server.split_once('/').unwrap();
    let (ip, port) = host.rsplit_once(':').unwrap();
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(folder.join("users.txt"), "\"latchkey\" \"\"\n").unwrap();
    let document = blocks(include_str!("../../docs/postgresql.md"), "ini").next().unwrap();
    let (database, few) = ("latchkey = host=db.example.org port=5432", "default_pool_size = 20");
    assert!(
        document.contains(database) && document.contains(few) && document.contains("\n[pgbouncer]\n"),
        "{document}"
    );
    // With `auth_type = any`, PgBouncer takes the user from the database's line.
    let settings = document
        .replace(database, &format!("{name} = host={ip} port={port} user=latchkey"))
        .replace(few, "default_pool_size = 3");
    let settings = format!(
        "{settings}\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\nauth_file = {}\n",
        own.port(),
        folder.join("users.txt").display()
    );
    let file = folder.join("pgbouncer.ini");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(program);
    // It refuses to run as root.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    if is_root {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, mode).unwrap();
        command.args(["-u", "nobody"]);
    }
    let process = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some((Killed(process), format!("{user}@{own}/{name}")))
}

#[test]
fn a_key_lives_its_life_behind_pgbouncer_in_transaction_mode() {
    on_postgres(async |database| {
        let folder = tempfile::tempdir().unwrap();
        let Some((_pgbouncer, url)) = start_pgbouncer(folder.path(), &database) else {
            skip("PgBouncer");
            return;
        };
        let address: SocketAddr = url.split(['@', '/']).nth(3).unwrap().parse().unwrap();
        until("PgBouncer doesn't listen", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;

        let refused = latchkey().args(["migrate", "--database-url", &url]).output().unwrap();
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains("--pgbouncer"), "{text}");

        let migrate = ["migrate", "--pgbouncer", "--database-url", &url];
        let migrated = latchkey().args(migrate).output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        // The commands that fill the database don't go through PgBouncer.
        let (account, token) = fill(&database);
        let options = ["serve", "--listen", "127.0.0.1:0", "--pgbouncer", "--database-url", &url];
        let server = start(latchkey().args(options));
        let lives = (0..24).map(|number| {
            let (address, token, account) = (server.address, token.clone(), account.clone());
            tokio::spawn(async move { live_and_die(address, &token, &account, &format!("key {number}")).await })
        });
        for life in lives.collect::<Vec<_>>() {
            life.await.unwrap();
        }
    });
}

#[test]
fn a_server_whose_database_has_disappeared_answers_and_ends() {
    on_postgres(async |database| {
        let (account, token) = fill(&database);
        let (proxy, url) = Proxy::before_database(&database).await;
        let mut server = serve(&url);
        let address = server.address;
        live_and_die(address, &token, &account, "before").await;
        for _ in 0..8 {
            let (token, account) = (token.clone(), account.clone());
            tokio::spawn(async move {
                let mut connection = connect(address).await;
                loop {
                    let body = json!({"query": format!(
                        "mutation {{ create_api_key(input: {{user_id: \"{account}\", name: \"ci\"}}) {{ id }} }}"
                    )});
                    let sent = request(address, "POST", "/graphql", &json_headers(&token), body.to_string());
                    if send(&mut connection, sent).await.is_none() {
                        return;
                    }
                }
            });
        }
        let mut connection = connect(address).await;
        assert_eq!(is_valid(&mut connection, address, &token).await, Some(true));
        proxy.vanish();
        let mut probe = connect(address).await;
        until("the server stays ready", async || {
            let (begun, ready) = (Instant::now(), request(address, "GET", "/health/ready", &[], String::new()));
            let (status, text) = send(&mut probe, ready).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}: {text}", begun.elapsed());
            assert!(status == 200 || text.contains("\"reference\""), "{text}");
            status == 503
        })
        .await;
        // For a second, the key is known in memory.
        until("the key is still valid", async || is_valid(&mut connection, address, &token).await.is_none()).await;
        for _ in 0..2 {
            let begun = Instant::now();
            assert_eq!(is_valid(&mut connection, address, &token).await, None);
            assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
        }
        proxy.appear();
        let begun = Instant::now();
        until("the new host isn't used", async || is_valid(&mut connection, address, &token).await == Some(true)).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        proxy.vanish();
        server.terminate();
        until("the server doesn't end", async || server.has_ended()).await;
    });
}

#[test]
fn a_server_that_is_told_to_stop_while_it_starts_ends_in_order() {
    on_postgres(async |database| {
        fill(&database);
        let table = LockedTable::hold(&database, "secret_keys").await;
        let mut command = latchkey();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database]);
        let mut server = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the start doesn't reach the table", async || table.is_awaited().await).await;
        assert!(Command::new("kill").arg(server.0.id().to_string()).status().unwrap().success());
        let mut ended = None;
        until("the server doesn't end", async || {
            ended = server.0.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        assert_eq!(ended.unwrap().code(), Some(0), "not by the signal itself");
    });
}

#[test]
fn servers_that_start_at_once_on_a_new_database_wait_for_one_that_migrates_it() {
    on_both(async |database| {
        let start = || {
            let mut command = latchkey();
            command.args(["migrate", "--database-url", &database]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let processes: Vec<_> = (0..6).map(|_| start()).collect();
        for process in processes {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        admin(&database, &["create-tenant", "--name", "Acme", "--slug", "acme"], "");
        let mut servers = vec![serve(&database)];
        if database.starts_with("sqlite:") {
            let second =
                latchkey().args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database]).output().unwrap();
            let said = String::from_utf8_lossy(&second.stderr);
            assert!(!second.status.success() && said.contains("Another Latchkey server uses"), "{said}");
        } else {
            servers.push(serve(&database));
        }
        for server in &servers {
            let mut connection = connect(server.address).await;
            let ready = request(server.address, "GET", "/health/ready", &[], String::new());
            assert_eq!(send(&mut connection, ready).await.unwrap().0, 200);
        }
    });
}

/// Runs SQL as `psql` does. Returns what it says if it fails.
fn psql(url: &str, sql: &str) -> Result<(), String> {
    let output =
        Command::new("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn the_sql_of_the_documentation_sets_up_a_role_that_can_do_everything() {
    if Command::new("psql").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("psql");
        return;
    }
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else {
        println!("skipped: LATCHKEY_TEST_POSTGRES names no server");
        return;
    };
    // Roles and databases of a server are shared by all tests.
    let name = format!("latchkey_{}", std::process::id());
    let own = |sql: &str| sql.replace("latchkey", &name);
    let mut blocks = blocks(include_str!("../../docs/postgresql.md"), "sql").map(own);
    let (set_up, limits) = (blocks.next().unwrap(), blocks.next().unwrap());
    assert!(blocks.next().is_none(), "a block that isn't run here");
    // One by one, because a database can't be created in a transaction.
    for statement in set_up.lines() {
        psql(&server, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let mut url = url::Url::parse(&server).unwrap();
    url.set_username(&name).unwrap();
    url.set_password(Some("a long password")).unwrap();
    url.set_path(&name);
    let outcome = std::panic::catch_unwind(|| {
        fill(url.as_str());
        psql(&server, &limits).unwrap();
        let check = latchkey().args(["check", "--database-url", url.as_str()]).output().unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    });
    psql(&server, &format!("DROP DATABASE {name}")).unwrap();
    psql(&server, &format!("DROP ROLE {name}")).unwrap();
    outcome.unwrap();
}
