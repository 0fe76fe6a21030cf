//! Forward authentication with real proxies, configured as in `server/docs/guide/forward-auth.md`. A proxy that isn't
//! installed is skipped.

use std::{net::SocketAddr, path::Path};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;

use crate::{
    proxies,
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

fn guards(program: &str, configure: impl Fn(&Path, &str) -> (String, Vec<String>)) {
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
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &database, "--trusted-proxy", "127.0.0.1"];
        let server = start(latchkey().args(serve));
        let upstream = start_upstream().await;
        let proxy = proxies::run(program, |files, address| {
            let block = proxies::documented(GUIDE, program)
                .replace("https://keys.example.com", &format!("http://{}", server.address))
                .replace("127.0.0.1:8080", &upstream.to_string())
                .replace("listen 8000", &format!("listen {address}"))
                .replace(":8000", &format!("http://{address}"));
            configure(files, &block)
        });
        let Some(proxy) = proxy else { return };
        let to = proxy.address;
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

#[test]
fn nginx_lets_pass_what_has_a_key() {
    guards("nginx", proxies::nginx);
}

#[test]
fn caddy_lets_pass_what_has_a_key() {
    guards("caddy", |_, site| proxies::caddy(&site.replacen('{', "{\n\tbind 127.0.0.1", 1)));
}
