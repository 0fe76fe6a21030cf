//! Measures how fast the verification endpoints answer, compared with an empty axum handler in the same run.
//!
//! Starts the built `latchkey`, a process that answers every request with an empty response and, where it is installed,
//! nginx with `auth_request` to a location that answers 200 itself. Loads each in interleaved rounds over 64 and then 256
//! connections, and prints the medians of the ratios. `-- 64` measures only that many connections. Uses loopback only.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "measuring/load.rs"]
mod load;
mod measuring;
#[path = "measuring/nginx.rs"]
mod nginx;
#[path = "../tests/process/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{net::SocketAddr, path::Path, process::Command};

use load::{Case, compare, empty_server};
use measuring::runtime;
use nginx::Nginx;
use support::{Server, account, admin, connect, fill, request, send, serve, start};

const CONNECTIONS: [usize; 2] = [64, 256];

fn main() {
    if std::env::args().any(|argument| argument == "--empty-server") {
        return runtime().block_on(empty_server());
    }
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("bench.db").display());
    let (owner, token) = fill(&database);
    let (revoked_account, revoked) = account(&database, "Revoked");
    admin(&database, &["delete-service-account", &revoked_account, "--tenant", "bench"], "");
    let empty = start(Command::new(std::env::current_exe().unwrap()).arg("--empty-server"));
    let latchkey = serve(&database);
    let nginx = Nginx::start(folder.path(), |address| asking_itself(address, folder.path()));
    let (reader, own) = account(&database, "Reader");
    admin(&database, &["change-service-account-role", &reader, "--role", "USER", "--tenant", "bench"], "");
    let tokens = Tokens { good: &token, revoked: &revoked, owner: &owner, own: &own };
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    runtime().block_on(async {
        let cases = cases(&empty, &latchkey, nginx.as_ref(), &tokens);
        for case in &cases {
            warm_up(case).await;
        }
        for connections in CONNECTIONS.into_iter().filter(|count| chosen.is_empty() || chosen.contains(count)) {
            compare(&cases, connections).await;
        }
    });
}

struct Tokens<'a> {
    good: &'a str,
    revoked: &'a str,
    owner: &'a str,
    /// A token of an account that sees only its own key.
    own: &'a str,
}

fn cases(empty: &Server, latchkey: &Server, nginx: Option<&Nginx>, tokens: &Tokens<'_>) -> Vec<Case> {
    let json = || ("content-type", "application/json".to_owned());
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let case =
        |name, address, method, path: &str, headers, body| Case::new(name, (address, method, path), headers, body);
    let endpoint = |name, method, path: &str, headers, body| case(name, latchkey.address, method, path, headers, body);
    let verify =
        |name, token: &str| endpoint(name, "POST", "/api/v1/verify", vec![json()], format!(r#"{{"token":"{token}"}}"#));
    let graphql = |name, token: &str, query: &str| {
        let body = serde_json::json!({ "query": query }).to_string();
        endpoint(name, "POST", "/graphql", vec![json(), bearer(token)], body)
    };
    let form = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let create =
        format!(r#"mutation {{ create_api_key(input: {{ user_id: "{}", name: "bench" }}) {{ id }} }}"#, tokens.owner);
    let mut cases = vec![
        case("empty axum handler", empty.address, "POST", "/", vec![json()], "{}".to_owned()),
        verify("verify, valid key", tokens.good),
        verify("verify, malformed token", "lku_garbage"),
        verify("verify, unknown token", &service::testing::draw_token()),
        verify("verify, revoked key", tokens.revoked),
        endpoint("whoami", "GET", "/api/v1/whoami", vec![bearer(tokens.good)], String::new()),
        endpoint("forward-auth", "GET", "/auth/forward", vec![bearer(tokens.good)], String::new()),
        endpoint(
            "introspect",
            "POST",
            "/oauth2/introspect",
            vec![form, bearer(tokens.good)],
            format!("token={}", tokens.good),
        ),
        graphql("GraphQL auth_api_key", tokens.own, "{ auth_api_key { id name expires_at } }"),
    ];
    if let Some(nginx) = nginx {
        cases.push(case("nginx auth_request to a static 200", nginx.address, "GET", "/", Vec::new(), String::new()));
    }
    cases.push(graphql("GraphQL create_api_key", tokens.good, &create));
    cases
}

/// Checks that a request is answered as expected, and lets the server read the key for the first time.
async fn warm_up(case: &Case) {
    let mut connection = connect(case.address).await;
    let request = request(case.address, case.method, &case.path, &case.headers, case.body.clone());
    let (status, body) = send(&mut connection, request).await.unwrap();
    assert_eq!(status, 200, "{}: {body}", case.name);
    assert!(!body.contains("\"errors\""), "{}: {body}", case.name);
}

/// Returns the settings of an nginx that asks itself about every request.
fn asking_itself(address: SocketAddr, folder: &Path) -> String {
    let root = folder.join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("index.html"), "").unwrap();
    format!(
        "server {{ listen {address}; root {}; location / {{ auth_request /check; }}
           location = /check {{ internal; return 200; }} }}",
        root.display()
    )
}
