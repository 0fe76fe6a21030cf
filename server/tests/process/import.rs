//! `latchkey import`: as a command, beside a running server, and after a restore and a move.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    on_both,
    operator::{Place, json_lines, stderr, stdout},
    support::{EMAIL, Server, admin, connect, fill, latchkey, request, send, serve},
};

/// Returns the token of a number, as another system might have made it.
pub fn token(number: usize) -> String {
    format!("sk_live_{number:024}")
}

/// Returns a line of an import.
pub fn line(number: usize, owner: &str) -> Value {
    let sha256 = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token(number)));
    json!({"owner": owner, "name": format!("key {number}"), "sha256": sha256})
}

/// Imports lines from standard input.
pub fn import(database: &str, lines: &[Value], options: &[&str]) -> Output {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    import_text(database, &lines.join("\n"), options)
}

fn import_text(database: &str, text: &str, options: &[&str]) -> Output {
    let mut child = latchkey()
        .args(["import", "-", "--database-url", database])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), text.to_owned());
    // A command that refuses its arguments doesn't read.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

async fn is_valid(server: &Server, token: &str) -> bool {
    let headers = [("content-type", "application/json".to_owned())];
    let body = json!({ "token": token }).to_string();
    let request = request(server.address, "POST", "/api/v1/verify", &headers, body);
    let (_, answer) = send(&mut connect(server.address).await, request).await.unwrap();
    serde_json::from_str::<Value>(&answer).unwrap()["valid"] == true
}

fn list(database: &str) -> Vec<Value> {
    json_lines(&admin(database, &["list-keys", "--tenant", "bench", "--json"], ""))
}

#[track_caller]
fn counts(output: &Output) -> (Option<i32>, [u64; 3]) {
    let report: Value = serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)));
    (output.status.code(), ["imported", "skipped", "invalid"].map(|name| report[name].as_u64().unwrap()))
}

#[test]
fn a_running_server_accepts_imported_keys_as_soon_as_the_command_has_ended() {
    on_both(async |database| {
        fill(&database);
        let is_sqlite = database.starts_with("sqlite:");
        let server = serve(&database);
        for number in 0..3 {
            assert!(!is_valid(&server, &token(number)).await);
            let output = import(&database, &[line(number, "Bench")], &["--tenant", "bench"]);
            assert!(output.status.success(), "{}", stderr(&output));
            assert_eq!(
                stderr(&output).trim(),
                "Imported 1 key; skipped 0 keys that were imported before; left out 0 invalid lines."
            );
            if number == 0 && !is_sqlite {
                // On PostgreSQL, another process hears of the first import within a second.
                tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
            }
            assert!(is_valid(&server, &token(number)).await, "{number}");
        }
        let keys = list(&database);
        let key = keys.iter().find(|key| key["name"] == "key 0").unwrap();
        assert!(key["imported_at"].is_string() && key["hint"].as_str().unwrap().starts_with("sha256:"), "{key}");
        assert!(keys.iter().any(|key| key["imported_at"].is_null()), "a key that was created here");
        admin(&database, &["revoke-key", key["id"].as_str().unwrap(), "--tenant", "bench"], "");
        if !is_sqlite {
            tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        }
        assert!(!is_valid(&server, &token(0)).await);
        let again = import(&database, &[line(0, "Bench"), line(1, "Bench")], &["--tenant", "bench", "--json"]);
        assert_eq!(counts(&again), (Some(1), [0, 1, 1]), "a revoked token isn't brought back");
        assert!(!is_valid(&server, &token(0)).await);
    });
}

#[test]
fn the_command_says_what_is_wrong_and_imports_nothing_unless_told() {
    on_both(async |database| {
        fill(&database);
        let lines = format!(
            "\u{feff}{}\r\n\n   \n{}\n{{\n{}\n{}\n\"{}\"\n",
            line(1, EMAIL),
            line(2, "Nobody"),
            json!({"owner": "Bench", "name": "x", "sha256": token(3), "secret": token(3)}),
            line(4, "Bench"),
            token(5),
        );
        let run =
            |options: &[&str]| import_text(&database, &lines, &[&["--tenant", "bench", "--json"], options].concat());
        for options in [&[][..], &["--dry-run"], &["--dry-run", "--skip-invalid"]] {
            let output = run(options);
            let would = if options.is_empty() { 0 } else { 2 };
            let code = i32::from(!options.contains(&"--skip-invalid"));
            assert_eq!(counts(&output), (Some(code), [would, 0, 4]), "{options:?}");
            assert_eq!(list(&database).len(), 1, "{options:?}: nothing is imported");
        }
        let output = run(&[]);
        let errors = stderr(&output);
        for part in [
            "line 4: owner: There is no service account “Nobody”.",
            "line 5: ",
            "line 6: sha256: This must be a SHA-256",
            "line 6: secret: There is no such member.",
            "line 8: This isn't a JSON object.",
            "latchkey: Nothing was imported.",
        ] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        assert!(!errors.contains("sk_live_") && !stdout(&output).contains("sk_live_"), "{errors}");
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            report["invalid_lines"][0],
            json!({"line": 4, "member": "owner", "message": report["invalid_lines"][0]["message"]})
        );
        let output = run(&["--skip-invalid"]);
        assert_eq!(counts(&output), (Some(0), [2, 0, 4]));
        assert_eq!(list(&database).len(), 3);
        assert_eq!(counts(&run(&["--skip-invalid"])), (Some(0), [0, 2, 4]));

        let many: Vec<Value> = (100..180).map(|number| line(number, "Nobody")).collect();
        let output = import(&database, &many, &["--tenant", "bench"]);
        assert_eq!(stderr(&output).matches("\nline ").count() + 1, 50);
        assert!(stderr(&output).contains("Left out here: 30 more invalid lines."));
        for (arguments, message) in [
            (&["import", "/nowhere.jsonl"][..], "/nowhere.jsonl can't be read"),
            (&["import", "-", "--tenant"], "a value is required"),
        ] {
            let output = latchkey().args(arguments).args(["--database-url", &database]).output().unwrap();
            assert!(!output.status.success() && stderr(&output).contains(message), "{}", stderr(&output));
        }
        let long = format!("{{\"owner\":\"{}\"}}", "x".repeat(70_000));
        let output = import_text(&database, &long, &[]);
        assert!(stderr(&output).contains("Line 1 is longer than 65536 bytes."), "{}", stderr(&output));
    });
}

#[test]
fn a_revoked_imported_key_stays_revoked_after_a_restore() {
    let place = Place::new();
    let database = &place.database;
    fill(database);
    import(database, &[line(1, "Bench"), line(2, "Bench")], &["--tenant", "bench"]);
    let backup = place.path("backup.db").display().to_string();
    assert!(place.run(&["backup", &backup]).status.success());
    let id = list(database).into_iter().find(|key| key["name"] == "key 1").unwrap()["id"].clone();
    admin(database, &["revoke-key", id.as_str().unwrap(), "--tenant", "bench"], "");
    let restored = place.run(&["restore", "--replace", &backup]);
    assert!(restored.status.success(), "{}", stderr(&restored));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let server = serve(database);
        assert_eq!([is_valid(&server, &token(1)).await, is_valid(&server, &token(2)).await], [false, true]);
    });
    let again = import(database, &[line(1, "Bench")], &["--tenant", "bench"]);
    assert!(stderr(&again).contains("was revoked on"), "{}", stderr(&again));
}

#[test]
fn a_moved_database_accepts_imported_keys() {
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(service::testing::with_postgres(&server, async |target| {
        let place = Place::new();
        fill(&place.database);
        // Triggers of the target write changes, too, when rows of the catalogue and imported keys are inserted.
        admin(&place.database, &["set-scope", "a:read", "--description", "a", "--least-role", "USER"], "");
        import(&place.database, &[line(1, "Bench")], &["--tenant", "bench"]);
        let before = list(&place.database);
        let moved = place.run(&["move", "--to", &target]);
        assert!(moved.status.success(), "{}", stderr(&moved));
        assert_eq!(list(&target), before);
        assert!(is_valid(&serve(&target), &token(1)).await);
    }));
}

/// Prints how many keys are imported in a second. `LATCHKEY_IMPORTED_KEYS`: how many there are; 2,000 by default.
#[test]
fn many_lines_are_imported_in_reasonable_time() {
    let keys: usize = std::env::var("LATCHKEY_IMPORTED_KEYS").map_or(2_000, |number| number.parse().unwrap());
    on_both(async |database| {
        fill(&database);
        let accounts: Vec<String> = (0..keys.div_ceil(400)).map(|number| format!("Account {number}")).collect();
        for name in &accounts {
            admin(&database, &["create-service-account", "--tenant", "bench", "--name", name], "");
        }
        let lines: Vec<Value> = (0..keys).map(|number| line(number, &accounts[number % accounts.len()])).collect();
        for options in [&["--dry-run"][..], &[], &[]] {
            let begun = std::time::Instant::now();
            let output = import(&database, &lines, &[&["--tenant", "bench"], options].concat());
            assert!(output.status.success(), "{}", stderr(&output));
            println!("{keys} lines {options:?} in {:?}: {}", begun.elapsed(), stderr(&output).trim());
        }
        let check = latchkey().args(["check", "--database-url", &database]).output().unwrap();
        assert!(check.status.success(), "{}", stderr(&check));
    });
}
