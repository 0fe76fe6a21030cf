//! Searches files for tokens, without a database and with one.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use crate::{
    on_both,
    operator::{json_lines, stderr, stdout},
    support::{account, admin, fill, latchkey},
};

const DOCUMENT: &str = include_str!("../../docs/leaks.md");

/// Runs `latchkey scan` in a folder.
fn scan(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = latchkey();
    command.arg("scan").args(arguments).current_dir(folder).env_remove("LATCHKEY_DATABASE_URL").stdin(Stdio::null());
    command.output().unwrap()
}

/// Returns a token of a new database.
fn token(folder: &Path) -> String {
    fill(&format!("sqlite:{}", folder.join("other.db").display())).1
}

/// Returns the columns of each row.
fn rows(output: &Output) -> Vec<Vec<String>> {
    stdout(output).lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn tokens_are_found_in_a_folder_without_a_database() {
    let (away, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = token(away.path());
    let place = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| std::fs::write(place(name), bytes).unwrap();
    std::fs::create_dir_all(place(".git/objects")).unwrap();
    std::fs::create_dir(place("deep")).unwrap();
    let url = format!("url = https://x:{token}@example.org");
    write(".env", format!("# é\nKEY={token}\n").as_bytes());
    write(".git/config", url.as_bytes());
    write(".git/objects/pack", token.as_bytes());
    write(".gitignore", b"*.log\n");
    write("deep/a.bin", &[&[0, 255, b'\n'][..], token.as_bytes(), &[0; 9]].concat());
    write("deep/b.json", token.replace('_', "\\u005f").as_bytes());
    write("deep/c.txt", format!("{}a", &token[..41]).as_bytes());
    write("deep/d.log", token.as_bytes());
    let found = scan(folder.path(), &["."]);
    assert_eq!(found.status.code(), Some(1), "{}", stderr(&found));
    let rows = rows(&found);
    let places: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    // The token's last character may happen to be an a.
    let expected = ["./.env:2:5", "./.git/config:1:17", "./deep/a.bin:2:1", "./deep/b.json:1:1"];
    let last = token.ends_with('a').then_some("./deep/c.txt:1:1");
    assert_eq!(places, expected.into_iter().chain(last).collect::<Vec<_>>());
    assert_eq!((rows[0][1].as_str(), rows[0][3].as_str(), rows[3][3].as_str()), (&token[..8], "plain", "escaped"));
    assert!(rows.iter().all(|row| row.len() == 4 && row[2] == rows[0][2] && row[2].len() == 16), "{rows:?}");
    assert!(!stdout(&found).contains(&token[..9]) && !stderr(&found).contains(&token[..9]));
    assert!(stderr(&found).contains("tokens were found."), "{}", stderr(&found));

    let all = scan(folder.path(), &["--no-ignore", "--json", "deep/d.log", "deep"]);
    let all = json_lines(&stdout(&all));
    assert!(all.iter().filter(|row| row["path"] == "deep/d.log" && row["line"] == 1).count() == 2, "{all:?}");
    assert!(all.iter().all(|row| row.get("key").is_none()), "{all:?}");
}

#[test]
fn the_exit_status_tells_what_was_found_and_whether_everything_was_searched() {
    let (away, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = token(away.path());
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let none = scan(folder.path(), &["."]);
    assert_eq!((none.status.code(), stdout(&none).as_str()), (Some(0), ""));
    assert_eq!(stderr(&none), "No tokens were found.\n");
    std::fs::write(folder.path().join("key"), &token).unwrap();
    let one = scan(folder.path(), &["key"]);
    assert_eq!((one.status.code(), stderr(&one).as_str()), (Some(1), "latchkey: 1 token was found.\n"));
    let partial = scan(folder.path(), &["missing", "key"]);
    assert_eq!((partial.status.code(), rows(&partial).len()), (Some(2), 1));
    assert!(stderr(&partial).contains("missing"), "{}", stderr(&partial));
    for wrong in [&[][..], &["--revoke", "key"], &["--rules", "gitleaks", "key"], &["--rules", "other"]] {
        let refused = scan(folder.path(), wrong);
        assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(2), ""), "{wrong:?}");
    }
    let no_database = scan(folder.path(), &["--database-url", "sqlite:missing.db", "key"]);
    assert_eq!(no_database.status.code(), Some(2), "{}", stderr(&no_database));
    assert!(!folder.path().join("missing.db").exists());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_names_cannot_write_to_the_terminal() {
    use std::os::unix::fs::symlink;

    let (away, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = token(away.path());
    std::fs::write(away.path().join("key"), &token).unwrap();
    symlink(away.path(), folder.path().join("folder")).unwrap();
    symlink(away.path().join("key"), folder.path().join("file")).unwrap();
    symlink(folder.path(), folder.path().join("itself")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    assert_eq!(scan(folder.path(), &["."]).status.code(), Some(0));
    // A link that is given is followed.
    assert_eq!(scan(folder.path(), &["file"]).status.code(), Some(1));
    std::fs::write(folder.path().join("a\u{1b}[2J\nb"), &token).unwrap();
    let found = scan(folder.path(), &["."]);
    assert_eq!(rows(&found)[0][0], "./a\\u{1b}[2J\\nb:1:1");
}

#[test]
fn with_a_database_each_token_has_its_key_which_can_be_revoked() {
    on_both(async |database| {
        let folder = tempfile::tempdir().unwrap();
        let (_, live) = fill(&database);
        let (_, revoked) = account(&database, "Deployer");
        let keys = admin(&database, &["list-keys", "--tenant", "bench", "--service-account", "Deployer"], "");
        let id = keys.split('\t').next().unwrap();
        admin(&database, &["revoke-key", id, "--tenant", "bench"], "");
        let foreign = token(folder.path());
        std::fs::remove_file(folder.path().join("other.db")).unwrap();
        std::fs::write(folder.path().join("keys"), format!("{live}\n{revoked}\n{foreign}\n{live}\n")).unwrap();
        let look_up = ["--database-url", &database, "keys"];

        let found = rows(&scan(folder.path(), &look_up));
        let states: Vec<&str> = found.iter().map(|row| row[4].as_str()).collect();
        assert_eq!(states, ["active", "revoked", "unknown", "active"]);
        assert_eq!(found[0][6..], ["bench", "Bench", "first"]);
        assert_eq!((found[1][5].as_str(), found[1][7].as_str(), found[2][5].as_str()), (id, "Deployer", "-"));

        let revoking = scan(folder.path(), &[&look_up[..], &["--revoke", "--json"]].concat());
        assert_eq!(revoking.status.code(), Some(1), "{}", stderr(&revoking));
        let found = json_lines(&stdout(&revoking));
        let states: Vec<Option<&str>> = found.iter().map(|row| row["key"]["state"].as_str()).collect();
        assert_eq!(states, [Some("revoked"), Some("revoked"), None, Some("revoked")]);
        assert!(found.iter().all(|row| row["key"]["is_valid"] == false), "{found:?}");
        assert_eq!(stderr(&revoking).matches("Revoked the key").count(), 1, "{}", stderr(&revoking));
        assert!(!stdout(&revoking).contains(&live[..9]) && !stderr(&revoking).contains(&live[..9]));

        let tail = latchkey().args(["audit", "tail", "--json", "--database-url", &database]).output().unwrap();
        let entries = json_lines(&stdout(&tail));
        let revocation = entries.iter().rfind(|entry| entry["operation"] == "delete_api_key").unwrap();
        assert_eq!(revocation["subject_id"], found[0]["key"]["key_id"]);
        assert_eq!((&revocation["actor_kind"], &revocation["channel"]), (&"operator".into(), &"cli".into()));
        let listed = admin(&database, &["list-keys", "--tenant", "bench", "--json"], "");
        let exposed = json_lines(&listed).into_iter().filter(|key| !key["exposed_at"].is_null()).count();
        assert_eq!(exposed, 2, "{listed}");
    });
}

#[test]
fn the_document_shows_the_rules_for_gitleaks() {
    let rules = stdout(&latchkey().args(["scan", "--rules", "gitleaks"]).output().unwrap());
    assert!(DOCUMENT.contains(&rules), "{rules}");
}
