//! Litestream replicates a database while it changes, and what it restores is a Latchkey database without the keys that
//! were revoked. Skipped without the program, which `LATCHKEY_TEST_LITESTREAM` may name.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    operator::{Place, stderr, stdout},
    proxies::installed,
    support::{Server, admin, connect, fill, latchkey, request, send, serve, skip},
};

/// How often the replica is restored at most until it has what was changed.
const TRIES: usize = 200;

/// A process that is killed when its value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Returns the program; `None`, with a message, if there is none.
fn litestream() -> Option<String> {
    let program = std::env::var("LATCHKEY_TEST_LITESTREAM").unwrap_or_else(|_| installed("litestream"));
    let found = Command::new(&program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Some(program);
    }
    skip("litestream");
    None
}

fn restore(program: &str, replica: &str, target: &Path) -> bool {
    let arguments = ["restore", "-o", target.to_str().unwrap(), replica];
    let output = Command::new(program).args(arguments).output().unwrap();
    if !output.status.success() {
        println!("{}", stderr(&output));
    }
    output.status.success()
}

fn create(database: &str, account: &str, name: &str) -> (String, String) {
    let words = ["create-key", "--tenant", "bench", "--service-account", account, "--name", name, "--json"];
    let row: Value = serde_json::from_str(&admin(database, &words, "")).unwrap();
    (row["id"].as_str().unwrap().to_owned(), row["token"].as_str().unwrap().to_owned())
}

/// Creates two keys and revokes one. Returns the tokens of the valid one and the revoked one.
fn change(database: &str, account: &str, number: usize) -> (String, String) {
    let (_, kept) = create(database, account, &format!("kept {number}"));
    let (id, revoked) = create(database, account, &format!("revoked {number}"));
    admin(database, &["revoke-key", &id, "--tenant", "bench"], "");
    (kept, revoked)
}

async fn is_accepted(server: &Server, token: &str) -> bool {
    let mut connection = connect(server.address).await;
    let headers = [("content-type", "application/json".to_owned())];
    let request = request(server.address, "POST", "/api/v1/verify", &headers, json!({ "token": token }).to_string());
    let (_, answer) = send(&mut connection, request).await.unwrap();
    serde_json::from_str::<Value>(&answer).unwrap()["valid"] == true
}

#[test]
fn what_litestream_restores_has_every_change_up_to_its_point_and_no_revoked_key() {
    let Some(program) = litestream() else { return };
    let place = Place::new();
    let (account, first) = fill(&place.database);
    let server = serve(&place.database);
    let replica = format!("file://{}", place.path("replica").display());
    let log = std::fs::File::create(place.path("litestream.log")).unwrap();
    let file = place.path("test.db");
    let replicating = Command::new(&program)
        .args(["replicate", file.to_str().unwrap(), &replica])
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let replicating = Running(replicating.unwrap());
    let (mut kept, mut revoked) = (vec![first], Vec::new());
    for number in 0..8 {
        let (one, other) = change(&place.database, &account, number);
        kept.push(one);
        revoked.push(other);
    }
    // Revoked after the replica's point, perhaps, but created before it.
    let (late, late_token) = create(&place.database, &account, "late");
    let (marker, marker_token) = create(&place.database, &account, "marker");
    kept.push(marker_token);
    let reached = (0..TRIES).any(|number| {
        let target = place.path(&format!("try{number}.db"));
        let url = format!("sqlite:{}", target.display());
        let list = ["admin", "list-keys", "--tenant", "bench", "--database-url", &url];
        restore(&program, &replica, &target) && stdout(&latchkey().args(list).output().unwrap()).contains(&marker)
    });
    assert!(reached, "{}", std::fs::read_to_string(place.path("litestream.log")).unwrap());
    // The machine is lost right after these revocations were acknowledged.
    let (_, last) = change(&place.database, &account, 100);
    admin(&place.database, &["revoke-key", &late, "--tenant", "bench"], "");
    revoked.extend([last, late_token]);
    drop(replicating);
    drop(server);
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(place.path(&format!("test.db{suffix}"))).ok();
    }
    assert!(restore(&program, &replica, &file));
    for command in [&["check"][..], &["audit", "verify"], &["restore"], &["check"], &["audit", "verify"]] {
        let output = place.run(command);
        assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    }
    let server = serve(&place.database);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for token in &kept {
            assert!(is_accepted(&server, token).await, "a key from before the replica's point is missing");
        }
        for token in &revoked {
            assert!(!is_accepted(&server, token).await, "a revoked key is accepted");
        }
    });
}
