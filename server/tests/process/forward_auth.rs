//! Forward authentication with real proxies, configured as in `server/docs/guide/forward-auth.md`. A proxy that isn't
//! installed is skipped.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::support::{Server, account, admin, fill, latchkey, start};

const GUIDE: &str = include_str!("../../docs/guide/forward-auth.md");

/// Everything that a proxy needs. The processes end when the value is dropped.
struct Guarded {
    proxy: Child,
    address: SocketAddr,
    upstream: JoinHandle<()>,
    _server: Server,
    folder: tempfile::TempDir,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.proxy.kill().ok();
        self.proxy.wait().ok();
        self.upstream.abort();
    }
}

fn documented(language: &str) -> String {
    GUIDE.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// Starts a service that answers with the head of the request.
async fn start_upstream() -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let echo = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
                let head = format!("{}\n{:?}", request.uri(), request.headers());
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(head))))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), echo));
        }
    });
    (address, task)
}

/// Starts a proxy; `None` if it isn't installed.
async fn guard(
    program: &str,
    database: &str,
    language: &str,
    configure: impl Fn(&Path, String) -> (String, Vec<String>),
) -> Option<Guarded> {
    if Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: {program} isn't installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = start(latchkey().args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        database,
        "--trusted-proxy",
        "127.0.0.1",
    ]));
    let (upstream_address, upstream) = start_upstream().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let block = documented(language)
        .replace("https://keys.example.com", &format!("http://{}", server.address))
        .replace("127.0.0.1:8080", &upstream_address.to_string());
    let (configuration, arguments) = configure(
        folder.path(),
        block.replace(":8000", &address.to_string()).replace("listen 8000", &format!("listen {address}")),
    );
    let path = folder.path().join("proxy.conf");
    std::fs::write(&path, configuration).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(&path).current_dir(folder.path()).env("HOME", folder.path());
    command.stdout(Stdio::null()).stderr(std::fs::File::create(folder.path().join("proxy.log")).unwrap());
    let guarded = Guarded { proxy: command.spawn().unwrap(), address, upstream, _server: server, folder };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        let log = || std::fs::read_to_string(guarded.folder.path().join("proxy.log"));
        assert!(begun.elapsed() < Duration::from_secs(30), "{program} doesn't listen: {:?}", log());
        tokio::task::yield_now().await;
    }
    Some(guarded)
}

async fn ask(to: SocketAddr, method: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri("/orders/7?q=1").header("host", to.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn guards(program: &str, language: &str, configure: impl Fn(&Path, String) -> (String, Vec<String>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.db").display());
        fill(&database);
        for (scope, role) in [("orders:read", "READ_ONLY_USER"), ("orders:write", "USER")] {
            admin(&database, &["set-scope", scope, "--description", scope, "--least-role", role], "");
        }
        let (id, token) = account(&database, "Shop");
        let scoped =
            ["create-key", "--tenant", "bench", "--service-account", &id, "--name", "reader", "--scope", "orders:read"];
        let reader = admin(&database, &scoped, "").trim().to_owned();
        let Some(guarded) = guard(program, &database, language, configure).await else { return };
        let to = guarded.address;
        let bearer = |token: &str| format!("Bearer {token}");

        let forged = [
            ("authorization", bearer(&reader)),
            ("x-latchkey-role", "ROOT".to_owned()),
            ("x-latchkey-expires-at", "x".to_owned()),
        ];
        let forged: Vec<_> = forged.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, head) = ask(to, "GET", &forged).await;
        assert_eq!(status, 200, "{head}");
        assert!(
            head.contains(&format!("\"x-latchkey-subject\": \"{id}\"")) && head.contains("\"TENANT_ADMIN\""),
            "{head}"
        );
        assert!(
            head.contains("\"orders:read\"") && !head.contains("ROOT") && !head.contains("expires-at\": \"x\""),
            "{head}"
        );
        assert!(!head.contains(&reader) && head.starts_with("/orders/7?q=1"), "{head}");
        assert_eq!(ask(to, "POST", &[("authorization", &bearer(&reader))]).await.0, 403, "lacks orders:write");
        assert_eq!(ask(to, "POST", &[("authorization", &bearer(&token))]).await.0, 200);
        assert_eq!(ask(to, "POST", &[("x-api-key", &token)]).await.0, 200);
        assert_eq!(ask(to, "GET", &[]).await.0, 401);
        assert_eq!(ask(to, "GET", &[("x-latchkey-subject", &id)]).await.0, 401);
        // The command tells the running server before it returns.
        admin(&database, &["delete-service-account", &id, "--tenant", "bench"], "");
        assert_eq!(ask(to, "GET", &[("authorization", &bearer(&reader))]).await.0, 401);
        assert_eq!(ask(to, "POST", &[("authorization", &bearer(&token))]).await.0, 401);
    });
}

#[test]
fn nginx_lets_pass_what_has_a_key() {
    guards("nginx", "nginx", |folder, servers| {
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}{servers}}}\n",
            folder.display()
        );
        (configuration, vec!["-p".to_owned(), folder.display().to_string(), "-c".to_owned()])
    });
}

#[test]
fn caddy_lets_pass_what_has_a_key() {
    guards("caddy", "caddy", |_, site| {
        let arguments = ["run", "--adapter", "caddyfile", "--config"].map(str::to_owned);
        let site = format!("http://{}", site.replacen('{', "{\n\tbind 127.0.0.1", 1));
        (format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}"), arguments.to_vec())
    });
}
