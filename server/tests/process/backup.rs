//! Backups, restoring them with the revocation ledger, and the move to PostgreSQL.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use service::{Clock, Services, Settings};

use crate::{
    on_both,
    operator::{Place, json_lines, stderr, stdout},
    support::{EMAIL, PASSWORD, admin, connect, fill, latchkey, request, send, serve},
};

const SCHEMA: &str = include_str!("../../../migrations/sqlite/0001_schema.sql");
const GRACE: &str = "grace@example.org";

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

#[track_caller]
fn assert_refused(output: &Output, message: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    assert!(stderr(output).contains(message), "{message} isn't in: {}", stderr(output));
}

/// Creates a key of a service account. Returns its id and its token.
fn create_key(database: &str, account: &str, name: &str) -> (String, String) {
    let words = ["create-key", "--tenant", "bench", "--service-account", account, "--name", name, "--json"];
    let row: Value = serde_json::from_str(&admin(database, &words, "")).unwrap();
    (row["id"].as_str().unwrap().to_owned(), row["token"].as_str().unwrap().to_owned())
}

/// Returns which of the tokens a server accepts.
async fn accepted(database: &str, tokens: &[&str]) -> Vec<bool> {
    let server = serve(database);
    let mut connection = connect(server.address).await;
    let mut valid = Vec::new();
    for token in tokens {
        let headers = [("content-type", "application/json".to_owned())];
        let body = json!({ "token": token }).to_string();
        let request = request(server.address, "POST", "/api/v1/verify", &headers, body);
        let (_, answer) = send(&mut connection, request).await.unwrap();
        valid.push(serde_json::from_str::<Value>(&answer).unwrap()["valid"] == true);
    }
    valid
}

/// Returns the status of a sign-in as the administrator.
async fn sign_in(database: &str, password: &str) -> u16 {
    let server = serve(database);
    let body = format!("email={}&password={}", EMAIL.replace('@', "%40"), password.replace(' ', "+"));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("origin", format!("http://{}", server.address)),
    ];
    let mut connection = connect(server.address).await;
    send(&mut connection, request(server.address, "POST", "/sign-in", &headers, body)).await.unwrap().0
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

#[test]
fn a_backup_that_is_broken_off_leaves_nothing_under_its_name() {
    let place = Place::new();
    fill(&place.database);
    let (backup, beside) = (place.path("backup.db"), place.path("backup.db.incomplete"));
    // The disk is full after 64 kB.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 128; exec \"$0\" backup '{}' --database-url '{}'",
        text(&backup),
        place.database
    );
    let output = Command::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_latchkey")]).output().unwrap();
    assert!(!output.status.success(), "{}", stderr(&output));
    assert!(!backup.exists() && !beside.exists(), "{}", stderr(&output));
    // Killed as soon as it writes.
    let mut running = place.command(&["backup", &text(&backup)]).spawn().unwrap();
    while !beside.exists() && running.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    running.kill().ok();
    running.wait().unwrap();
    if backup.exists() {
        println!("the backup was complete before it could be killed");
        std::fs::remove_file(&backup).unwrap();
    }
    // What was left behind is replaced, but not while another process writes it.
    std::fs::write(&beside, "half of a backup").unwrap();
    let busy = std::fs::File::open(&beside).unwrap();
    busy.lock().unwrap();
    assert_refused(&place.run(&["backup", &text(&backup)]), "Another process is writing");
    drop(busy);
    let output = place.run(&["backup", &text(&backup)]);
    assert_done(&output);
    assert!(stderr(&output).contains("tenants: 1, people: 1, keys: 1"), "{}", stderr(&output));
    assert!(!beside.exists());
    assert_done(&latchkey().args(["check", "--database-url", &format!("sqlite:{}", text(&backup))]).output().unwrap());
}

#[test]
fn a_backup_of_a_damaged_database_says_so() {
    let place = Place::new();
    fill(&place.database);
    block_on(async {
        let services = Services::open(&Settings::new(&place.database), Clock::system()).await.unwrap();
        service::testing::execute(&services, "UPDATE audit_log SET detail = 'other' WHERE seq = 1").await;
        services.close().await;
    });
    let backup = place.path("backup.db");
    assert_refused(&place.run(&["backup", &text(&backup)]), "entry 1 was changed");
    assert!(backup.exists(), "it is as good as the database");
}

/// What was revoked after a backup was made, and what wasn't.
struct Story {
    place: Place,
    backup: String,
    /// Of the keys: one that stays, one that was revoked before the backup, one that was revoked after it, one of an
    /// account that was deleted after it, one of a member who was removed after it, and one that was created and revoked
    /// after it.
    tokens: Vec<String>,
}

const STAYS: [bool; 6] = [true, false, false, false, false, false];
const NEW_PASSWORD: &str = "eight boats above the quay";

impl Story {
    fn new() -> Self {
        let place = Place::new();
        let database = &place.database;
        let (account, stays) = fill(database);
        let (early, early_token) = create_key(database, &account, "early");
        let (late, late_token) = create_key(database, &account, "late");
        let other = admin(database, &["create-service-account", "--tenant", "bench", "--name", "Other"], "");
        let (_, of_account) = create_key(database, &other, "other");
        let grace = ["create-user", "--email", GRACE, "--tenant", "bench", "--role", "USER", "--password-stdin"];
        admin(database, &grace, PASSWORD);
        let of_member = ["create-key", "--tenant", "bench", "--user", GRACE, "--name", "laptop"];
        let of_member = admin(database, &of_member, "");
        admin(database, &["revoke-key", &early, "--tenant", "bench"], "");
        let backup = text(&place.path("backup.db"));
        assert_done(&place.run(&["backup", &backup]));
        admin(database, &["revoke-key", &late, "--tenant", "bench"], "");
        admin(database, &["delete-service-account", &other, "--tenant", "bench"], "");
        admin(database, &["remove-member", "--tenant", "bench", "--email", GRACE], "");
        admin(database, &["change-password", "--email", EMAIL, "--password-stdin"], NEW_PASSWORD);
        let (newer, newer_token) = create_key(database, &account, "newer");
        admin(database, &["revoke-key", &newer, "--tenant", "bench"], "");
        let tokens = vec![stays, early_token, late_token, of_account, of_member, newer_token];
        Self { place, backup, tokens }
    }

    fn accepted(&self) -> Vec<bool> {
        let tokens: Vec<&str> = self.tokens.iter().map(String::as_str).collect();
        block_on(accepted(&self.place.database, &tokens))
    }

    #[track_caller]
    fn assert_revoked_again(&self) {
        assert_eq!(self.accepted(), STAYS);
        assert_done(&self.place.run(&["check"]));
        assert_done(&self.place.run(&["audit", "verify"]));
        let entries = json_lines(&stdout(&self.place.run(&["audit", "tail", "--json", "-n", "100"])));
        let again = |entry: &&Value| entry["detail"].as_str().unwrap().contains("before the backup was restored");
        let again: Vec<&Value> = entries.iter().filter(again).collect();
        assert!(
            again.iter().any(|entry| entry["operation"] == "delete_api_key" || entry["operation"] == "revoke_api_key")
        );
        assert!(again.iter().all(|entry| entry["actor_kind"] == "operator"), "{again:?}");
        assert!(entries.iter().any(|entry| entry["operation"] == "restore_backup"));
        assert_eq!(stdout(&self.place.run(&["admin", "list-members", "--tenant", "bench"])).lines().count(), 1);
    }
}

#[test]
fn a_restored_backup_brings_nothing_back_that_was_revoked_since() {
    let story = Story::new();
    assert_eq!(story.accepted(), STAYS);
    let before = stdout(&story.place.run(&["audit", "verify"]));
    let restore = ["restore", story.backup.as_str()];
    assert_refused(&story.place.run(&restore), "already exists");
    let replace = ["restore", "--replace", story.backup.as_str()];
    let server = serve(&story.place.database);
    assert_refused(&story.place.run(&replace), "is in use. Stop the server first.");
    drop(server);
    assert_eq!(stdout(&story.place.run(&["audit", "verify"])), before, "nothing was changed");
    let output = story.place.run(&replace);
    assert_done(&output);
    let message = stderr(&output);
    assert!(message.contains("1 key revoked, 1 member removed, 1 service account deleted."), "{message}");
    assert!(message.contains(&format!("{EMAIL} had changed the password")), "{message}");
    story.assert_revoked_again();
    assert_eq!(block_on(sign_in(&story.place.database, PASSWORD)), 401, "the old password");
    admin(&story.place.database, &["change-password", "--email", EMAIL, "--password-stdin"], NEW_PASSWORD);
    assert_eq!(block_on(sign_in(&story.place.database, NEW_PASSWORD)), 303, "the new one");
    // The same again, from a database that was itself restored.
    assert_done(&story.place.run(&["restore"]));
    story.assert_revoked_again();
    let moved = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().contains(".replaced-");
    let folder = story.place.path("").read_dir().unwrap().map(Result::unwrap);
    assert_eq!(folder.filter(moved).count(), 1, "the old database was kept");
}

#[test]
fn a_removed_administrator_whom_a_backup_makes_the_last_one_again_is_named_with_the_way_out() {
    let place = Place::new();
    let database = &place.database;
    let (_, token) = fill(database);
    let backup = text(&place.path("backup.db"));
    assert_done(&place.run(&["backup", &backup]));
    let grace = ["create-user", "--email", GRACE, "--tenant", "bench", "--role", "TENANT_ADMIN", "--password-stdin"];
    let remove = ["remove-member", "--tenant", "bench", "--email", EMAIL];
    admin(database, &grace, PASSWORD);
    admin(database, &remove, "");
    let way_out = format!("latchkey admin remove-member --tenant bench --email {EMAIL}");
    assert_refused(&place.run(&["restore", "--replace", &backup]), &way_out);
    assert_refused(&place.run(&["serve", "--listen", "127.0.0.1:0"]), &way_out);
    assert_refused(&place.run(&["restore"]), &way_out);
    admin(database, &grace, PASSWORD);
    admin(database, &remove, "");
    assert_eq!(block_on(accepted(database, &[&token])), [true]);
    assert_eq!(block_on(sign_in(database, PASSWORD)), 403, "in no tenant");
    assert_done(&place.run(&["restore"]));
}

#[test]
fn a_backup_that_was_copied_by_hand_is_not_served() {
    let story = Story::new();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(story.place.path(&format!("test.db{suffix}"))).ok();
    }
    std::fs::copy(&story.backup, story.place.path("test.db")).unwrap();
    let output = story.place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_refused(&output, "run latchkey restore");
    assert_done(&story.place.run(&["restore"]));
    story.assert_revoked_again();
}

#[test]
fn a_missing_an_old_or_a_damaged_ledger_is_refused() {
    let story = Story::new();
    let ledger = story.place.path("test.db.revocations");
    let whole = std::fs::read_to_string(&ledger).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&ledger.metadata().unwrap().permissions()) & 0o777, 0o600);
    let replace = ["restore", "--replace", story.backup.as_str()];
    std::fs::remove_file(&ledger).unwrap();
    assert_refused(&story.place.run(&replace), "There is no revocation ledger");
    // From before the revocation that the backup has.
    std::fs::write(&ledger, whole.lines().next().unwrap().to_owned() + "\n").unwrap();
    assert_refused(&story.place.run(&replace), "older than the backup");
    std::fs::write(&ledger, whole.replace("\nkey ", "\nkex ")).unwrap();
    assert_refused(&story.place.run(&["restore", "--replace", &story.backup]), "line 2 isn't a revocation");
    std::fs::write(&ledger, &whole).unwrap();
    let target = format!("sqlite:{}", text(&story.place.path("other.db")));
    let without = ["restore", story.backup.as_str(), "--without-ledger", "--database-url", target.as_str()];
    let output = latchkey().args(without).output().unwrap();
    assert_done(&output);
    assert!(stderr(&output).contains("it isn't known what was revoked after"), "{}", stderr(&output));
    let tokens: Vec<&str> = story.tokens.iter().map(String::as_str).collect();
    assert_eq!(block_on(accepted(&target, &tokens)), [true, false, true, true, true, false]);
    let text_file = story.place.write("notes.txt", "not a database");
    let third = format!("sqlite:{}", text(&story.place.path("third.db")));
    let words = ["restore", text_file.as_str(), "--without-ledger", "--database-url", third.as_str()];
    let output = latchkey().args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!story.place.path("third.db").exists() && !story.place.path("third.db.restoring").exists());
}

#[test]
fn a_database_that_was_restored_by_other_means_gets_its_revocations_again() {
    on_both(async |database| {
        let folder = tempfile::tempdir().unwrap();
        let ledger = text(&folder.path().join("ledger"));
        let run = |arguments: &[&str]| {
            let mut command = latchkey();
            command.args(arguments).args(["--database-url", &database, "--revocation-ledger", &ledger]);
            command.stdin(Stdio::null()).output().unwrap()
        };
        let (account, token) = fill(&database);
        let (id, revoked) = create_key(&database, &account, "revoked");
        assert_done(&run(&["admin", "revoke-key", &id, "--tenant", "bench"]));
        assert!(std::fs::read_to_string(&ledger).unwrap().contains(&format!("key {id} ")));
        // As if the database came from a backup.
        let services = Services::open(&Settings::new(&database), Clock::system()).await.unwrap();
        let undo = "UPDATE api_keys SET revoked_at = NULL, revoked_by = NULL, revoke_reason = NULL, lifecycle = 0";
        service::testing::execute(&services, undo).await;
        services.close().await;
        assert_refused(&run(&["serve", "--listen", "127.0.0.1:0"]), "run latchkey restore");
        let output = run(&["restore"]);
        assert_done(&output);
        assert!(stderr(&output).contains("1 key revoked,"), "{}", stderr(&output));
        assert_eq!(accepted(&database, &[&token, &revoked]).await, [true, false]);
        assert_done(&run(&["audit", "verify"]));
    });
}

#[test]
fn a_malformed_pin_is_refused() {
    on_both(async |database| {
        fill(&database);
        let verify = |pin: &str| {
            let words = ["audit", "verify", "--database-url", &database, "--expect", pin];
            latchkey().args(words).output().unwrap()
        };
        let hash = "0".repeat(64);
        let pins = [
            String::new(),
            "bench".to_owned(),
            "bench:1".to_owned(),
            "bench:1:".to_owned(),
            "bench:1:xyz".to_owned(),
            format!("bench:0:{hash}"),
            "bench:0:".to_owned(),
            format!("bench:-1:{hash}"),
            format!("bench:+1:{hash}"),
            format!("bench:01:{hash}"),
            format!("bench:one:{hash}"),
            format!("bench:99999999999999999999:{hash}"),
            format!("bench:1:{hash}0"),
            format!("bench:1:{}", &hash[1..]),
            format!("bench:1:{hash}:"),
            format!(":1:{hash}"),
            format!("Bench:1:{hash}"),
            format!("bench:1:{hash} bench:1:{hash}"),
        ];
        for pin in pins {
            let output = verify(&pin);
            assert_refused(&output, "isn't a line of latchkey audit verify");
            assert_eq!(stdout(&output), "", "{pin}");
        }
        assert_refused(&verify(&format!("bench:1:{hash}")), "entry 1 isn't the expected one");
        let line = stdout(&latchkey().args(["audit", "verify", "--database-url", &database]).output().unwrap());
        assert_done(&verify(line.lines().find(|line| line.starts_with("bench:")).unwrap()));
    });
}

/// Returns a new, empty PostgreSQL database; `None` without a server.
fn postgres() -> Option<String> {
    let server = std::env::var("LATCHKEY_TEST_POSTGRES").ok()?;
    Some(block_on(service::testing::new_postgres(&server)))
}

#[test]
fn a_moved_database_has_every_row_and_refuses_a_second_move() {
    let Some(target) = postgres() else { return };
    let place = Place::new();
    assert_done(&place.run(&["fill-demo"]));
    let tenants = json_lines(&stdout(&place.run(&["admin", "list-tenants", "--json"])));
    let slug = tenants[0]["slug"].as_str().unwrap().to_owned();
    let pins = stdout(&place.run(&["audit", "verify"]));
    let server = serve(&place.database);
    let to = ["move", "--to", target.as_str()];
    assert_refused(&place.run(&to), "is in use. Stop the server first.");
    drop(server);
    let pins = pins + &stdout(&place.run(&["audit", "verify"]));
    let keys = stdout(&place.run(&["admin", "list-keys", "--tenant", &slug, "--json"]));
    let output = place.run(&to);
    assert_done(&output);
    let tables: Vec<(String, u64)> = stdout(&output)
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns[2].len(), 64);
            (columns[0].to_owned(), columns[1].parse().unwrap())
        })
        .collect();
    let mut names: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected: Vec<&str> =
        SCHEMA.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split_whitespace().next()).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "every table is copied");
    assert!(tables.iter().filter(|(_, rows)| *rows > 0).count() > 12, "{tables:?}");
    let there = |words: &[&str]| latchkey().args(words).args(["--database-url", &target]).output().unwrap();
    assert_eq!(stdout(&there(&["admin", "list-keys", "--tenant", &slug, "--json"])), keys);
    let mut verify = vec!["audit", "verify"];
    verify.extend(pins.lines().flat_map(|line| ["--expect", line]));
    assert_done(&there(&verify));
    let keys = place.path("test.db.key");
    assert_done(&there(&["check", "--secret-key-file", keys.to_str().unwrap()]));
    assert_refused(&place.run(&to), "The target isn't empty");
    assert_refused(&place.run(&["move", "--to", &place.database]), "The target must be a PostgreSQL database");
    drop(serve(&place.database));
}

#[test]
fn a_token_of_before_a_move_is_accepted_after_it() {
    let Some(target) = postgres() else { return };
    let place = Place::new();
    let (account, token) = fill(&place.database);
    let (id, revoked) = create_key(&place.database, &account, "revoked");
    admin(&place.database, &["revoke-key", &id, "--tenant", "bench"], "");
    assert_done(&place.run(&["move", "--to", &target]));
    assert_eq!(block_on(accepted(&target, &[&token, &revoked])), [true, false]);
    assert_eq!(block_on(sign_in(&target, PASSWORD)), 303);
}
