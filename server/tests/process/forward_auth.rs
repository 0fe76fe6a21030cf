//! Forward authentication with real proxies, configured as in `server/docs/guide/forward-auth.md`. A proxy that isn't
//! installed is skipped.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;

use crate::{
    proxies::{self, Proxy},
    support::{account, admin, fill, latchkey, start},
};

const GUIDE: &str = include_str!("../../docs/guide/forward-auth.md");

/// Starts a service that answers with the head of the request. It ends with the runtime.
async fn start_upstream() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let echo = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
                let head = format!("{}\n{:?}", request.uri(), request.headers());
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(head))))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), echo));
        }
    });
    address
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

/// What a proxy stands between.
struct Places {
    latchkey: SocketAddr,
    /// Latchkey's listener for gRPC.
    grpc: SocketAddr,
    upstream: SocketAddr,
}

impl Places {
    /// Returns a documented configuration with the addresses of the test.
    fn adapt(&self, block: &str) -> String {
        block
            .replace("https://keys.example.com", &format!("http://{}", self.latchkey))
            .replace("127.0.0.1:8080", &self.upstream.to_string())
    }
}

/// Starts the proxies of one kind, the one in front first; `None` if they aren't installed.
type Start = fn(&Places) -> Option<Vec<Proxy>>;

/// `removes_aliases`: whether the proxy removes names that many services read as the name of an identity header.
fn guards(start_proxies: Start, removes_aliases: bool) {
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
        let limited = [
            "create-key",
            "--tenant",
            "bench",
            "--service-account",
            &id,
            "--name",
            "limited",
            "--rate-limit",
            "1/hour",
        ];
        let limited = admin(&database, &limited, "").trim().to_owned();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &database, "--trusted-proxy", "127.0.0.1"];
        let grpc = proxies::free_address();
        let server = start(latchkey().args(serve).args(["--grpc-listen", &grpc.to_string()]));
        let upstream = start_upstream().await;
        let places = Places { latchkey: server.address, grpc, upstream };
        let Some(front) = start_proxies(&places) else { return };
        let to = front[0].address;
        // HAProxy doesn't forward before its first check, nor Traefik before it has read its file.
        let begun = Instant::now();
        while ask(to, "GET", &[]).await.0 != 401 {
            assert!(begun.elapsed() < Duration::from_secs(30), "not ready");
        }
        let bearer = |token: &str| format!("Bearer {token}");

        let own = bearer(&reader);
        let mut forged =
            vec![("authorization", own.as_str()), ("x-latchkey-role", "ROOT"), ("x-latchkey-expires-at", "x")];
        if removes_aliases {
            forged.extend([("x_latchkey_role", "ROOT"), ("x.latchkey.role", "ROOT")]);
        }
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
        let limited = bearer(&limited);
        assert_eq!(ask(to, "GET", &[("authorization", &limited)]).await.0, 200);
        assert_eq!(ask(to, "GET", &[("authorization", &limited)]).await.0, 403, "the second one in this hour");
        // The client can't say that its request is another one.
        let pretends = [("authorization", bearer(&reader)), ("x-forwarded-method", "GET".to_owned())];
        let pretends: Vec<_> = pretends.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(ask(to, "POST", &pretends).await.0, 403);
        let pretends = [pretends[0], ("x-original-method", "GET")];
        assert_eq!(ask(to, "POST", &pretends).await.0, 403);
        assert_eq!(ask(to, "GET", &[]).await.0, 401);
        assert_eq!(ask(to, "GET", &[("x-latchkey-subject", &id)]).await.0, 401);
        // The command tells the running server before it returns.
        admin(&database, &["delete-service-account", &id, "--tenant", "bench"], "");
        assert_eq!(ask(to, "GET", &[("authorization", &bearer(&reader))]).await.0, 401);
        assert_eq!(ask(to, "POST", &[("authorization", &bearer(&token))]).await.0, 401);
    });
}

fn nginx(places: &Places) -> Option<Vec<Proxy>> {
    let proxy = proxies::run("nginx", |files, address| {
        let block = places.adapt(&proxies::documented(GUIDE, "nginx"));
        proxies::nginx(files, &block.replace("listen 8000", &format!("listen {address}")))
    });
    Some(vec![proxy?])
}

fn caddy(program: &str, places: &Places) -> Option<Vec<Proxy>> {
    let proxy = proxies::run(program, |_, address| {
        let block = places.adapt(&proxies::documented(GUIDE, "caddy"));
        proxies::caddy(&block.replace(":8000 {", &format!("http://{address} {{\n\tbind 127.0.0.1")))
    });
    Some(vec![proxy?])
}

fn traefik(places: &Places) -> Option<Vec<Proxy>> {
    let proxy = proxies::run(&proxies::installed("traefik"), |_, address| {
        let block = places.adapt(&proxies::documented_below(GUIDE, "## Traefik", "yaml"));
        let arguments = [
            &format!("--entrypoints.web.address={address}"),
            "--entrypoints.web.http.aliasheadersstrategy=delete",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--providers.file.filename",
        ];
        (block, arguments.map(str::to_owned).to_vec())
    });
    Some(vec![proxy?])
}

/// Replaces an address in Envoy's configuration.
fn envoy_address(block: &str, documented: &str, address: SocketAddr) -> String {
    let of = |host: &str, port: &str| format!("{{ address: {host}, port_value: {port} }}");
    let (host, port) = documented.split_once(':').unwrap();
    assert!(block.contains(&of(host, port)), "{documented}");
    block.replace(&of(host, port), &of(&address.ip().to_string(), &address.port().to_string()))
}

const ENVOY: [&str; 6] = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "--config-path"];

fn envoy(places: &Places) -> Option<Vec<Proxy>> {
    let proxy = proxies::run(&proxies::installed("envoy"), |_, address| {
        let block = proxies::documented_below(GUIDE, "## Envoy", "yaml");
        // Without TLS to Latchkey, which comes last.
        let block = block.split("      transport_socket:").next().unwrap();
        let block = envoy_address(block, "0.0.0.0:8000", address.parse().unwrap());
        let block = envoy_address(&block, "127.0.0.1:8080", places.upstream);
        let block = envoy_address(&block, "keys.example.com:443", places.latchkey);
        (block, ENVOY.map(str::to_owned).to_vec())
    });
    Some(vec![proxy?])
}

fn envoy_over_grpc(places: &Places) -> Option<Vec<Proxy>> {
    let proxy = proxies::run(&proxies::installed("envoy"), |_, address| {
        let block = proxies::documented_below(GUIDE, "## Envoy over gRPC", "yaml");
        let block = envoy_address(&block, "0.0.0.0:8000", address.parse().unwrap());
        let block = envoy_address(&block, "127.0.0.1:8080", places.upstream);
        let block = envoy_address(&block, "10.0.0.2:3001", places.grpc);
        (block, ENVOY.map(str::to_owned).to_vec())
    });
    Some(vec![proxy?])
}

fn haproxy(places: &Places) -> Option<Vec<Proxy>> {
    let mut behind = nginx(places)?;
    let proxy = proxies::run("haproxy", |_, address| {
        let block = proxies::documented(GUIDE, "haproxy");
        let block = block.replace("127.0.0.1:8001", &behind[0].address.to_string());
        (block.replace("bind :8000", &format!("bind {address}")), vec!["-db".to_owned(), "-f".to_owned()])
    });
    behind.insert(0, proxy?);
    Some(behind)
}

#[test]
fn nginx_lets_pass_what_has_a_key() {
    guards(nginx, true);
}

#[test]
fn caddy_lets_pass_what_has_a_key() {
    guards(|places| caddy(&proxies::installed("caddy"), places), true);
}

#[test]
fn an_older_caddy_lets_pass_what_has_a_key() {
    guards(|places| caddy("caddy", places), false);
}

#[test]
fn traefik_lets_pass_what_has_a_key() {
    guards(traefik, true);
}

#[test]
fn envoy_lets_pass_what_has_a_key() {
    guards(envoy, true);
}

#[test]
fn envoy_over_grpc_lets_pass_what_has_a_key() {
    guards(envoy_over_grpc, true);
}

#[test]
fn haproxy_in_front_of_nginx_lets_pass_what_has_a_key() {
    guards(haproxy, true);
}
