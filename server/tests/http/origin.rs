//! What strangers, proxies and other sites send: hosts, origins, cookies, and heads that can be read in two ways.

use axum::body::Body;
use http::{HeaderValue, Request, StatusCode, header, request::Builder};
use serde_json::json;

use crate::support::{Answer, Stage, on_both, on_https};

const FOREIGN: [(&str, &str); 6] = [
    ("cookie", "AWSALB=1"),
    ("cookie", "AWSALB=1; JSESSIONID=\"a b\""),
    ("origin", "null"),
    ("origin", "https://app.example.com"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];

fn with_key(path: &str, token: &str) -> Builder {
    Request::post(path).header("content-type", "application/json").header("authorization", format!("Bearer {token}"))
}

fn query() -> Body {
    Body::from(json!({"query": "{ auth_api_key { id } }"}).to_string())
}

#[test]
fn a_good_key_works_whatever_a_browser_or_a_load_balancer_adds() {
    on_both(async |stage: Stage| {
        let (token, session) = (stage.key_of_ada().await, stage.sign_in().await);
        for (name, value) in FOREIGN.into_iter().chain([("cookie", session.as_str())]) {
            for path in ["/graphql", "/"] {
                let answer = stage.send(with_key(path, &token).header(name, value).body(query()).unwrap()).await;
                assert_eq!(answer.status, StatusCode::OK, "{path} {name}: {value}: {}", answer.text);
                assert_eq!(answer.json()["data"]["auth_api_key"].as_array().unwrap().len(), 1, "{}", answer.text);
            }
            let request = Request::post("/api/v1/verify").header("content-type", "application/json");
            let body = Body::from(json!({"token": token}).to_string());
            let answer = stage.send(request.header(name, value).body(body).unwrap()).await;
            assert_eq!((answer.status, &answer.json()["valid"]), (StatusCode::OK, &true.into()), "{name}: {value}");
        }
    });
}

#[test]
fn a_session_is_guarded_even_beside_a_key() {
    on_both(async |stage: Stage| {
        let (token, session) = (stage.key_of_ada().await, stage.sign_in().await);
        for (name, value) in FOREIGN.into_iter().filter(|(name, _)| *name != "cookie") {
            let by_session = Request::post("/graphql").header("content-type", "application/json");
            let by_session = by_session.header("cookie", &session).header(name, value).body(query()).unwrap();
            assert_eq!(stage.send(by_session).await.status, StatusCode::FORBIDDEN, "{name}: {value}");
            // The browser's routes read the session and ignore the key.
            let form = Request::post("/sign-out").header("content-type", "application/x-www-form-urlencoded");
            let form = form.header("authorization", format!("Bearer {token}")).header("cookie", &session);
            let answer = stage.send(form.header(name, value).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
        }
        assert_eq!(stage.get("/user/api-keys", &session).await.status, StatusCode::OK, "the session goes on");
    });
}

#[test]
fn a_default_port_and_a_final_dot_are_the_same_host() {
    on_https(async |stage: Stage| {
        for host in ["keys.example.org", "keys.example.org:443", "KEYS.example.org", "keys.example.org."] {
            let page = Request::get("/sign-in").header("host", host).body(Body::empty()).unwrap();
            assert_eq!(stage.send(page).await.status, StatusCode::OK, "{host}");
            for origin in ["https://keys.example.org", "https://keys.example.org:443", "https://keys.example.org."] {
                let form = Request::post("/preferences/theme").header("host", host).header("origin", origin);
                let form = form.header("content-type", "application/x-www-form-urlencoded").header("cookie", "a=b");
                let answer = stage.send(form.body(Body::from("theme=dark")).unwrap()).await;
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{origin} at {host}");
                let cookie = &answer.cookies()[0];
                assert!(cookie.starts_with("theme=dark") && cookie.ends_with("; Secure"), "{cookie}");
            }
        }
        for host in ["keys.example.org:80", "keys.example.org:8443", "keys.example.org.evil.example", "a@b", ""] {
            let page = Request::get("/sign-in").header("host", host).body(Body::empty()).unwrap();
            assert_eq!(stage.send(page).await.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
    });
}

#[test]
fn a_misdirected_request_is_told_the_host_and_the_setting() {
    on_both(async |stage: Stage| {
        let send = async |path: &str, host: &str| -> Answer {
            stage.send(Request::get(path).header("host", host).body(Body::empty()).unwrap()).await
        };
        let token = format!("lku_{}", "a".repeat(38));
        for (path, host) in
            [("/sign-in", "10.0.0.7"), ("/graphql", "latchkey.internal:8080"), ("/nothing", "x.example")]
        {
            let answer = send(path, host).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
            let text = &answer.text;
            let expected = [host, "127.0.0.1:3000", "--public-url", "--allowed-host"];
            assert!(expected.iter().all(|word| text.contains(word)), "{path} at {host}: {text}");
        }
        assert!(!send("/sign-in", &token).await.text.contains(&token));
        // These read no session.
        let request = Request::post("/api/v1/verify").header("content-type", "application/json");
        let request = request.header("host", "10.0.0.7").body(Body::from(json!({"token": token}).to_string())).unwrap();
        assert_eq!(stage.send(request).await.text, r#"{"valid":false}"#);
        for (path, status) in [("/health/live", 200), ("/health/ready", 200), ("/calendar/x.ics", 404)] {
            assert_eq!(send(path, "10.0.0.7").await.status, status, "{path}");
        }
        // The target of the request counts more than its header.
        let absolute = Request::get("http://evil.example/sign-in").body(Body::empty()).unwrap();
        assert_eq!(stage.send(absolute).await.status, StatusCode::MISDIRECTED_REQUEST);
    });
}

#[test]
fn a_head_that_means_two_things_is_refused() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let twice = with_key("/graphql", &token).header("authorization", "Bearer x").body(query()).unwrap();
        let answer = stage.send(twice).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.text.contains("Authorization"), "{}", answer.text);
        let hosts = Request::get("/sign-in").header("host", "127.0.0.1:3000").header("host", "evil.example");
        assert_eq!(stage.send(hosts.body(Body::empty()).unwrap()).await.status, StatusCode::BAD_REQUEST);
        let query = Request::get("/sign-in?next=%ff").body(Body::empty()).unwrap();
        assert_eq!(stage.send(query).await.status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn a_form_that_is_not_utf_8_is_refused() {
    on_both(async |stage: Stage| {
        let session = stage.sign_in().await;
        for body in ["name=Caf%E9", "name=%c3%28", "name=%ed%a0%80", "n%ff=x"] {
            for path in ["/fn/create_api_key", "/sign-in", "/preferences/theme", "/user/profile/password"] {
                let answer = stage.post_form(path, &session, body).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {body}");
                assert!(answer.text.contains("UTF-8"), "{}", answer.text);
            }
            assert_eq!(
                stage.call("/fn/create_api_key", &session, body).await.status,
                StatusCode::BAD_REQUEST,
                "{body}"
            );
        }
    });
}

#[test]
fn the_body_of_a_safe_method_is_not_waited_for() {
    on_both(async |stage: Stage| {
        for path in ["/sign-in", "/health/ready", "/api/v1/verify"] {
            let never = Body::from_stream(futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
            let request = Request::get(path).header("content-length", "1000000").body(never).unwrap();
            assert_ne!(stage.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        }
    });
}

#[test]
fn cookies_and_agents_that_are_not_ascii_do_no_harm() {
    on_both(async |stage: Stage| {
        let session = stage.sign_in().await;
        let get = async |path: &str, cookie: &[u8], agent: &[u8]| -> Answer {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            request.headers_mut().insert(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap());
            request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_bytes(agent).unwrap());
            stage.send(request).await
        };
        for foreign in ["city=Zürich".as_bytes(), b"city=Z\xfcrich"] {
            let cookie = [foreign, b"; ", session.as_bytes(), b"; x=", foreign].concat();
            assert_eq!(get("/user/api-keys", &cookie, b"test").await.status, StatusCode::OK);
        }
        let token = stage.key_of_ada().await;
        for agent in ["Café-Deployer/2.1".as_bytes(), b"Caf\xe9-Deployer/2.1"] {
            let mut request = with_key("/graphql", &token).body(query()).unwrap();
            request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_bytes(agent).unwrap());
            let id = stage.send(request).await.json()["data"]["auth_api_key"][0]["id"].as_str().unwrap().to_owned();
            let text = get(&format!("/user/api-keys/{id}"), session.as_bytes(), b"test").await.text;
            assert!(text.contains("Café-Deployer/2.1"), "{text}");
        }
    });
}

#[test]
fn only_a_session_of_this_server_is_signed_out() {
    on_both(async |stage: Stage| {
        let session = stage.sign_in().await;
        let (name, _) = session.split_once('=').unwrap();
        assert_eq!(name, "latchkey-3000", "another server on this host has another port");
        let foreign = format!("{name}=AAAAAAAAAAAAAAAAAAAAAA");
        for path in ["/user/api-keys", "/sign-in", "/nothing"] {
            assert_eq!(stage.get(path, &foreign).await.cookies(), Vec::<String>::new(), "{path}");
        }
        let answer = stage.post_form("/sign-out", &foreign, "").await;
        assert_eq!((answer.status, answer.cookies()), (StatusCode::SEE_OTHER, Vec::new()));
        let answer = stage.post_form("/sign-out", &session, "").await;
        assert!(answer.cookies()[0].starts_with(&format!("{name}=;")) && answer.cookies()[0].contains("Max-Age=0"));
        assert_eq!(answer.header("clear-site-data"), r#""cache", "storage""#);
        assert_eq!(stage.get("/user/api-keys", &session).await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn a_page_with_a_secret_is_not_compressed() {
    on_both(async |stage: Stage| {
        let session = stage.sign_in().await;
        let body = format!("in_tenant={}", stage.selected_tenant(&session).await);
        let begun = stage.post_form("/user/second-factor/begin", &session, &body).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let encoding = async |path: &str| {
            let request = Request::get(path).header("cookie", &session).header("accept-encoding", "br, gzip");
            let answer = stage.send(request.body(Body::empty()).unwrap()).await;
            (answer.status, answer.header("content-encoding").to_owned())
        };
        let path = "/user/second-factor/enable?reflected=otpauth%3A%2F%2Ftotp";
        assert_eq!(encoding(path).await, (StatusCode::OK, String::new()));
        assert_eq!(encoding("/invitations/abc").await.1, "");
        assert_eq!(encoding("/set-up/abc").await.1, "");
        assert_eq!(encoding("/user/api-keys").await, (StatusCode::OK, "br".to_owned()), "others are");
    });
}

#[test]
fn administrators_are_told_that_clients_share_an_address() {
    let words = "All clients appear to have the same address.";
    on_https(async |stage: Stage| {
        let body = "email=ada%40example.org&password=seven+lamps+under+the+pier";
        let form = Request::post("/sign-in").header("host", "keys.example.org").header("sec-fetch-site", "same-origin");
        let form = form.header("content-type", "application/x-www-form-urlencoded").body(Body::from(body)).unwrap();
        let cookie = stage.send(form).await.cookies().remove(0);
        let page = Request::get("/team/overview").header("host", "keys.example.org");
        let page = page.header("cookie", cookie.split(';').next().unwrap()).body(Body::empty()).unwrap();
        let page = stage.send(page).await;
        assert!(page.text.contains(words), "{}", page.text);
    });
    on_both(async |stage: Stage| {
        let session = stage.sign_in().await;
        assert!(!stage.get("/team/overview", &session).await.text.contains(words));
        let stage = stage.behind_proxy();
        assert!(!stage.get("/team/overview", &session).await.text.contains(words));
    });
}
