//! The command line: which databases a command accepts, what it prints, and which arguments it refuses.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use service::{Clock, Services, Settings};

use crate::{
    on_both,
    support::{EMAIL, PASSWORD, account, admin, fill, latchkey, serve, start},
};

const NO_ID: &str = "0198c5a2-7b1e-7f3a-9c40-5d2e8f6a1b3c";

/// Runs a command without input.
fn run(database: &str, arguments: &[&str]) -> Output {
    latchkey().args(arguments).args(["--database-url", database]).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, message: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(message), "{message} isn't in: {text}");
    assert_eq!(stdout(output), "");
}

/// Every command that needs a database which is already set up.
fn commands_for_a_database(folder: &Path) -> Vec<Vec<String>> {
    let backup = folder.join("backup.db").display().to_string();
    let texts: [&[&str]; 6] = [
        &["backup", &backup],
        &["check"],
        &["audit", "verify"],
        &["audit", "refusals"],
        &["admin", "create-tenant", "--name", "Acme", "--slug", "acme"],
        &["serve", "--listen", "127.0.0.1:0", "--no-migrate"],
    ];
    texts.iter().map(|words| words.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn a_mistyped_path_is_refused_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("typo.db").display());
    for command in commands_for_a_database(folder.path()) {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_refused(&run(&database, &command), 1, "No database at ");
    }
    let nowhere = format!("sqlite:{}", folder.path().join("missing/new.db").display());
    assert_refused(&run(&nowhere, &["migrate"]), 1, "new.db can't be created: ");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_database_without_tables_is_not_set_up() {
    on_both(async |database| {
        if let Some(path) = database.strip_prefix("sqlite:") {
            std::fs::write(path, "").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for command in commands_for_a_database(folder.path()) {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            assert_refused(&run(&database, &command), 1, "This database isn't set up. Run latchkey migrate.");
        }
        assert!(run(&database, &["migrate"]).status.success());
        assert!(run(&database, &["check"]).status.success());
    });
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    on_both(async |database| {
        let services = Services::open(&Settings::new(&database), Clock::system()).await.unwrap();
        service::testing::execute(&services, "CREATE TABLE users (name TEXT)").await;
        services.close().await;
        for command in [&["migrate"][..], &["check"], &["serve", "--listen", "127.0.0.1:0"], &["admin", "list-tenants"]]
        {
            assert_refused(&run(&database, command), 1, "This database belongs to another program.");
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "a file that is long enough to be read as the header of a database, but isn't one").unwrap();
    let database = format!("sqlite:{}", path.display());
    assert_refused(&run(&database, &["check"]), 1, "notes.txt isn't an SQLite database.");
    assert_refused(&run(&database, &["migrate"]), 1, "notes.txt isn't an SQLite database.");
}

#[test]
fn a_database_of_a_development_version_or_a_newer_one_is_refused_with_what_to_do() {
    on_both(async |database| {
        fill(&database);
        let open = async || Services::open(&Settings::new(&database), Clock::system()).await.unwrap();
        let commands =
            [&["migrate"][..], &["check"], &["serve", "--listen", "127.0.0.1:0"], &["admin", "list-tenants"]];
        let services = open().await;
        service::testing::disguise_as_newer(&services).await;
        services.close().await;
        for command in commands {
            assert_refused(&run(&database, command), 1, "newer version of Latchkey (migration 999)");
        }
        let services = open().await;
        service::testing::disguise_as_development(&services).await;
        services.close().await;
        for command in commands {
            assert_refused(&run(&database, command), 1, "development version of Latchkey");
        }
    });
}

#[test]
fn a_read_only_database_is_refused_at_the_start_and_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&database);
    let read_only = format!("{database}?mode=ro");
    let rename = ["admin", "rename-tenant", "--tenant", "bench", "--name", "Other"];
    for command in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"], &rename] {
        assert_refused(&run(&read_only, command), 1, "is read-only.");
    }
    for command in [&["check"][..], &["audit", "verify"]] {
        let output = run(&read_only, command);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn only_their_owner_may_read_the_files_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;

    for umask in ["000", "022", "277"] {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let mode = |name: &str| file(name).metadata().unwrap().permissions().mode() & 0o777;
        let database = format!("sqlite:{}", file("test.db").display());
        let command = format!("umask {umask}; exec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_latchkey");
        let arguments = ["-c", &command, program, "serve", "--listen", "127.0.0.1:0", "--database-url", &database];
        let server = start(Command::new("sh").args(arguments));
        for name in ["test.db", "test.db-wal", "test.db-shm"] {
            assert_eq!(mode(name), 0o600, "{name} with umask {umask}");
        }
        let backup = file("backup.db").display().to_string();
        let arguments = ["-c", &command, program, "backup", &backup, "--database-url", &database];
        assert!(Command::new("sh").args(arguments).status().unwrap().success());
        assert_eq!(mode("backup.db"), 0o600, "the backup with umask {umask}");
        drop(server);
    }
}

#[test]
fn a_backup_is_a_working_copy_and_never_replaces_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&database);
    let path = folder.path().join("backup.db");
    let backup = path.display().to_string();
    assert!(run(&database, &["backup", &backup]).status.success());
    let copy = format!("sqlite:{backup}");
    assert!(run(&copy, &["check"]).status.success());
    assert_eq!(stdout(&run(&copy, &["admin", "list-members", "--tenant", "bench"])).lines().count(), 1);
    let bytes = std::fs::read(&path).unwrap();
    assert_refused(&run(&database, &["backup", &backup]), 1, "backup.db already exists. Choose another name.");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let nowhere = folder.path().join("missing/backup.db").display().to_string();
    assert_refused(&run(&database, &["backup", &nowhere]), 1, "backup.db can't be created: ");
}

#[test]
fn each_printed_line_of_a_verification_can_be_expected_later() {
    on_both(async |database| {
        fill(&database);
        // An entry that belongs to no tenant, whose line begins with a hyphen.
        admin(&database, &["rename-user", "--email", EMAIL, "--name", "Ada"], "");
        let first = stdout(&run(&database, &["audit", "verify"]));
        assert!(first.lines().any(|line| line.starts_with("-:1:")), "{first}");
        assert!(first.lines().any(|line| line.starts_with("bench:")), "{first}");
        admin(&database, &["rename-tenant", "--tenant", "bench", "--name", "Other"], "");
        let mut command = vec!["audit", "verify"];
        command.extend(first.lines().flat_map(|line| ["--expect", line]));
        let output = run(&database, &command);
        assert!(output.status.success(), "{}", stderr(&output));
        let output = run(&database, &["audit", "verify", "--expect", &format!("-:1:{}", "0".repeat(64))]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("entry 1 isn't the expected one"), "{}", stderr(&output));
    });
}

#[test]
fn arguments_that_make_no_sense_are_refused_before_the_database_is_opened() {
    let tenant = ["--tenant", "acme"];
    let cases: [(&[&str], &str); 13] = [
        (&["serve", "--max-connections", "0"], "--max-connections"),
        (&["serve", "--confirm-after", "0"], "--confirm-after"),
        (&["serve", "--trusted-proxy", "proxy"], "expected an address or network"),
        (&["serve", "--site-root", "/nowhere"], "there is no such folder"),
        (&["serve", "--mail-from", "keys@example.org"], "--smtp-url"),
        (&["admin", "suspend-keys"], "<ID>"),
        (&["admin", "revoke-keys"], "<ID>"),
        (&["admin", "revoke-key", "Laptop"], "invalid value 'Laptop' for '<ID>': not an id"),
        (&["admin", "create-key", "--name", "x"], "--user"),
        (&["admin", "create-service-account", "--name", "x", "--role", "admin"], "TENANT_ADMIN"),
        (&["admin", "roll-key", NO_ID, "--overlap", "2h"], "24h"),
        (&["admin", "set-policy", "--policy", "max_lifetime", "--days", "0"], "--days"),
        (&["admin", "clear-policy", "--policy", "max_age"], "max_lifetime"),
    ];
    for (arguments, message) in cases {
        let in_tenant = if arguments[0] == "admin" { &tenant[..] } else { &[] };
        let output = run("sqlite:/nowhere/test.db", &[arguments, in_tenant].concat());
        assert_refused(&output, 2, message);
    }
}

#[test]
fn an_unknown_id_is_not_found() {
    on_both(async |database| {
        fill(&database);
        let unknown = run(&database, &["admin", "revoke-key", NO_ID, "--tenant", "bench"]);
        assert_refused(&unknown, 1, "Not found: ");
        let list = ["admin", "list-keys", "--tenant", "bench", "--service-account", NO_ID];
        assert_refused(&run(&database, &list), 1, "Not found: ");
        let list = ["admin", "list-keys", "--tenant", "other"];
        assert_refused(&run(&database, &list), 1, "There is no tenant with the slug other.");
    });
}

#[test]
fn a_created_or_rotated_key_prints_its_token_alone_and_its_id_as_a_message() {
    on_both(async |database| {
        let (id, _) = fill(&database);
        let create = ["admin", "create-key", "--tenant", "bench", "--service-account", &id, "--name", "second"];
        let created = run(&database, &create);
        let token = stdout(&created);
        assert!(token.starts_with("lks_") && token.trim_end().len() == 42 && token.lines().count() == 1, "{token}");
        let message = stderr(&created);
        let key = message.trim().strip_prefix("Created key ").and_then(|rest| rest.strip_suffix('.')).unwrap();
        let rolled = run(&database, &["admin", "roll-key", key, "--tenant", "bench"]);
        assert!(stdout(&rolled).starts_with("lks_"), "{}", stderr(&rolled));
        assert!(stderr(&rolled).contains(&format!("which replaces key {key}.")));
        let list = ["admin", "list-keys", "--tenant", "bench", "--json"];
        let keys: Vec<Value> =
            stdout(&run(&database, &list)).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let new = keys.iter().find(|row| stderr(&rolled).contains(row["id"].as_str().unwrap()) && row["id"] != key);
        let old = keys.iter().find(|row| row["id"] == key).unwrap();
        assert_eq!(old["replaced_by"], new.unwrap()["id"]);
        assert!(token.starts_with(old["hint"].as_str().unwrap()));
        let deadline = ["admin", "roll-key", key, "--tenant", "bench", "--deadline", "2099-01-01T00:00:00Z"];
        assert_refused(&run(&database, &deadline), 1, "--deadline requires --overlap first_use.");
    });
}

#[test]
fn the_operator_lists_tenants_members_accounts_keys_and_invitations() {
    on_both(async |database| {
        let (id, _) = fill(&database);
        let (other, _) = account(&database, "Other");
        admin(&database, &["create-key", "--tenant", "bench", "--user", EMAIL, "--name", "laptop"], "");
        let list = |arguments: &[&str]| {
            let output = run(&database, &[&["admin"], arguments].concat());
            assert!(output.status.success(), "{}", stderr(&output));
            stdout(&output)
        };
        let names = |text: &str, column: usize| -> Vec<String> {
            text.lines().map(|line| line.split('\t').nth(column).unwrap().to_owned()).collect()
        };
        assert_eq!(names(&list(&["list-tenants"]), 0), ["bench"]);
        assert_eq!(names(&list(&["list-members", "--tenant", "bench"]), 0), [EMAIL]);
        let accounts = list(&["list-service-accounts", "--tenant", "bench"]);
        assert_eq!(
            (names(&accounts, 3), names(&accounts, 0)),
            (vec!["Bench".into(), "Other".into()], vec![id, other.clone()])
        );
        assert_eq!(names(&list(&["list-keys", "--tenant", "bench"]), 3), ["laptop", "first", "first"]);
        assert_eq!(names(&list(&["list-keys", "--tenant", "bench", "--user", EMAIL]), 3), ["laptop"]);
        let keys = list(&["list-keys", "--tenant", "bench", "--service-account", &other]);
        assert_eq!((names(&keys, 3), names(&keys, 4)), (vec!["first".into()], vec!["Other".into()]));
        let key = names(&keys, 0).remove(0);
        admin(&database, &["suspend-key", &key, "--tenant", "bench"], "");
        let suspended = list(&["list-keys", "--tenant", "bench", "--state", "suspended", "--json"]);
        let row: Value = serde_json::from_str(suspended.trim()).unwrap();
        assert_eq!((&row["id"], &row["state"], &row["owner"]["id"]), (&key.into(), &"suspended".into(), &other.into()));
        let none = run(&database, &["admin", "list-invitations", "--tenant", "bench"]);
        assert_eq!((stdout(&none).as_str(), stderr(&none).trim()), ("", "The tenant has no open invitations."));
        let invite = ["admin", "invite-member", "--tenant", "bench", "--email", "grace@example.org", "--role", "USER"];
        let invited = run(&database, &invite);
        let invitation = names(&list(&["list-invitations", "--tenant", "bench"]), 0).remove(0);
        assert_eq!(stderr(&invited).trim(), format!("Created invitation {invitation}."));
        admin(&database, &["cancel-invitation", &invitation, "--tenant", "bench"], "");
    });
}

#[test]
fn more_keys_than_a_page_are_all_listed() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let services = Services::open(&Settings::new(&database), Clock::system()).await.unwrap();
        let crowd = service::testing::Crowd { accounts: 1, keys: 250 };
        service::testing::fill(&services, "bench", crowd).await.unwrap();
        services.close().await;
    });
    let output = stdout(&run(&database, &["admin", "list-keys", "--tenant", "bench"]));
    let ids: std::collections::HashSet<&str> = output.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!((output.lines().count(), ids.len()), (251, 251));
}

#[test]
fn a_new_person_needs_a_password_and_a_known_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&database);
    let create = ["admin", "create-user", "--email", "grace@example.org", "--tenant", "bench", "--role", "USER"];
    assert_refused(&run(&database, &create), 1, "Pass it on standard input, with --password-stdin.");
    admin(&database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
    admin(&database, &["create-user", "--email", EMAIL, "--tenant", "other", "--role", "USER"], "");
    admin(&database, &["change-password", "--email", EMAIL, "--password-stdin"], &format!("{PASSWORD}, again"));
    assert_refused(&run(&database, &["admin", "change-password", "--email", EMAIL]), 2, "--password-stdin");
    let both = run(&database, &["admin", "create-tenant", "--name", " ", "--slug", "A B"]);
    assert_refused(&both, 1, "name: ");
    assert_refused(&both, 1, "slug: ");
}

#[test]
fn an_environment_variable_without_a_value_counts_as_unset() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut command = latchkey();
    for name in
        ["PUBLIC_URL", "TRUSTED_PROXY", "INSECURE_HTTP", "SMTP_URL", "MAIL_FROM", "MAX_CONNECTIONS", "SITE_ROOT"]
    {
        command.env(format!("LATCHKEY_{name}"), "");
    }
    command.env("LATCHKEY_DATABASE_URL", &database).env("LATCHKEY_LISTEN", "127.0.0.1:0");
    drop(start(command.env("LATCHKEY_NO_MIGRATE", "no").arg("serve")));
    let again = command.env("LATCHKEY_NO_MIGRATE", "1").env("LATCHKEY_DATABASE_URL", format!("{database}.other"));
    let refused = again.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert_refused(&refused, 1, "No database at ");
    drop(serve(&database));
}
