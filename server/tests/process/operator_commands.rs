//! The operator's commands: names in place of ids, JSON, the audit log, output that can't be written, files for the
//! system.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    on_both,
    operator::{Logged, Place, json_lines, stderr, stdout},
    support::{EMAIL, account, admin, fill, latchkey},
};

/// Runs a command on a database, which must succeed. Returns its standard output.
fn succeed(database: &str, arguments: &[&str]) -> String {
    let output = latchkey().args(arguments).args(["--database-url", database]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_service_account_can_be_named_wherever_its_id_is_accepted() {
    on_both(async |database| {
        let (id, _) = fill(&database);
        account(&database, "Deployer");
        let in_tenant =
            |arguments: &[&str]| succeed(&database, &[&["admin"], arguments, &["--tenant", "bench"]].concat());
        for account in ["Bench", &id] {
            in_tenant(&["create-key", "--service-account", account, "--name", "second"]);
        }
        assert_eq!(in_tenant(&["list-keys", "--service-account", "Bench"]).lines().count(), 3);
        in_tenant(&["change-service-account-role", "Bench", "--role", "USER"]);
        in_tenant(&["suspend-service-account", "Bench"]);
        in_tenant(&["resume-service-account", "Bench"]);
        in_tenant(&["rename-service-account", "Bench", "--name", "Renamed"]);
        in_tenant(&["delete-service-account", "Renamed"]);
        let names = in_tenant(&["list-service-accounts"]);
        assert!(names.contains("Deployer") && !names.contains("Renamed"), "{names}");
        let gone = ["admin", "create-key", "--tenant", "bench", "--service-account", "Renamed", "--name", "x"];
        let output = latchkey().args(gone).args(["--database-url", &database]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("There is no service account “Renamed”."), "{}", stderr(&output));
    });
}

#[test]
fn a_created_or_rotated_key_is_printed_as_json_with_its_id() {
    on_both(async |database| {
        fill(&database);
        let create =
            ["admin", "create-key", "--tenant", "bench", "--service-account", "Bench", "--name", "x", "--json"];
        let created: Value = serde_json::from_str(&succeed(&database, &create)).unwrap();
        let (id, token) = (created["id"].as_str().unwrap(), created["token"].as_str().unwrap());
        assert!(token.starts_with("lks_") && token.len() == 42, "{created}");
        let roll = ["admin", "roll-key", id, "--tenant", "bench", "--json"];
        let rolled: Value = serde_json::from_str(&succeed(&database, &roll)).unwrap();
        assert_ne!(rolled["id"], created["id"]);
        let keys = json_lines(&succeed(&database, &["admin", "list-keys", "--tenant", "bench", "--json"]));
        assert!(keys.iter().any(|key| key["id"] == created["id"] && key["replaced_by"] == rolled["id"]), "{keys:?}");
        let invite =
            ["admin", "invite-member", "--tenant", "bench", "--email", "grace@example.org", "--role", "USER", "--json"];
        let invited: Value = serde_json::from_str(&succeed(&database, &invite)).unwrap();
        let invitations =
            json_lines(&succeed(&database, &["admin", "list-invitations", "--tenant", "bench", "--json"]));
        assert_eq!(invitations[0]["id"], invited["id"]);
        assert!(invited["secret"].as_str().unwrap().len() > 20);
    });
}

#[test]
fn people_of_all_tenants_are_listed_once() {
    on_both(async |database| {
        fill(&database);
        admin(&database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
        admin(&database, &["create-user", "--email", EMAIL, "--tenant", "other", "--role", "USER"], "");
        let users = json_lines(&succeed(&database, &["admin", "list-users", "--json"]));
        assert_eq!(users.len(), 1);
        assert_eq!(users[0]["email"], EMAIL);
        assert!(succeed(&database, &["admin", "list-users"]).starts_with(EMAIL));
    });
}

#[test]
fn what_the_operator_does_to_a_persons_key_is_the_operators_in_the_audit_log() {
    on_both(async |database| {
        fill(&database);
        let create = ["admin", "create-key", "--tenant", "bench", "--user", EMAIL, "--name", "laptop", "--json"];
        let created: Value = serde_json::from_str(&succeed(&database, &create)).unwrap();
        let id = created["id"].as_str().unwrap().to_owned();
        let act = |name: &str, more: &[&str]| {
            succeed(&database, &[&["admin", name, &id, "--tenant", "bench"], more].concat())
        };
        act("rename-key", &["--name", "desktop"]);
        act("suspend-key", &[]);
        act("resume-key", &[]);
        act("roll-key", &[]);
        act("extend-roll", &["--overlap", "7d"]);
        act("cancel-roll", &[]);
        act("roll-key", &[]);
        act("finish-roll", &[]);
        let tail = ["audit", "tail", "--tenant", "bench", "--lines", "9", "--json"];
        let entries = json_lines(&succeed(&database, &tail));
        assert_eq!(entries.len(), 9);
        for entry in entries {
            let actor = (&entry["actor_kind"], &entry["actor_id"], &entry["actor_name"], &entry["channel"]);
            assert_eq!(actor, (&"operator".into(), &Value::Null, &"Operator".into(), &"cli".into()), "{entry}");
        }
    });
}

#[test]
fn the_latest_entries_are_printed_oldest_first_and_new_ones_follow() {
    on_both(async |database| {
        fill(&database);
        admin(&database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
        // A change that belongs to no tenant.
        admin(&database, &["rename-user", "--email", EMAIL, "--name", "Ada"], "");
        let all = json_lines(&succeed(&database, &["audit", "tail", "--json"]));
        let last = all.last().unwrap();
        assert_eq!((&last["operation"], &last["tenant"]), (&"update_profile".into(), &Value::Null));
        assert!(
            all.iter().any(|entry| entry["tenant"] == "bench") && all.iter().any(|entry| entry["tenant"] == "other")
        );
        assert!(all.is_sorted_by_key(|entry| entry["at"].as_str().unwrap().to_owned()));
        assert_eq!(
            json_lines(&succeed(&database, &["audit", "tail", "-n", "1", "--json"])),
            std::slice::from_ref(last)
        );
        let columns = succeed(&database, &["audit", "tail", "--tenant", "other"]);
        assert_eq!(columns.trim_end().split('\t').nth(1), Some("other"), "{columns}");
        let unknown =
            latchkey().args(["audit", "tail", "--tenant", "no", "--database-url", &database]).output().unwrap();
        assert!(stderr(&unknown).contains("There is no tenant with the slug no."));

        let follow = ["audit", "tail", "--follow", "-n", "0", "--json", "--database-url", &database];
        let mut following = latchkey().args(follow).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
        // The second tenant's name says that the first one was read, or that the command began after it was created.
        for number in 0.. {
            let slug = format!("new-{number}");
            admin(&database, &["create-tenant", "--name", "New", "--slug", &slug], "");
            if number == 1 {
                break;
            }
        }
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        following.kill().unwrap();
        following.wait().unwrap();
        assert_eq!(line["operation"], "create_tenant");
        assert!(line["tenant"].as_str().unwrap().starts_with("new-"), "{line}");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_or_a_closed_output_is_an_error_and_never_a_panic() {
    let place = Place::new();
    fill(&place.database);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let create = ["admin", "create-key", "--tenant", "bench", "--service-account", "Bench", "--name", "lost"];
    for command in [
        &create[..],
        &["admin", "list-keys", "--tenant", "bench"],
        &["admin", "create-tenant", "--name", "Other", "--slug", "other"],
        &["audit", "tail"],
        &["audit", "verify"],
        &["config", "check"],
        &["completions", "bash"],
    ] {
        let output = place.command(command).stdout(full()).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
        assert!(text.contains("can't be written to standard output") && !text.contains("panicked"), "{text}");
        // Nor if the message can't be written either.
        let both = place.command(command).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(both.status.code(), Some(1), "{command:?}");
    }
    // A token that nobody saw is named, so that its key can be revoked.
    let lost = stderr(&place.command(&create).stdout(full()).output().unwrap());
    assert!(lost.contains("is lost: revoke the key"), "{lost}");
    for command in [&["check"][..], &["migrate"], &["admin", "list-invitations", "--tenant", "bench"]] {
        assert!(place.command(command).stderr(full()).output().unwrap().status.success(), "{command:?}");
    }
    let failed = place.command(&["admin", "list-keys", "--tenant", "no"]).stderr(full()).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    // A reader that has read enough is no error, as in `… | head`.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = place.command(&["admin", "list-keys", "--tenant", "bench"]).stdout(writer).output().unwrap();
    assert!(closed.status.success(), "{}", stderr(&closed));
}

#[test]
fn exit_statuses_are_those_of_the_help_text_and_the_documentation() {
    let place = Place::new();
    fill(&place.database);
    let help = stdout(&place.run(&["--help"]));
    let guide = include_str!("../../docs/operations.md");
    for (status, meaning, command) in [
        (0, "success", &["admin", "list-tenants"][..]),
        (1, "the command was refused or failed", &["admin", "rename-tenant", "--tenant", "no", "--name", "x"]),
        (2, "an argument or a setting is invalid; nothing was done", &["admin", "rename-tenant"]),
    ] {
        assert_eq!(place.run(command).status.code(), Some(status), "{command:?}");
        assert!(help.contains(&format!("  {status}  {meaning}\n")), "{help}");
        assert!(guide.contains(&format!("| {status} | {meaning} |")), "operations.md: {status}");
    }
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&place.run(&["completions", shell]));
        assert!(script.contains("create-service-account"), "{shell}");
    }
    let script = place.write("completions.bash", &stdout(&place.run(&["completions", "bash"])));
    if let Ok(parsed) = Command::new("bash").args(["-n", &script]).status() {
        assert!(parsed.success());
    }
    let folder = place.path("man");
    assert!(place.run(&["man", &folder.display().to_string()]).status.success());
    for page in ["latchkey.1", "latchkey-serve.1", "latchkey-admin-create-key.1", "latchkey-config-check.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH NAME") && text.contains("Examples:"), "{page}");
    }
}

#[test]
fn health_tells_whether_a_server_is_ready() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Logged::start(&mut command, &place.path("log"));
    let address = server.address("listening").to_string();
    for arguments in [&["health", &format!("http://{address}")][..], &["health", "--listen", &address]] {
        let healthy = latchkey().args(arguments).output().unwrap();
        assert!(healthy.status.success(), "{}", stderr(&healthy));
    }
    let port = address.rsplit(':').next().unwrap();
    let everywhere = latchkey().args(["health", "--listen", &format!("0.0.0.0:{port}")]).output().unwrap();
    assert!(everywhere.status.success(), "{}", stderr(&everywhere));
    server.stop();
    let gone = latchkey().args(["health", "--listen", &address]).output().unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(stderr(&gone).contains("can't be reached"), "{}", stderr(&gone));
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_learns_when_the_server_is_ready_and_when_it_stops() {
    let place = Place::new();
    let path = place.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let next = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Logged::start(command.env("NOTIFY_SOCKET", &path), &place.path("log"));
    assert_eq!(next(), "READY=1");
    server.stop();
    assert_eq!(next(), "STOPPING=1");
}
