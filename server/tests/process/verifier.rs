//! The crate `verifier` with real servers: a key is verified in this process, and never longer than a second after a
//! revocation was acknowledged, whatever stops in between.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ::verifier::{Caller, Refusal, Verifier, require_scope};
use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use crate::{
    import::{import, line, token},
    json_headers, on_both,
    support::{Server, account, admin, connect, fill, request, send, serve},
};

/// How late a revocation may be effective.
const LATEST: Duration = Duration::from_secs(1);
/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(server: &Server, key: &str) -> Verifier {
    Verifier::builder(format!("http://{}", server.address), key).start().unwrap()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_current(verifier: &Verifier) {
    until("the verifier follows the changes", async || verifier.is_current()).await;
}

/// Creates a key of a service account and returns its token.
fn key(database: &str, account: &str, scopes: &str) -> String {
    let mut key = vec!["create-key", "--tenant", "bench", "--service-account", account, "--name", "key"];
    scopes.split(' ').for_each(|scope| key.extend(["--scope", scope]));
    admin(database, &key, "")
}

/// Verifies a token until it is refused, and returns how long that took since `since`.
async fn refused_after(verifier: &Verifier, token: &str, since: Instant) -> (Duration, Refusal) {
    loop {
        let asked = Instant::now();
        match verifier.verify(token).await {
            Ok(_) => assert!(asked - since < LATEST, "accepted {:?} after the acknowledgement", asked - since),
            Err(refusal) => return (since.elapsed(), refusal),
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_service_verifies_keys_itself_until_they_change() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let (deploy, token) = account(&database, "Deploy");
        let server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        let caller = verifier.verify(&token).await.unwrap();
        let facts = (caller.owner_name(), caller.owner_kind(), caller.tenant(), caller.role());
        assert_eq!(facts, ("Deploy", "service_account", "bench", "TENANT_ADMIN"));
        assert_eq!(caller.owner_id().to_string(), deploy);

        // The verifier doesn't know this client's address, and its own must not count instead.
        let limited = ["create-key", "--tenant", "bench", "--service-account", &deploy, "--name", "limited"];
        let limited = admin(&database, &[&limited[..], &["--allow-address", "127.0.0.1"]].concat(), "");
        assert!(verifier.verify(&limited).await.is_err());

        // A demotion takes rights away, and a revocation all of them.
        for (scope, role) in [("orders:read", "READ_ONLY_USER"), ("orders:write", "USER")] {
            admin(&database, &["set-scope", scope, "--description", scope, "--least-role", role], "");
        }
        let scoped = key(&database, &deploy, "orders:read orders:write");
        let held = async || match verifier.verify(&scoped).await {
            Ok(caller) => caller.scopes().map(str::to_owned).collect::<Vec<_>>().join(" "),
            Err(refusal) => format!("{refusal:?}"),
        };
        until("the key is valid", async || held().await == "orders:read orders:write").await;
        admin(&database, &["remove-scope", "orders:read"], "");
        until("a removed scope is missing", async || held().await == "orders:write").await;
        let mut delays = Vec::new();
        for _ in 0..10 {
            let short = key(&database, &deploy, "orders:write");
            let id = verifier.verify(&short).await.unwrap().key_id().to_string();
            assert!(verifier.verify(&short).await.is_ok());
            admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
            let (delay, refusal) = refused_after(&verifier, &short, Instant::now()).await;
            assert_eq!(refusal, Refusal::Invalid);
            delays.push(delay);
        }
        delays.sort();
        println!("refused after an acknowledged revocation: {:?} to {:?}", delays[0], delays[9]);
        admin(&database, &["delete-service-account", &deploy, "--tenant", "bench"], "");
        assert_eq!(refused_after(&verifier, &token, Instant::now()).await.1, Refusal::Invalid);
        for wrong in ["", "lks_x", "lku_00000000000000000000000000000000000000"] {
            assert_eq!(verifier.verify(wrong).await.unwrap_err(), Refusal::Invalid, "{wrong}");
        }
    });
}

#[test]
fn a_token_of_another_system_is_asked_about_from_the_first_import_on() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        assert_eq!(verifier.verify(&token(1)).await.unwrap_err(), Refusal::Invalid);
        assert!(import(&database, &[line(1, "Bench")], &["--tenant", "bench"]).status.success());
        let imported = Instant::now();
        until("the import is known", async || verifier.verify(&token(1)).await.is_ok()).await;
        println!("accepted {:?} after the first import", imported.elapsed());
        assert!(import(&database, &[line(2, "Bench")], &["--tenant", "bench"]).status.success());
        let second = verifier.verify(&token(2)).await.expect("nothing is remembered about unknown tokens");
        assert!(verifier.verify(&token(2)).await.is_ok());
        let id = second.key_id().to_string();
        admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
        assert_eq!(refused_after(&verifier, &token(2), Instant::now()).await.1, Refusal::Invalid);
        assert_eq!(verifier.verify(&token(3)).await.unwrap_err(), Refusal::Invalid);
        // Until it follows the changes, a verifier asks about every text that may be a token.
        let late = start(&server, &own);
        assert!(late.verify(&token(1)).await.is_ok());
        server.signal("-KILL");
        assert_eq!(late.verify("short").await.unwrap_err(), Refusal::Invalid);
        until("the server is missed", async || late.verify(&token(9)).await.unwrap_err() == Refusal::Unavailable).await;
    });
}

#[test]
fn a_stopped_or_dead_server_is_not_trusted_for_longer_than_a_second() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let (_, token) = account(&database, "Deploy");
        let mut server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        assert!(verifier.verify(&token).await.is_ok());
        server.signal("-STOP");
        let (delay, refusal) = refused_after(&verifier, &token, Instant::now()).await;
        println!("refused {delay:?} after the server was stopped");
        assert_eq!(refusal, Refusal::Unavailable);
        assert!(!verifier.is_current());
        server.signal("-CONT");
        until_current(&verifier).await;
        assert!(verifier.verify(&token).await.is_ok());

        server.signal("-KILL");
        server.wait();
        let (delay, refusal) = refused_after(&verifier, &token, Instant::now()).await;
        println!("refused {delay:?} after the server was killed");
        assert_eq!(refusal, Refusal::Unavailable);
    });
}

#[test]
fn a_revocation_on_another_server_is_effective_while_the_own_one_is_stopped() {
    on_both(async |database| {
        if database.starts_with("sqlite:") {
            return;
        }
        let (_, own) = fill(&database);
        let (account, _) = account(&database, "Deploy");
        admin(&database, &["set-scope", "a:read", "--description", "a", "--least-role", "USER"], "");
        let (one, other) = (serve(&database), serve(&database));
        let verifier = start(&one, &own);
        until_current(&verifier).await;
        let mut delays = Vec::new();
        for _ in 0..5 {
            let token = key(&database, &account, "a:read");
            let id = verifier.verify(&token).await.unwrap().key_id().to_string();
            assert!(verifier.verify(&token).await.is_ok());
            // The command line changes the database itself, as the other server would.
            admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
            delays.push(refused_after(&verifier, &token, Instant::now()).await.0);
        }
        println!("refused after a revocation by another process: {delays:?}");
        let token = key(&database, &account, "a:read");
        let id = verifier.verify(&token).await.unwrap().key_id().to_string();
        one.signal("-STOP");
        admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
        let (delay, refusal) = refused_after(&verifier, &token, Instant::now()).await;
        println!("refused {delay:?} after a revocation, while the server was stopped: {refusal:?}");
        one.signal("-CONT");
        until("the revocation is known", async || verifier.verify(&token).await.err() == Some(Refusal::Invalid)).await;
        drop(other);
    });
}

#[test]
fn a_verifier_that_is_closed_has_reported_every_use() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let (_, token) = account(&database, "Deploy");
        let server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        let id = verifier.verify(&token).await.unwrap().key_id();
        for _ in 0..7 {
            assert!(verifier.verify(&token).await.is_ok());
        }
        verifier.close().await;
        let query = format!("{{ api_key_usage(id: \"{id}\") {{ clients {{ use_count }} }} }}");
        let body = serde_json::json!({ "query": query }).to_string();
        let asked = request(server.address, "POST", "/graphql", &json_headers(&own), body);
        let (_, said) = send(&mut connect(server.address).await, asked).await.unwrap();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let clients = said["data"]["api_key_usage"]["clients"].as_array().unwrap();
        let use_count: u64 = clients.iter().map(|client| client["use_count"].as_u64().unwrap()).sum();
        assert_eq!(use_count, 8, "{said}");
    });
}

#[test]
fn the_layers_refuse_as_rfc_6750_says() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let (deploy, token) = account(&database, "Deploy");
        admin(&database, &["set-scope", "orders:read", "--description", "Read", "--least-role", "USER"], "");
        let none = key(&database, &deploy, "latchkey:read");
        let server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        let app = Router::new()
            .route(
                "/orders",
                get(async |caller: Caller| caller.owner_name().to_owned()).layer(require_scope("orders:read")),
            )
            .route("/", get(async |caller: Caller| caller.key_name().to_owned()))
            .layer(verifier.layer());
        let ask = async |path: &str, authorization: &str| {
            let request = Request::get(path);
            let request =
                if authorization.is_empty() { request } else { request.header("authorization", authorization) };
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let (head, body) = response.into_parts();
            let challenge = head.headers.get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
            let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            (head.status, challenge.unwrap_or_default(), body)
        };
        let granted = (StatusCode::OK, String::new(), "Deploy".to_owned());
        for value in [format!("Bearer {token}"), format!("bearer  {token}")] {
            assert_eq!(ask("/orders", &value).await, granted, "{value}");
            assert_eq!(ask("/orders", &value).await, granted, "{value}, from memory");
        }
        let (status, challenge, _) = ask("/orders", &format!("Bearer {none}")).await;
        let lacking = "Bearer error=\"insufficient_scope\", scope=\"orders:read\"";
        assert_eq!((status, challenge.as_str()), (StatusCode::FORBIDDEN, lacking));
        assert_eq!(ask("/", &format!("Bearer {none}")).await.0, StatusCode::OK);
        let (status, challenge, _) = ask("/", "").await;
        assert_eq!((status, challenge.as_str()), (StatusCode::UNAUTHORIZED, "Bearer realm=\"API\""));

        // The usage and the demands are on the key's page.
        let id = verifier.verify(&token).await.unwrap().key_id().to_string();
        admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
        until("the key is refused", async || verifier.verify(&token).await.is_err()).await;
        let refused = ask("/", &format!("Bearer {token}")).await;
        assert_eq!(refused.1, "Bearer realm=\"API\", error=\"invalid_token\"");
        for other in ["Bearer lks_x", "Bearer", &format!("Bearer {}", service::testing::draw_token())] {
            assert_eq!(ask("/", other).await, refused, "{other}");
        }
    });
}

/// Starts a proxy whose connections with the feed bring nothing while they are cut. It ends with the runtime.
async fn proxy(to: SocketAddr, is_cut: &Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, is_cut) = (listener.local_addr().unwrap(), Arc::clone(is_cut));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, to, Arc::clone(&is_cut)));
        }
    });
    address
}

async fn forward(client: TcpStream, to: SocketAddr, is_cut: Arc<AtomicBool>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(to).await?.into_split();
    let is_feed = AtomicBool::new(false);
    let asking = async {
        let mut bytes = vec![0; 8_192];
        loop {
            let length = from_client.read(&mut bytes).await?;
            is_feed.fetch_or(bytes[..length].starts_with(b"GET /api/v1/changes"), Ordering::SeqCst);
            if length == 0 {
                return Ok(());
            }
            to_server.write_all(&bytes[..length]).await?;
        }
    };
    let answering = async {
        let mut bytes = vec![0; 8_192];
        loop {
            let length = from_server.read(&mut bytes).await?;
            while is_feed.load(Ordering::SeqCst) && is_cut.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if length == 0 {
                return Ok(());
            }
            to_client.write_all(&bytes[..length]).await?;
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    }
}

#[test]
fn a_feed_that_is_cut_delays_a_revocation_by_a_second_at_most() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let (account, _) = account(&database, "Deploy");
        admin(&database, &["set-scope", "a:read", "--description", "a", "--least-role", "USER"], "");
        let (server, is_cut) = (serve(&database), Arc::new(AtomicBool::new(false)));
        let url = format!("http://{}", proxy(server.address, &is_cut).await);
        let verifier = Verifier::builder(url, own).start().unwrap();
        for _ in 0..3 {
            until_current(&verifier).await;
            let token = key(&database, &account, "a:read");
            let id = verifier.verify(&token).await.unwrap().key_id().to_string();
            until_current(&verifier).await;
            is_cut.store(true, Ordering::SeqCst);
            admin(&database, &["revoke-key", &id, "--tenant", "bench"], "");
            let (delay, refusal) = refused_after(&verifier, &token, Instant::now()).await;
            println!("refused {delay:?} after a revocation that the feed didn't bring");
            assert_eq!(refusal, Refusal::Invalid, "the server is asked");
            is_cut.store(false, Ordering::SeqCst);
        }
    });
}

#[test]
fn a_feed_does_not_keep_a_server_from_stopping() {
    on_both(async |database| {
        let (_, own) = fill(&database);
        let mut server = serve(&database);
        let verifier = start(&server, &own);
        until_current(&verifier).await;
        let begun = Instant::now();
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        // It accepts connections for five seconds, and would wait ten more for requests that don't end.
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
        let refused = verifier.verify(&service::testing::draw_token()).await;
        assert_eq!(refused.unwrap_err(), Refusal::Unavailable);
    });
}
