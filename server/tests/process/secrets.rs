//! The file with the secret keys: created at the first start, required afterwards, rotated by a command.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::support::{EMAIL, admin, fill, latchkey, serve};

fn run(database: &str, arguments: &[&str]) -> Output {
    let mut command = latchkey();
    command.args(arguments).args(["--database-url", database]).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Runs `serve`, which is expected to refuse, and returns what it prints.
fn refused(command: &mut Command) -> String {
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stderr)
}

fn keys(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_key_file_is_created_once_and_the_server_does_not_start_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let file = folder.path().join("test.db.key");
    fill(&database);
    drop(serve(&database));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let first = keys(&file);
    drop(serve(&database));
    assert_eq!(keys(&file), first, "a second start changes nothing");

    let kept = folder.path().join("kept.key");
    std::fs::rename(&file, &kept).unwrap();
    let message = refused(latchkey().args(["--database-url", &database]));
    assert!(message.contains("there is no secret key file") && message.contains("test.db.key"), "{message}");
    assert!(!file.exists(), "no new key replaces a missing one");
    assert_eq!(text(&run(&database, &["secrets", "init"]).stdout).len(), 16, "prints the id");
    let message = refused(latchkey().args(["--database-url", &database]));
    assert!(message.contains("doesn't contain"), "{message}");
    let problems = run(&database, &["check"]);
    assert_eq!(problems.status.code(), Some(1));
    assert!(text(&problems.stderr).contains("secret key"), "{}", text(&problems.stderr));
    let again = run(&database, &["secrets", "init"]);
    assert!(again.status.code() == Some(1) && text(&again.stderr).contains("already exists"));

    let with = |name: &str, value: &str| {
        latchkey().env(name, value).args(["check", "--database-url", &database]).output().unwrap()
    };
    assert!(with("LATCHKEY_SECRET_KEY_FILE", kept.to_str().unwrap()).status.success());
    assert!(with("LATCHKEY_SECRET_KEY", &first[0]).status.success());
    let both = latchkey()
        .env("LATCHKEY_SECRET_KEY", &first[0])
        .env("LATCHKEY_SECRET_KEY_FILE", kept.to_str().unwrap())
        .args(["check", "--database-url", &database])
        .output()
        .unwrap();
    assert_eq!(both.status.code(), Some(2), "{}", text(&both.stderr));
    let invalid = with("LATCHKEY_SECRET_KEY", "hunter2");
    assert!(!invalid.status.success() && !text(&invalid.stderr).contains("hunter2"), "{}", text(&invalid.stderr));
}

#[test]
fn a_key_is_rotated_and_a_backup_names_the_file_that_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let file = folder.path().join("test.db.key");
    fill(&database);
    let server = serve(&database);
    let first = keys(&file);
    let prepared = run(&database, &["secrets", "rotate", "--prepare"]);
    assert_eq!(keys(&file).len(), 2);
    let rotated = run(&database, &["secrets", "rotate"]);
    assert!(rotated.status.success(), "{}", text(&rotated.stderr));
    assert_eq!(rotated.stdout, prepared.stdout, "the prepared key is used");
    assert!(keys(&file).len() == 1 && keys(&file) != first);
    drop(server);
    drop(serve(&database));
    assert!(run(&database, &["check"]).status.success());
    let backup = folder.path().join("backup.db");
    let copied = run(&database, &["backup", backup.to_str().unwrap()]);
    assert!(copied.status.success() && text(&copied.stderr).contains("test.db.key"), "{}", text(&copied.stderr));
    let nothing = run(&database, &["secrets", "discard-lost"]);
    assert!(text(&nothing.stderr).contains(": 0."), "{}", text(&nothing.stderr));
    let unlocked = latchkey()
        .args(["admin", "unlock-second-factor", "--email", EMAIL, "--database-url", &database])
        .output()
        .unwrap();
    assert!(text(&unlocked.stderr).contains("aren't locked"), "{}", text(&unlocked.stderr));
    assert!(admin(&database, &["list-members", "--tenant", "bench"], "").contains(EMAIL));
}

#[test]
fn servers_of_a_postgres_database_need_a_key_only_once_it_is_used() {
    let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(service::testing::new_postgres(&server));
    let folder = tempfile::tempdir().unwrap();
    fill(&database);
    drop(serve(&database));
    let file = folder.path().join("secret.key");
    let path = file.to_str().unwrap();
    let missing = refused(latchkey().args(["--database-url", &database, "--secret-key-file", path]));
    assert!(missing.contains("latchkey secrets init"), "{missing}");
    assert!(run(&database, &["secrets", "init", "--secret-key-file", path]).status.success());
    let started = crate::support::start(latchkey().args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        &database,
        "--secret-key-file",
        path,
    ]));
    drop(started);
    let message = refused(latchkey().args(["--database-url", &database]));
    assert!(message.contains("--secret-key-file"), "{message}");
    let unnamed = run(&database, &["secrets", "init"]);
    assert!(text(&unnamed.stderr).contains("--secret-key-file"), "{}", text(&unnamed.stderr));
}
