//! Real proxies, with configurations from the documents. A proxy that isn't installed is skipped.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::skip;

/// A proxy that is killed when its value is dropped.
pub struct Proxy {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Where `end2end/bin/tools proxies` installs proxies that Debian has only in older versions, or not at all.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/proxies/bin");

/// Returns the path of a proxy that `end2end/bin/tools proxies` installs.
pub fn installed(program: &str) -> String {
    format!("{INSTALLED}/{program}")
}

/// Returns the first block of a language in the part of a document that follows a heading.
pub fn documented_below(document: &str, heading: &str, language: &str) -> String {
    documented(document.split(&format!("\n{heading}\n")).nth(1).unwrap(), language)
}

/// Returns the first block of a language in a document.
pub fn documented(document: &str, language: &str) -> String {
    document.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// Returns an address at which nobody listens. Nobody else is given its port in between, in practice.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Starts a proxy and waits until it listens; `None` if it isn't installed. `configure` returns its configuration for a
/// folder and an address, and the arguments that precede the configuration's path.
pub fn run(program: &str, configure: impl FnOnce(&Path, &str) -> (String, Vec<String>)) -> Option<Proxy> {
    if Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        skip(program);
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let (configuration, arguments) = configure(folder.path(), &address.to_string());
    // Traefik and Envoy choose their parser by the name.
    let path = folder.path().join("proxy.yaml");
    std::fs::write(&path, configuration).unwrap();
    let log = folder.path().join("proxy.log");
    let mut command = Command::new(program);
    command.args(arguments).arg(&path).current_dir(folder.path()).env("HOME", folder.path());
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let proxy = Proxy { process: command.spawn().unwrap(), address, _folder: folder };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{program} doesn't listen: {:?}",
            std::fs::read_to_string(&log)
        );
        std::thread::yield_now();
    }
    Some(proxy)
}

/// Returns nginx's whole configuration with some servers, and its arguments.
pub fn nginx(folder: &Path, servers: &str) -> (String, Vec<String>) {
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
        .concat();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}{servers}}}\n",
        folder.display()
    );
    (configuration, vec!["-p".to_owned(), folder.display().to_string(), "-c".to_owned()])
}

/// Returns Caddy's whole configuration with a site, and its arguments.
pub fn caddy(site: &str) -> (String, Vec<String>) {
    let arguments = ["run", "--adapter", "caddyfile", "--config"].map(str::to_owned);
    (format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}"), arguments.to_vec())
}
