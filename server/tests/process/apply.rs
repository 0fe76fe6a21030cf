//! Applies files with a stated configuration, with and without a running server.

use std::{
    io::Write,
    net::SocketAddr,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    documents::files,
    json_headers, on_both,
    operator::{Place, json_lines, stderr, stdout},
    support::{EMAIL, PASSWORD, admin, connect, fill, latchkey, request, send, serve},
};

const DOCUMENT: &str = include_str!("../../docs/apply.md");

/// A database that is filled, and a folder with files.
struct Desk<'a> {
    database: &'a str,
    folder: tempfile::TempDir,
}

impl<'a> Desk<'a> {
    fn new(database: &'a str) -> Self {
        fill(database);
        Self { database, folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), contents).unwrap();
    }

    /// Writes a new token to a file, and returns it.
    fn token(&self, name: &str, kind: &str) -> String {
        let output = latchkey().args(["generate-token", "--kind", kind]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        self.write(name, &output.stdout);
        stdout(&output).trim_end().to_owned()
    }

    /// Applies `state.toml` of the folder, from another folder.
    fn apply(&self, flags: &[&str]) -> Output {
        let file = self.folder.path().join("state.toml").display().to_string();
        latchkey().arg("apply").arg(file).args(flags).args(["--database-url", self.database]).output().unwrap()
    }

    /// Applies `state.toml` with success. Returns the printed steps and the summary.
    fn succeed(&self, flags: &[&str]) -> (String, String) {
        let output = self.apply(flags);
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output).trim_end().to_owned())
    }

    /// Applies a file that must be refused. Returns the message.
    fn refused(&self, contents: impl AsRef<[u8]>) -> String {
        self.write("state.toml", contents);
        let output = self.apply(&[]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{}", stderr(&output));
        stderr(&output)
    }

    /// Returns everything that the database has, as far as commands tell it.
    fn contents(&self) -> String {
        let commands: [&[&str]; 5] = [
            &["audit", "verify"],
            &["admin", "list-tenants", "--json"],
            &["admin", "list-scopes", "--json"],
            &["admin", "list-service-accounts", "--tenant", "bench", "--json"],
            &["admin", "list-keys", "--tenant", "bench", "--json"],
        ];
        let run = |arguments: &&[&str]| {
            let output = latchkey().args(*arguments).args(["--database-url", self.database]).output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
            stdout(&output)
        };
        commands.iter().map(run).collect()
    }
}

async fn is_accepted(server: SocketAddr, token: &str) -> bool {
    let asked = request(server, "GET", "/api/v1/whoami", &json_headers(token), String::new());
    let (status, text) = send(&mut connect(server).await, asked).await.unwrap();
    assert!(status == 200 || status == 401, "{status} {text}");
    status == 200
}

/// Waits until a key is accepted or refused: with `SQLite` at once, with `PostgreSQL` within a second.
async fn check(database: &str, server: SocketAddr, token: &str, expected: bool) {
    let begin = Instant::now();
    let longest = if database.starts_with("sqlite:") { Duration::ZERO } else { Duration::from_secs(5) };
    while is_accepted(server, token).await != expected {
        assert!(begin.elapsed() < longest, "the key should be accepted: {expected}");
    }
}

#[test]
fn the_file_in_the_documentation_is_applied_once() {
    on_both(async |database| {
        let desk = Desk::new(&database);
        admin(&database, &["create-tenant", "--name", "Acme", "--slug", "acme"], "");
        let ada =
            ["create-user", "--email", "ada@example.org", "--tenant", "acme", "--role", "USER", "--password-stdin"];
        admin(&database, &ada, PASSWORD);
        let (name, contents) = files(DOCUMENT).next().unwrap();
        assert_eq!(name, "state.toml");
        // The date must be in the future.
        desk.write(name, contents.replace("2027-12-31", "2099-12-31"));
        desk.token("ci.token", "service-account");
        let (steps, summary) = desk.succeed(&[]);
        assert_eq!(summary, "6 created, 0 changed, 0 removed, 1 unchanged", "{steps}");
        assert_eq!(desk.succeed(&[]), (String::new(), "0 created, 0 changed, 0 removed, 7 unchanged".to_owned()));
        let again = desk.succeed(&["--prune", "--dry-run"]);
        assert_eq!(again, (String::new(), "0 to create, 0 to change, 0 to remove, 7 unchanged".to_owned()));
        for line in steps.lines() {
            assert!(line.starts_with("+ create "), "{line}");
        }
        assert!(steps.contains("; only from 10.0.0.0/8; 600 requests a minute)"), "{steps}");
    });
}

#[test]
fn a_running_server_accepts_a_created_key_and_refuses_a_removed_one_at_once() {
    on_both(async |database| {
        let desk = Desk::new(&database);
        let server = serve(&database);
        let state = |token: &str| {
            let key = "[[key]]\ntenant = 'bench'\nservice_account = 'Robot'\nname = 'ci'\ntoken_file = ";
            format!("[[service_account]]\ntenant = 'bench'\nname = 'Robot'\n{key}'{token}'\n")
        };
        let (one, two) = (desk.token("one", "service-account"), desk.token("two", "service-account"));
        let check = async |token: &str, expected| check(&database, server.address, token, expected).await;
        check(&one, false).await;
        desk.write("state.toml", state("one"));
        desk.succeed(&[]);
        check(&one, true).await;
        desk.write("state.toml", state("two"));
        let (steps, _) = desk.succeed(&[]);
        assert!(steps.contains("of the same name keeps working"), "{steps}");
        check(&two, true).await;
        check(&one, true).await;
        let (steps, summary) = desk.succeed(&["--prune"]);
        check(&one, false).await;
        check(&two, true).await;
        assert_eq!(summary, "0 created, 0 changed, 2 removed, 2 unchanged", "{steps}");
        assert!(steps.contains("- remove service account “Bench” in bench (revokes 1 key)"), "{steps}");
        desk.write("state.toml", state("one"));
        let output = desk.apply(&[]);
        assert!(stderr(&output).contains("Its token was revoked on"), "{}", stderr(&output));
        check(&one, false).await;
    });
}

#[test]
fn a_dry_run_changes_nothing_and_prints_what_would_happen() {
    on_both(async |database| {
        let desk = Desk::new(&database);
        desk.token("ci", "service-account");
        desk.write(
            "state.toml",
            "[[scope]]\nscope = 'a:read'\ndescription = 'A'\nleast_role = 'USER'\n[[tenant]]\nslug = 'bench'\n\
             name = 'Other'\n[[service_account]]\ntenant = 'bench'\nname = 'Robot'\n[[key]]\ntenant = 'bench'\n\
             service_account = 'Robot'\nname = 'ci'\ntoken_file = 'ci'\nscopes = ['a:read']\n",
        );
        let file = database.strip_prefix("sqlite:").map(str::to_owned);
        let bytes = || file.as_ref().map(|path| std::fs::read(path).unwrap());
        let (contents, before) = (desk.contents(), bytes());
        let (steps, summary) = desk.succeed(&["--dry-run", "--prune", "--json"]);
        assert!(before == bytes() && contents == desk.contents(), "a dry run has changed something");
        assert_eq!(summary, "3 to create, 1 to change, 1 to remove, 0 unchanged");
        let steps = json_lines(&steps);
        let kinds: Vec<_> = steps.iter().map(|step| (&step["action"], &step["kind"], &step["name"])).collect();
        let expected = json!([
            ["create", "scope", "a:read"],
            ["change", "tenant", "bench"],
            ["create", "service_account", "Robot"],
            ["create", "key", "ci"],
            ["remove", "service_account", "Bench"],
        ]);
        assert_eq!(json!(kinds), expected);
        assert_eq!((&steps[3]["tenant"], &steps[3]["owner"]), (&"bench".into(), &"Robot".into()));
        let (same, _) = desk.succeed(&["--prune", "--json"]);
        assert_eq!(json_lines(&same), steps);
        assert!(desk.contents() != contents);
    });
}

#[test]
fn problems_are_printed_with_their_lines_and_without_tokens() {
    let place = Place::new();
    let desk = Desk::new(&place.database);
    let token = desk.token("token", "service-account");
    desk.token("user", "user");
    desk.write("empty", "\n");
    desk.write("two", format!("{token}\n{token}\n"));
    desk.write("long", "x".repeat(5_000));
    desk.write("binary", [0xff, 0xfe]);
    let before = desk.contents();
    let key = |members: &str| format!("# é\n\n[[key]]\ntenant = 'bench'\nname = 'ci'\n{members}");
    let of_account = |member: &str| key(&format!("service_account = 'Bench'\n{member}"));
    for (state, expected) in [
        ("name = 1".to_owned(), "state.toml, line 1: name isn't known here."),
        ("\n[key]\nname = 'x'".to_owned(), "line 2: Each entry begins with a line [[key]]."),
        ("key = [1]".to_owned(), "line 1: Each entry begins with a line [[key]]."),
        ("\n\n[[tenants]]".to_owned(), "line 3: tenants isn't known here. The entries are [[scope]], [[tenant]],"),
        (format!("\nx = {token}"), "line 2: "),
        (format!("\n[[key]]\nname = 'ci'\nname = '{token}'"), "line 4: duplicate key"),
        ("[[tenant]]\nname = 'X'".to_owned(), "line 1, [[tenant]]: slug is missing."),
        ("[[tenant]]\nslug = 'x'\nname = 5".to_owned(), "line 3, [[tenant]] “x”: name: This must be a text in quotes."),
        (
            "[[key_policy]]\ntenant = 'bench'\npolicy = 'max_lifetime'\ndays = '90'".to_owned(),
            "line 4, [[key_policy]] “max_lifetime”: days: This must be a whole number without quotes.",
        ),
        (
            "[[key_policy]]\ntenant = 'bench'\npolicy = 'max_lifetime'\ndays = 0".to_owned(),
            "line 1, key policy max_lifetime in bench: days: Choose 1 to 3,650 days.",
        ),
        (key("token_file = 'token'"), "line 3, [[key]] “ci”: State user or service_account."),
        (of_account("user = 'x'\ntoken_file = 'token'"), "State either user or service_account, not both."),
        (of_account(""), "State token_file or sha256."),
        (of_account("token_file = 'token'\nsha256 = 'x'"), "State either token_file or sha256, not both."),
        (of_account(&format!("token = '{token}'")), "line 7, [[key]] “ci”: A token doesn't belong into this file."),
        (
            of_account("token_file = 'token'\nscope = []"),
            "line 8, [[key]] “ci”: scope isn't known here. The members are",
        ),
        (of_account("token_file = 'token'\nscopes = 'a:b'"), "line 8, [[key]] “ci”: scopes: This must be a list"),
        (of_account("token_file = 'none'"), "none can't be read: No such file"),
        (of_account("token_file = '.'"), "can't be read: "),
        (of_account("token_file = 'empty'"), "empty is empty. It must contain one token."),
        (of_account("token_file = 'two'"), "two has more than one line."),
        (of_account("token_file = 'long'"), "long is longer than 4 KiB."),
        (of_account("token_file = 'binary'"), "binary contains something else than text."),
        (of_account("token_file = 'user'"), "line 3, key “ci” of Bench in bench: token_file: This token begins like"),
        (of_account(&format!("sha256 = '{token}'")), "key “ci” of Bench in bench: sha256: "),
        (of_account(&format!("token_file = '{token}'")), "can't be read: No such file"),
        (
            "[[service_account]]\ntenant = 'no'\nname = 'x'".to_owned(),
            "line 1, service account “x” in no: There is no tenant with the slug no.",
        ),
        (
            "[[tenant]]\nslug = 'x'\nname = \"\\u001b[31mred\"".to_owned(),
            "line 1, tenant x: name: Use visible characters",
        ),
        ("[[tenant]]\nslug = \"\\u001b]0;\\u0007\"\nname = 'x'".to_owned(), "line 1, tenant ]0;: slug: Use 1 to 63"),
    ] {
        let message = desk.refused(&state);
        assert!(message.contains(expected), "{state}\n{message}");
        assert!(message.ends_with("Nothing was changed.\n") && !message.contains(&token[4..]), "{message}");
        assert!(!message.contains('\u{1b}') && !message.contains('\u{7}'), "{message:?}");
    }
    let many = (0..60).map(|n| format!("[[tenant]]\nslug = 'A{n}'\nname = 'x'\n")).collect::<Vec<_>>();
    let message = desk.refused(many.concat());
    assert!(message.contains("line 148, tenant A49: ") && !message.contains("A50"), "{message}");
    assert!(message.contains("Left out here: 10 more problems."), "{message}");
    assert!(desk.refused([0xff]).contains("state.toml isn't UTF-8."));
    assert_eq!(desk.contents(), before);
}

#[test]
fn standard_input_can_be_several_files_whose_paths_begin_here() {
    on_both(async |database| {
        let desk = Desk::new(&database);
        desk.token("ci.token", "user");
        let one = "[[key]]\ntenant = 'bench'\nuser = '{EMAIL}'\nname = 'ci'\ntoken_file = 'ci.token'\n\
                   expires_at = 2099-01-31T00:00:00Z\n";
        let two = "[[key_policy]]\ntenant = 'bench'\npolicy = 'max_keys'\nlimit = 1_000\nfrom = 2099-01-31\n";
        let text = [&one.replace("{EMAIL}", EMAIL), two].concat();
        for expected in ["2 created, 0 changed, 0 removed, 0 unchanged", "0 created, 0 changed, 0 removed, 2 unchanged"]
        {
            let mut command = latchkey();
            command.args(["apply", "-", "--database-url", &database]).current_dir(desk.folder.path());
            let mut child =
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(stderr(&output).trim_end(), expected);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn everything_is_applied_even_if_it_can_not_be_printed() {
    let place = Place::new();
    let desk = Desk::new(&place.database);
    desk.write("state.toml", "[[tenant]]\nslug = 'one'\nname = 'One'\n[[tenant]]\nslug = 'two'\nname = 'Two'\n");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let file = desk.folder.path().join("state.toml").display().to_string();
    let output = place.command(&["apply", &file]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("2 created") && stderr(&output).contains("can't be written"),
        "{}",
        stderr(&output)
    );
    assert_eq!(desk.succeed(&[]).1, "0 created, 0 changed, 0 removed, 2 unchanged");
}

#[test]
fn a_generated_token_is_new_and_well_formed() {
    let place = Place::new();
    for (kind, prefix) in [("user", "lku_"), ("service-account", "lks_")] {
        let (one, two) =
            (place.run(&["generate-token", "--kind", kind]), place.run(&["generate-token", "--kind", kind]));
        assert_ne!(one.stdout, two.stdout);
        assert!(stdout(&one).starts_with(prefix) && stdout(&one).len() == 43, "{}", stdout(&one).len());
        let mut found = Vec::new();
        service::find_tokens(&one.stdout[..], |token| found.push(token)).unwrap();
        assert_eq!(found.len(), 1, "its checksum is right");
    }
    assert_eq!(place.run(&["generate-token"]).status.code(), Some(2));
    assert!(!place.path("test.db").exists(), "no database was needed");
}

#[test]
fn two_commands_that_apply_the_same_file_at_once_both_succeed() {
    on_both(async |database| {
        let desk = Desk::new(&database);
        desk.token("token", "service-account");
        let account = |n| format!("[[service_account]]\ntenant = 'bench'\nname = 'Robot {n}'\n");
        let accounts = (0..30).map(account).collect::<Vec<_>>().concat();
        let key = "[[key]]\ntenant = 'bench'\nservice_account = 'Robot 29'\nname = 'k'\ntoken_file = 'token'\n";
        desk.write("state.toml", format!("[[tenant]]\nslug = 'new'\nname = 'New'\n{accounts}{key}"));
        let file = desk.folder.path().join("state.toml").display().to_string();
        let start = || {
            let mut command = latchkey();
            command.arg("apply").arg(&file).args(["--database-url", &database]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let outputs = [start(), start(), start()].map(|child| child.wait_with_output().unwrap());
        let mut steps: Vec<String> = Vec::new();
        for output in &outputs {
            assert!(output.status.success(), "{}", stderr(output));
            steps.extend(stdout(output).lines().map(str::to_owned));
            let counts = stderr(output);
            let counts: Vec<usize> =
                counts.split(", ").filter_map(|part| part.split(' ').next()?.parse().ok()).collect();
            assert_eq!(counts[0] + counts[3], 32, "{counts:?}");
        }
        steps.sort();
        let done = steps.len();
        steps.dedup();
        assert_eq!((done, steps.len()), (32, 32), "each step is done by one of them");
        assert_eq!(desk.succeed(&[]).1, "0 created, 0 changed, 0 removed, 32 unchanged");
    });
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    let place = Place::new();
    let desk = Desk::new(&place.database);
    let message = desk.refused(
        "[[tenant]]\nslug = 'a'\nname = 1\n[[tenant]]\nslug = 'bench'\nname = ''\n[[scope]]\nscope = 'a:b'\n\
         description = 'A'\nleast_role = 'KING'\n[[key]]\ntenant = 'bench'\nservice_account = 'No'\nname = 'k'\nsha256 = 'x'\n",
    );
    for line in ["line 3, ", "line 4, ", "line 7, ", "line 11, "] {
        assert!(message.contains(line), "{line}: {message}");
    }
    // What the database is needed for too, if nothing else is wrong with what an entry refers to.
    let message = desk.refused(
        "[[service_account]]\ntenant = 'nobody'\nname = 'R'\n[[key]]\ntenant = 'bench'\nuser = 'x'\nname = 'k'\nsha256 = 'x'\n",
    );
    assert!(message.contains("line 1, ") && message.contains("There is no tenant with the slug nobody"), "{message}");
    assert!(message.contains("line 4, "), "{message}");
    let message = desk.refused("[[tenant]]\nslug = \n[[tenant]]\nslug = 'b'\nname = B\n");
    assert!(message.contains("line 2: ") && message.contains("line 5: "), "{message}");
}

#[test]
fn a_pipe_is_no_file_to_read_from() {
    let place = Place::new();
    let desk = Desk::new(&place.database);
    let pipe = desk.folder.path().join("pipe").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let message = desk.refused(
        "[[key]]\ntenant = 'bench'\nservice_account = 'Bench'\nname = 'k'\ntoken_file = 'pipe'\n[[key]]\ntenant = 'bench'\n\
         service_account = 'Bench'\nname = 'l'\ntoken_file = '/dev/zero'\n",
    );
    assert_eq!(message.matches("not a regular file").count(), 2, "{message}");
    for command in [&["apply", &pipe][..], &["import", "--tenant", "bench", &pipe]] {
        let output = place.run(command);
        assert!(!output.status.success() && stderr(&output).contains("not a regular file"), "{}", stderr(&output));
    }
}
