//! Runs the commands of the operating guide, each on a database that has what it names.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    operator::{Logged, Place, stderr},
    support::{admin, fill},
};

const GUIDE: &str = include_str!("../../docs/operations.md");

/// Programs that change the system, or need a service that the test doesn't have. Their lines aren't run.
const OF_THE_SYSTEM: [&str; 14] = [
    "cd",
    "createdb",
    "git",
    "install",
    "journalctl",
    "mkdir",
    "mv",
    "pg_dump",
    "pg_restore",
    "psql",
    "runuser",
    "systemctl",
    "useradd",
    "(umask",
];

/// Returns the commands of all blocks of shell commands in a document.
pub fn commands(document: &str) -> Vec<String> {
    let mut blocks = document.split("\n```");
    let mut commands = Vec::new();
    // Text and code alternate.
    while let (Some(_), Some(code)) = (blocks.next(), blocks.next()) {
        let Some(code) = code.strip_prefix("sh\n") else { continue };
        let whole = code.replace("\\\n", " ");
        let lines = whole.lines().map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned());
        commands.extend(lines.filter(|line| !line.is_empty() && !line.starts_with('#')));
    }
    commands
}

pub fn is_installed(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status().unwrap().success()
}

/// Returns a shell that runs a command in a folder, with `latchkey` on the path.
fn shell(command: &str, place: &Place) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).current_dir(place.path(""));
    shell.env("PATH", format!("{program}:{path}")).env("LATCHKEY_DATABASE_URL", &place.database);
    shell
}

/// Returns a command with the guide's paths and addresses replaced by those of the test.
fn here(command: &str, place: &Place, metrics: &str) -> String {
    let folder = place.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let mut here = command.to_owned();
    for path in ["/etc/latchkey", "/var/backups", "/var/lib/latchkey", "/safe/place"] {
        here = here.replace(path, folder);
    }
    here.replace("http://127.0.0.1:9300", &format!("http://{metrics}"))
}

#[test]
fn every_command_of_the_operating_guide_works() {
    let place = Place::new();
    fill(&place.database);
    admin(&place.database, &["create-tenant", "--name", "Acme", "--slug", "acme"], "");
    admin(&place.database, &["create-service-account", "--tenant", "acme", "--name", "Deployer"], "");
    let ada = ["create-user", "--email", "ada@example.org", "--tenant", "acme", "--role", "USER", "--password-stdin"];
    admin(&place.database, &ada, "seven lamps under the pier");
    place.write("latchkey.toml", include_str!("../../packaging/latchkey.toml"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let server = Logged::start(&mut place.command(&serve), &place.path("log"));
    let metrics = server.address("metrics").to_string();
    let commands = commands(GUIDE);
    assert!(commands.len() > 20, "{commands:?}");
    let mut ran = 0;
    for command in commands {
        let program = command.split_whitespace().next().unwrap().to_owned();
        if OF_THE_SYSTEM.contains(&program.as_str())
            || command.contains("keys.example.org")
            || command.contains("postgres://")
        {
            continue;
        }
        let missing = ["jq", "curl"].into_iter().find(|name| command.contains(name) && !is_installed(name));
        if let Some(missing) = missing {
            println!("not run, because {missing} isn't installed: {command}");
            continue;
        }
        let here = here(&command, &place, &metrics);
        if here.starts_with("latchkey serve") {
            let other = Place::new();
            let free = here.replace("127.0.0.1:3000", "127.0.0.1:0").replace("127.0.0.1:9300", "127.0.0.1:0");
            let listen = if free.contains("--listen") { "" } else { " --listen 127.0.0.1:0" };
            // Replaces the shell, so that killing it ends the server.
            let server = Logged::start(&mut shell(&format!("exec {free}{listen}"), &other), &other.path("log"));
            drop(server);
        } else {
            let output = shell(&here, &place).output().unwrap();
            assert!(output.status.success(), "{here}: {}", stderr(&output));
        }
        ran += 1;
    }
    assert!(ran >= 12, "only {ran} commands were run");
}
