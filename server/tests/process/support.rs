//! Runs the built `latchkey` as a process, fills it by its command line, and talks HTTP to it. Uses loopback only.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;

pub const PASSWORD: &str = "seven lamps under the pier";
pub const EMAIL: &str = "bench@example.org";

/// A server process that is killed when its value is dropped.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Sends a signal, such as "-STOP".
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap().success());
    }

    /// Asks the server to end, by SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the process has ended. Returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// Closes the reading end of a pipe at the process's standard error.
    pub fn close_errors(&mut self) {
        drop(self.process.stderr.take());
    }

    /// Takes the reading end of a pipe at the process's standard error.
    pub fn take_errors(&mut self) -> std::process::ChildStderr {
        self.process.stderr.take().unwrap()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

pub fn latchkey() -> Command {
    Command::new(env!("CARGO_BIN_EXE_latchkey"))
}

/// Serves a database on a free port.
pub fn serve(database: &str) -> Server {
    start(latchkey().args(["serve", "--listen", "127.0.0.1:0", "--database-url", database]))
}

/// Starts a server and reads its address from its output.
pub fn start(command: &mut Command) -> Server {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on http://")).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    let address = line.rsplit("http://").next().unwrap().trim().trim_end_matches('/').parse().unwrap();
    Server { process, address }
}

/// Runs `latchkey admin …` and returns what it prints.
pub fn admin(database: &str, arguments: &[&str], input: &str) -> String {
    let mut child = latchkey()
        .arg("admin")
        .args(arguments)
        .args(["--database-url", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates a tenant with an administrator and a service account. Returns the account's id and a token of it.
pub fn fill(database: &str) -> (String, String) {
    let migrate = ["migrate", "--database-url", database];
    assert!(latchkey().args(migrate).stderr(Stdio::null()).status().unwrap().success());
    admin(database, &["create-tenant", "--name", "Bench", "--slug", "bench"], "");
    let user = ["create-user", "--email", EMAIL, "--tenant", "bench", "--role", "TENANT_ADMIN", "--password-stdin"];
    admin(database, &user, PASSWORD);
    account(database, "Bench")
}

/// Creates a service account with a key. Returns its id and the token.
pub fn account(database: &str, name: &str) -> (String, String) {
    let account = admin(database, &["create-service-account", "--tenant", "bench", "--name", name], "");
    let key = ["create-key", "--tenant", "bench", "--service-account", &account, "--name", "first"];
    let token = admin(database, &key, "");
    (account, token)
}

/// Says that a program isn't installed, so that what needs it is skipped. Fails instead if `LATCHKEY_TEST_REQUIRE` is set, as
/// it is where `end2end/bin/tools` has installed everything: a test that is always skipped would never be missed.
pub fn skip(program: &str) {
    assert!(std::env::var_os("LATCHKEY_TEST_REQUIRE").is_none(), "{program} isn't installed");
    println!("skipped: {program} isn't installed; `end2end/bin/tools proxies` may install it");
}

/// Adds to the counts that `make soak` prints, in the file that it names.
pub fn count(counts: &[(&str, usize)]) {
    let Some(path) = std::env::var_os("LATCHKEY_SOAK_COUNTS") else { return };
    let lines = counts.iter().map(|(name, number)| format!("{number} {name}\n")).collect::<Vec<_>>().concat();
    std::fs::File::options().append(true).create(true).open(path).unwrap().write_all(lines.as_bytes()).unwrap();
}

/// An open HTTP/1.1 connection.
pub type Connection = http1::SendRequest<Full<Bytes>>;

pub async fn connect(address: SocketAddr) -> Connection {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::from(body)).unwrap()
}

/// Sends a request. Returns the status and the body, or `None` if the connection broke.
pub async fn send(connection: &mut Connection, request: Request<Full<Bytes>>) -> Option<(u16, String)> {
    let answer = connection.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.ok()?.to_bytes();
    connection.ready().await.ok();
    Some((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Signs the administrator in. Returns the cookies as a header value.
pub async fn sign_in(address: SocketAddr) -> String {
    let body = format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let headers =
        [("content-type", "application/x-www-form-urlencoded".to_owned()), ("origin", format!("http://{address}"))];
    let mut connection = connect(address).await;
    let answer = connection.send_request(request(address, "POST", "/sign-in", &headers, body)).await.unwrap();
    assert_eq!(answer.status(), 303, "signing in");
    let cookies = answer.headers().get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// Returns named queries that would overload or crash a server that executed them.
pub fn bombs() -> Vec<(&'static str, String)> {
    let chain = |last: usize, spreads: usize| {
        let fragment = |n: usize| {
            let spread = format!("...f{} ", n + 1);
            format!("fragment f{n} on Query {{ {} }} ", spread.repeat(spreads))
        };
        (0..last).map(fragment).chain([format!("fragment f{last} on Query {{ hello }}")]).collect::<String>()
    };
    let wide = repeated(900, |n| format!("a{n}: hello "));
    vec![
        ("brackets", "[".repeat(8_000)),
        ("lists", format!("{{ api_key(id: {}) {{ id }} }}", "[".repeat(4_000))),
        ("selections", "{ a ".repeat(2_000)),
        ("arguments", "{ a(b: ".repeat(1_000)),
        ("objects", format!("{{ a(b: {}", "{k: ".repeat(2_000))),
        ("fragments, doubled", format!("{{ ...f0 }} {}", chain(30, 2))),
        ("fragments, tenfold", format!("{{ ...f0 }} {}", chain(12, 10))),
        ("cyclic fragments", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned()),
        ("directives", format!("{{ hello {} }}", "@skip(if: false) ".repeat(400))),
        ("aliases", format!("{{ {} }}", &wide[..7_000])),
        (
            "mutations",
            format!(
                "mutation {{ {} }}",
                repeated(100, |n| format!("a{n}: delete_api_key(input: {{key_id: \"x\"}}) {{ success }} "))
            ),
        ),
        ("a long string", format!("{{ api_key(id: \"{}\") {{ id }} }}", "x".repeat(60_000))),
        ("block strings", format!("{{ a(b: {}", "\"\"\" \\\"\"\" ".repeat(900))),
        (
            "introspection of introspection",
            format!("{{ __schema {{ types {{ {} }} }} }}", "fields { type { ".repeat(11) + "name" + &" } }".repeat(11)),
        ),
    ]
}

fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().concat()
}
