//! Latchkey behind real proxies, with the configurations of `server/docs/proxies.md`. A proxy that isn't installed is
//! skipped.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use crate::{
    proxies::{self, Proxy},
    support::{EMAIL, PASSWORD, Server, fill, latchkey, start},
};

const DOCUMENT: &str = include_str!("../../docs/proxies.md");
/// The address of the client. That of the proxy is 127.0.0.1.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A proxy in front of a server. The proxy ends first.
struct Front {
    proxy: Proxy,
    _server: Server,
    _folder: tempfile::TempDir,
}

/// Starts a proxy in front of a new server; `None` if it isn't installed. `configure` adapts the documented
/// configuration to the proxy's address, and returns the arguments of the program.
fn run(program: &str, configure: impl Fn(&Path, &str) -> (String, Vec<String>)) -> Option<Front> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut started = None;
    let proxy = proxies::run(program, |files, address| {
        fill(&url);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &url, "--trusted-proxy", "127.0.0.1"];
        let server = start(latchkey().args(serve).args(["--public-url", &format!("http://{address}")]));
        let (configuration, arguments) = configure(files, address);
        let configuration = configuration.replace("127.0.0.1:3000", &server.address.to_string());
        started = Some(server);
        (configuration, arguments)
    })?;
    Some(Front { proxy, _server: started?, _folder: folder })
}

fn nginx() -> Option<Front> {
    run("nginx", |folder, address| {
        let servers = proxies::documented(DOCUMENT, "nginx").replace("443 ssl http2", address);
        let servers: String =
            servers.lines().filter(|line| !line.contains("ssl_certificate")).flat_map(|line| [line, "\n"]).collect();
        // A subrequest as it is often written: without the body of the request, but with its Content-Length.
        let guarded = "location /api/ { auth_request /allowed; proxy_pass http://latchkey; }
            location = /allowed { internal; proxy_pass http://latchkey/health/ready; proxy_pass_request_body off; }
            location / {";
        proxies::nginx(folder, &servers.replacen("location / {", guarded, 1))
    })
}

fn caddy() -> Option<Front> {
    run("caddy", |_, address| {
        let site = proxies::documented(DOCUMENT, "caddyfile");
        proxies::caddy(&site.replace("keys.example.org {", &format!("http://{address} {{\n\tbind 127.0.0.1")))
    })
}

fn haproxy() -> Option<Front> {
    run("haproxy", |_, address| {
        let block = proxies::documented(DOCUMENT, "haproxy");
        let configuration = block.lines().map(|line| match line.trim().strip_prefix("bind ") {
            Some(_) => format!("    bind {address}\n"),
            None => format!("{line}\n"),
        });
        (configuration.collect(), vec!["-db".to_owned(), "-f".to_owned()])
    })
}

/// Sends a request from the client's address. Returns the status, the cookies and the body.
async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> (u16, String, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((CLIENT, 0).into()).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket.connect(to).await.unwrap())).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies: Vec<&str> = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    let cookies = cookies.join("; ");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, cookies, String::from_utf8_lossy(&body).into_owned())
}

fn request(to: SocketAddr, method: &str, path: &str, cookie: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", to.to_string())
        .header("origin", format!("http://{to}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", "198.51.100.1, unknown")
        .header("cookie", cookie)
        .body(Full::from(body.into()))
        .unwrap()
}

fn works_behind(front: Option<Front>) {
    let Some(Front { proxy, _server, _folder }) = &front else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let to = proxy.address;
        // HAProxy doesn't forward before its first check.
        let begun = Instant::now();
        while send(to, request(to, "GET", "/health/ready", "", "")).await.0 != 200 {
            assert!(begun.elapsed() < Duration::from_secs(30), "not ready");
        }
        let body = format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let (status, cookie, text) = send(to, request(to, "POST", "/sign-in", "", body)).await;
        assert_eq!(status, 303, "{text}");
        let (status, _, text) = send(to, request(to, "GET", "/user/sessions", &cookie, "")).await;
        assert_eq!(status, 200);
        assert!(text.contains("127.0.0.2") && !text.contains("198.51.100.1"), "the client's address: {text}");
        for round in 0..20 {
            let large = vec![b'x'; 300_000];
            let (status, ..) = send(to, request(to, "POST", "/sign-in", &cookie, large)).await;
            assert_eq!(status, 413, "round {round}");
        }
        for round in 0..100 {
            let (status, ..) = send(to, request(to, "GET", "/user/api-keys/new", &cookie, "")).await;
            assert_eq!(status, 200, "round {round}");
        }
        // Behind nginx, a subrequest with a Content-Length and without a body decides about this path.
        let begun = Instant::now();
        let (status, ..) = send(to, request(to, "POST", "/api/v1/verify", "", "token=x")).await;
        assert_eq!(status, 415);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    });
}

#[test]
fn it_works_behind_nginx() {
    works_behind(nginx());
}

#[test]
fn it_works_behind_caddy() {
    works_behind(caddy());
}

#[test]
fn it_works_behind_haproxy() {
    works_behind(haproxy());
}
