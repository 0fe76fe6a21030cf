//! Runs the commands of the documents, as a reader would who follows them.
//!
//! All `sh` blocks of a document run in order, in one shell and one folder, while a server runs whose database has what
//! the document names. Paths, addresses and tokens are replaced by those of the test, and a few programs by functions:
//! see `documents.sh`. A block that can't be run has a comment before it that says why:
//!
//! ```md
//! <!-- Not run by the tests: it needs systemd. -->
//! ```

use std::{
    fmt::Write,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    operator::{stderr, stdout},
    support::{PASSWORD, admin, fill, latchkey},
};

const PRELUDE: &str = include_str!("documents.sh");
const NOT_RUN: &str = "<!-- Not run by the tests: ";
/// Programs without which a block is skipped, with a message.
const PROGRAMS: [&str; 7] = ["curl", "git", "jq", "make", "pg_restore", "prefect", "python3"];
/// Ports in a document that get free ones in a test.
const PORTS: [u16; 6] = [8_001, 8_002, 8_003, 8_000, 4_200, 3_001];

/// A block of shell commands in a document.
struct Block {
    /// The line on which it begins, from 1.
    line: usize,
    code: String,
    /// Why it isn't run.
    reason: Option<String>,
}

impl Block {
    /// Returns the blocks of a document.
    fn all(document: &str) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut lines = document.lines().zip(1..).peekable();
        let mut reason = None;
        while let Some((text, line)) = lines.next() {
            let indent = text.len() - text.trim_start().len();
            if text.trim() == "```sh" {
                let code = lines.by_ref().map(|(text, _)| text).take_while(|text| text.trim() != "```");
                let code = code.map(|text| text.get(indent..).unwrap_or_default().to_owned() + "\n").collect();
                blocks.push(Self { line, code, reason: reason.take() });
            } else if text.trim().starts_with("```") {
                lines.by_ref().find(|(text, _)| text.trim() == "```");
            }
            reason = text.trim().strip_prefix(NOT_RUN).map(|rest| rest.trim_end_matches(" -->").to_owned());
        }
        blocks
    }
}

/// The folder, the server and the database in which the commands of a document run.
struct Desk {
    folder: tempfile::TempDir,
    /// Logs and databases of the servers, which a document doesn't name.
    work: tempfile::TempDir,
    port: u16,
    metrics: u16,
    token: String,
    /// What stands for [`PORTS`].
    ports: Vec<(u16, u16)>,
    /// A filled `PostgreSQL` database, and the server that it is on.
    postgres: Option<(String, String)>,
}

impl Desk {
    fn new(document: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The default database of every command in this folder.
        let database = format!("sqlite:{}", folder.path().join("latchkey.db").display());
        let (_, token) = fill(&database);
        // The README creates these itself.
        if document != "README.md" {
            admin(&database, &["create-tenant", "--name", "Acme", "--slug", "acme"], "");
            admin(&database, &["create-service-account", "--tenant", "acme", "--name", "Deployer"], "");
            let ada = ["create-user", "--email", "ada@example.org", "--tenant", "acme", "--role", "USER"];
            admin(&database, &[&ada[..], &["--password-stdin"]].concat(), PASSWORD);
        }
        fs::create_dir(folder.path().join("backups")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root().join("end2end"), folder.path().join("end2end")).unwrap();
        let work = tempfile::tempdir().unwrap();
        let settings = include_str!("../../packaging/latchkey.toml");
        let own = settings.replace("/var/lib/latchkey", &folder.path().display().to_string());
        fs::write(folder.path().join("latchkey.toml"), own).unwrap();
        // Otherwise, curl succeeds whatever the status of the response.
        fs::write(work.path().join(".curlrc"), "fail\n").unwrap();
        Self {
            postgres: postgres(document, folder.path()),
            folder,
            work,
            port: free_port(),
            metrics: free_port(),
            token,
            ports: if document.ends_with("gateway.md") {
                PORTS.map(|port| (port, free_port())).to_vec()
            } else {
                Vec::new()
            },
        }
    }

    /// Returns a text with the document's paths, addresses and tokens replaced by those of the test.
    fn replace(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (port, free) in &self.ports {
            for before in [":", " "] {
                text = text.replace(&format!("{before}{port}"), &format!("{before}{free}"));
            }
        }
        let folder = self.folder.path().display().to_string();
        text = text.replace("/var/backups", &format!("{folder}/backups"));
        for path in ["/etc/latchkey", "/safe/place", "/var/lib/latchkey", "/var/log"] {
            text = text.replace(path, &folder);
        }
        for token in ["lku_EXAMPLE", "lks_EXAMPLE", "lku_…"] {
            text = text.replace(token, &self.token);
        }
        if let Some((database, server)) = &self.postgres {
            let (base, _) = server.rsplit_once('/').unwrap();
            text = text
                .replace("\"$LATCHKEY_DATABASE_URL\"", database)
                .replace("postgres://latchkey@db.example.org", base)
                .replace("createdb ", &format!("createdb --maintenance-db={server} "))
                .replace("--dbname=", &format!("--dbname={base}/"));
        }
        let site = format!("http://127.0.0.1:{}", self.port);
        // A date that has passed would be refused.
        text.replace("2027-12-31T", "2099-12-31T")
            .replace("https://keys.example.com", &site)
            .replace("https://keys.example.org", &site)
            .replace("http://127.0.0.1:3000", &site)
            .replace("--listen 127.0.0.1:3000", "--listen 127.0.0.1:0")
            .replace("127.0.0.1:9300", &format!("127.0.0.1:{}", self.metrics))
            .replace("end2end/bin/postgres ", "with_postgres ")
    }

    /// Returns what a block needs and the machine doesn't have.
    fn lacks(&self, block: &Block) -> Option<&'static str> {
        let is_postgres = ["pg_", "createdb", "postgres://"].iter().any(|word| block.code.contains(word));
        if is_postgres && self.postgres.is_none() {
            return Some("a PostgreSQL server");
        }
        let use_count = |program: &str| block.code.split([' ', '\n', '(', '|']).any(|word| word == program);
        PROGRAMS.into_iter().find(|program| use_count(program) && !is_installed(program))
    }

    /// Runs all blocks of a document, and asserts that each command succeeds.
    fn run(&self, name: &str, blocks: &[Block]) {
        let mut script = PRELUDE.to_owned();
        if is_installed("git") {
            script +=
                "git init -q .\ngit -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m first\n";
        }
        let mut last = 0;
        for block in blocks.iter().filter(|block| block.reason.is_none()) {
            if let Some(lacking) = self.lacks(block) {
                println!("{name}, line {}, isn't run, because there is no {lacking}", block.line);
                continue;
            }
            writeln!(script, "echo '{name}, line {}:' >&2\n{}", block.line, self.replace(&block.code)).unwrap();
            last = block.line;
        }
        script += "echo 'all commands were run' >&2\n";
        let mut shell = self.shell(&script);
        if name.ends_with("service-accounts-and-agents.md") {
            shell.env("LATCHKEY_FLOW_RUNS", "true");
        }
        let output = shell.output().unwrap();
        let (out, err) = (stdout(&output), stderr(&output));
        assert!(output.status.success() && err.contains("all commands were run"), "{name}: {err}\n{out}");
        assert!(err.contains(&format!("{name}, line {last}:")), "{err}");
        for refusal in ["\"errors\"", "\"valid\":false"] {
            assert!(!out.contains(refusal), "{name}: {out}\n{err}");
        }
    }

    /// Returns the shell that runs a script in the folder.
    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().unwrap().display().to_string();
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).current_dir(self.folder.path()).stdin(Stdio::null());
        shell.env("PATH", format!("{program}:{}", path()));
        shell.env("PREFECT_HOME", self.work.path()).env("PREFECT_SERVER_ANALYTICS_ENABLED", "false");
        shell.env("ROOT", root()).env("WORK", self.work.path()).env("PORT", self.port.to_string());
        shell.env("CURL_HOME", self.work.path()).env_remove("LATCHKEY_DATABASE_URL");
        shell
    }
}

/// Fills a `PostgreSQL` database for a document that needs one, with a ledger in the folder.
fn postgres(document: &str, folder: &Path) -> Option<(String, String)> {
    let server = std::env::var("LATCHKEY_TEST_POSTGRES").ok().filter(|_| document.ends_with("backup.md"))?;
    let database = tokio::runtime::Runtime::new().unwrap().block_on(service::testing::new_postgres(&server));
    fill(&database);
    let ledger = folder.join("revocations");
    let words = ["admin", "create-tenant", "--name", "Other", "--slug", "other", "--database-url", &database];
    assert!(
        latchkey().args(words).arg("--revocation-ledger").arg(ledger).stdout(Stdio::null()).status().unwrap().success()
    );
    Some((database, server))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns a port that nobody else is given before the server starts, in practice.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns where programs are: also that of Prefect 3, if `end2end/bin/clients` has installed it.
fn path() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(format!("{}/.cache", variable("HOME")?)));
    let clients = variable("LATCHKEY_CLIENTS").or_else(|| Some(format!("{}/latchkey/clients", cache()?)));
    let others = variable("PATH").unwrap_or_default();
    clients.map_or(others.clone(), |clients| format!("{others}:{clients}/prefect-3/bin"))
}

fn is_installed(program: &str) -> bool {
    let find = format!("command -v {program}");
    Command::new("sh").args(["-c", &find]).env("PATH", path()).stdout(Stdio::null()).status().unwrap().success()
}

fn run(name: &str) {
    let text = fs::read_to_string(root().join(name)).unwrap();
    let desk = Desk::new(name);
    for (file, contents) in files(&text) {
        fs::write(desk.folder.path().join(file), desk.replace(contents)).unwrap();
    }
    desk.run(name, &Block::all(&text));
}

/// Returns the blocks of a document in a language.
pub fn blocks<'a>(document: &'a str, language: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let begin = format!("```{language}\n");
    let rest: Vec<&str> = document.split(&begin).skip(1).collect();
    rest.into_iter().filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block)
}

/// Returns the files that a document shows: blocks of TOML that begin with a comment with the file's name.
pub fn files(document: &str) -> impl Iterator<Item = (&str, &str)> {
    blocks(document, "toml").filter_map(|contents| {
        let name = contents.lines().next()?.strip_prefix("# ")?;
        Path::new(name).extension().is_some_and(|ending| ending == "toml").then_some((name, contents))
    })
}

/// A test for each document with commands.
macro_rules! documents {
    ($($test:ident $path:literal)*) => {
        const DOCUMENTS: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $test() {
                run($path);
            }
        )*
    };
}

documents! {
    the_commands_of_the_readme_work "README.md"
    the_commands_for_contributors_work ".github/CONTRIBUTING.md"
    the_commands_for_operators_work "server/docs/operations.md"
    the_commands_about_backups_work "server/docs/backup.md"
    the_commands_about_secrets_work "server/docs/secrets.md"
    the_commands_about_leaks_work "server/docs/leaks.md"
    the_commands_about_imports_work "server/docs/import.md"
    the_commands_about_scopes_work "server/docs/scopes.md"
    the_commands_about_limits_work "server/docs/limits.md"
    the_commands_about_states_work "server/docs/apply.md"
    the_commands_of_the_benchmarks_exist "server/docs/benchmarks.md"
    the_commands_of_the_first_guide_work "server/docs/guide/get-started.md"
    the_commands_of_the_guide_to_verification_work "server/docs/guide/verify.md"
    the_commands_of_the_guide_to_rotation_work "server/docs/guide/rotate.md"
    the_commands_of_the_guide_to_service_accounts_work "server/docs/guide/service-accounts-and-agents.md"
    the_commands_of_the_guide_to_gateways_work "server/docs/guide/gateway.md"
    the_commands_of_the_guide_to_graphql_work "server/docs/guide/graphql.md"
}

/// The programs in the guide to verification: the language of the block, the file, and how it is started.
const EXAMPLES: [(&str, &str, &str); 3] =
    [("js", "server.mjs", "node"), ("python", "server.py", "python3"), ("go", "main.go", "go run")];

#[test]
fn the_programs_of_the_guide_to_verification_tell_valid_keys_from_others() {
    let name = "server/docs/guide/verify.md";
    let text = fs::read_to_string(root().join(name)).unwrap();
    let ask = Block::all(&text).into_iter().find(|block| block.code.contains(":8080")).expect("a request");
    for (language, file, starter) in EXAMPLES {
        let program = starter.split(' ').next().unwrap();
        if !is_installed(program) || !is_installed("curl") {
            println!("{file} isn't run, because there is no {program} or no curl");
            continue;
        }
        assert!(text.contains(&format!("`{starter} {file}`")), "{file}");
        let (desk, port) = (Desk::new(name), free_port().to_string());
        let code = blocks(&text, language).next().unwrap_or_else(|| panic!("{file}")).to_owned() + "\n";
        fs::write(desk.folder.path().join(file), desk.replace(&code).replace("8080", &port)).unwrap();
        let ask = desk.replace(&ask.code).replace("8080", &port);
        let script = format!(
            "{PRELUDE}\n{starter} {file} &\nservers+=($!)\n\
             until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $! && sleep 0.05; done\n\
             TOKEN={}\n{ask}\nfor TOKEN in lku_nothing ''; do\n\
             curl -sS --no-fail -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.1:{port} -H \"Authorization: Bearer $TOKEN\"\n\
             done\n",
            desk.token
        );
        let output = desk.shell(&script).output().unwrap();
        let err = stderr(&output);
        assert!(output.status.success(), "{file}: {err}");
        assert_eq!(stdout(&output), "Hello, Bench\n401\n401\n", "{file}: {err}");
    }
}

#[test]
fn the_headers_in_the_settings_of_other_software_are_sent_by_the_gateway() {
    let text = fs::read_to_string(root().join("server/docs/guide/gateway.md")).unwrap();
    let sent = ["gateway/caller.rs", "verification/forward.rs"]
        .map(|file| fs::read_to_string(root().join("server/src").join(file)).unwrap())
        .concat();
    let mut found = 0;
    for settings in blocks(&text, "ini") {
        for line in settings.lines().filter(|line| !line.is_empty()) {
            let is_section = line.starts_with('[') && line.ends_with(']');
            assert!(is_section || line.split_once(" = ").is_some(), "{line}");
        }
        for header in settings.split([' ', ':', '\n']).filter(|word| word.starts_with("X-Latchkey-")) {
            assert!(sent.contains(&header.to_lowercase()), "{header}");
            found += 1;
        }
    }
    assert_eq!(found, 2);
}

/// Documents whose blocks are all marked.
const WITHOUT_RUN: [&str; 1] = ["server/docs/guide/forward-auth.md"];

/// Returns the paths of all documents, except the decisions, which describe the past.
fn paths() -> Vec<String> {
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in [".github", "server/docs", "server/docs/guide"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| format!("{folder}/{}", name.to_str().unwrap()));
        paths.extend(names.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md")));
    }
    paths
}

#[test]
fn every_document_with_commands_is_run() {
    for path in paths() {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let blocks = Block::all(&text);
        assert_eq!(text.matches("```sh\n").count(), blocks.len(), "{path}");
        assert!(!["```bash", "```shell", "```console"].iter().any(|fence| text.contains(fence)), "{path}: use sh");
        let is_run = blocks.iter().any(|block| block.reason.is_none());
        assert_eq!(DOCUMENTS.contains(&path.as_str()), is_run, "{path} has commands to run, or isn't in DOCUMENTS");
        assert_eq!(WITHOUT_RUN.contains(&path.as_str()), !blocks.is_empty() && !is_run, "{path}");
        for block in &blocks {
            assert!(block.reason.as_ref().is_none_or(|reason| reason.ends_with('.')), "{path}, line {}", block.line);
        }
    }
}

/// Returns the commands in the text of a document, and in blocks that aren't run.
fn mentioned(document: &str) -> Vec<String> {
    let blocks = Block::all(document).into_iter().filter(|block| block.reason.is_some());
    let lines = blocks.flat_map(|block| block.code.lines().map(str::to_owned).collect::<Vec<_>>());
    // Code and text alternate in a paragraph. A command may be broken by the end of a line.
    let inline = document.split("\n\n").filter(|paragraph| !paragraph.contains("```"));
    let inline =
        inline.flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")));
    lines.chain(inline).collect()
}

/// Asserts that a command of `latchkey` and its flags exist, by its help.
fn assert_exists(path: &str, command: &str) {
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let words = command.split_whitespace().skip(1);
    let names: Vec<&str> = words.clone().take_while(|word| is_name(word) && !word.starts_with('-')).collect();
    let output = latchkey().args(&names).arg("--help").output().unwrap();
    assert!(output.status.success(), "{path}: {command}: {}", stderr(&output));
    let help = stdout(&output);
    for flag in words.filter(|word| word.starts_with("--")).map(|flag| flag.split('=').next().unwrap()) {
        assert!(help.contains(flag), "{path}: {command}: there is no {flag}");
    }
}

#[test]
fn every_command_that_a_document_mentions_exists() {
    let (mut commands, mut targets) = (0, 0);
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for path in paths() {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for code in mentioned(&text) {
            if code.starts_with("latchkey ") {
                assert_exists(&path, &code);
                commands += 1;
            }
            let words: Vec<&str> = code.split_whitespace().skip_while(|word| word.contains('=')).collect();
            if let ["make", target, ..] = words[..] {
                assert!(makefile.contains(&format!("\n{target}:")), "{path}: there is no make {target}");
                targets += 1;
            }
        }
    }
    assert!(commands > 30 && targets > 10, "{commands} commands, {targets} targets");
}
