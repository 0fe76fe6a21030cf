//! What the tests of the operator's tools share.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::support::latchkey;

/// A folder with a database in it.
pub struct Place {
    folder: tempfile::TempDir,
    pub database: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { folder, database }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Runs a command on the database.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Returns a command on the database.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = latchkey();
        command.args(arguments).args(["--database-url", &self.database]).stdin(Stdio::null());
        command
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Returns the JSON objects that a command prints, one per line.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A running server whose log goes to a file. It is killed when its value is dropped.
pub struct Logged {
    pub process: Child,
    pub lines: Vec<String>,
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Logged {
    /// Starts a server, and waits until it listens.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(File::create(log).unwrap()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.starts_with("listening on ")) {
            let line = output.next().unwrap_or_else(|| panic!("{}", std::fs::read_to_string(log).unwrap()));
            lines.push(line.unwrap());
        }
        std::thread::spawn(move || output.for_each(drop));
        Self { process, lines }
    }

    /// Returns the address in the line that begins with a word, such as `listening`.
    pub fn address(&self, word: &str) -> std::net::SocketAddr {
        let line = self.lines.iter().find(|line| line.starts_with(word)).unwrap();
        line.rsplit("http://").next().unwrap().split('/').next().unwrap().parse().unwrap()
    }

    /// Sends SIGINT, which skips the delay for load balancers, and waits for the end.
    pub fn stop(mut self) {
        assert!(Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}
