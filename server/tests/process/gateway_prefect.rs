//! The gateway in front of a server of Prefect 0.14 to 1.x: who answers which operation, and what the upstream gets.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::{
    gateway::{Browser, Stage, ask, bearer, connect, enter, read_head, split_url},
    on_both,
    operator::{Place, stderr},
    support::{admin, fill, latchkey, start},
};

/// The id that the tenant has at the upstream.
const THERE: &str = "01980000-0000-7000-8000-000000000002";
const QUEUE: &str = "mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }";

/// What an upstream has received: the bodies, with the header that names a tenant.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(Bytes, String)>>>);

impl Received {
    fn take(&self) -> Vec<Value> {
        let bodies = std::mem::take(&mut *self.0.lock().unwrap());
        bodies.iter().map(|(body, _)| serde_json::from_slice(body).unwrap()).collect()
    }
}

/// Returns the answer to an operation: the operation itself.
fn answer_of(operation: &Value) -> Value {
    json!({ "data": { "query": operation["query"], "variables": operation["variables"] } })
}

async fn respond(request: Request<Incoming>, received: Received) -> Result<Response<Full<Bytes>>, Infallible> {
    let head = format!("{:?}", request.headers());
    assert!(!head.contains("lks_"), "{head}");
    let tenant = request.headers().get("x-prefect-tenant-id").map_or("", |id| id.to_str().unwrap()).to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    received.0.lock().unwrap().push((body.clone(), tenant));
    let text = |text: String| Ok(Response::new(Full::from(text)));
    match serde_json::from_slice(&body) {
        Ok(Value::Array(list)) if list.iter().any(|operation| operation["query"] == "{ broken }") => text("[]".into()),
        Ok(Value::Array(list)) if list.iter().any(|operation| operation["query"] == "{ down }") => {
            Ok(Response::builder().status(503).body(Full::from("down")).unwrap())
        }
        Ok(Value::Array(list)) if list.iter().any(|operation| operation["query"] == "{ slow }") => {
            tokio::time::sleep(Duration::from_millis(600)).await;
            text(list.iter().map(answer_of).collect::<Value>().to_string())
        }
        Ok(Value::Array(list)) => text(list.iter().map(answer_of).collect::<Value>().to_string()),
        Ok(operation) => text(answer_of(&operation).to_string()),
        Err(_) => text("a page".to_owned()),
    }
}

async fn start_upstream() -> (SocketAddr, Received) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, received) = (listener.local_addr().unwrap(), Received::default());
    let kept = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let received = kept.clone();
            let service = hyper::service::service_fn(move |request| respond(request, received.clone()));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, received)
}

fn protocol(tenant: &str) -> String {
    format!("protocol = 'prefect1'\nupstream_tenant_id = '{tenant}'")
}

/// Starts a gateway in front of an upstream. Returns also a token.
async fn stage(database: &str) -> (Stage, Received, String) {
    let (_, token) = fill(database);
    let (upstream, received) = start_upstream().await;
    (Stage::serve(database, &protocol(THERE), upstream), received, token)
}

/// Sends a body. Returns the status and the text of the response.
fn post(to: SocketAddr, headers: &[&str], body: &str) -> (u16, String) {
    let mut stream = connect(to);
    let lines: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let kind = if lines.contains("Content-Type") { "" } else { "Content-Type: application/json\r\n" };
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {to}\r\n{lines}{kind}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    let (status, _) = read_head(&mut stream);
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

/// Sends operations as Prefect's clients do. Returns the answer.
fn send(to: SocketAddr, token: &str, body: &Value) -> Value {
    let (status, text) = post(to, &[&bearer(token)], &body.to_string());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

fn query(text: &str) -> Value {
    json!({ "query": text, "variables": "null" })
}

fn with_input(text: &str, input: &Value) -> Value {
    json!({ "query": text, "variables": json!({ "input": input }).to_string() })
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn create(role: &str, database: &str) -> String {
    let account = ["create-service-account", "--tenant", "bench", "--name", role, "--role", role];
    let account = admin(database, &account, "");
    admin(database, &["create-key", "--tenant", "bench", "--service-account", &account, "--name", "first"], "")
}

#[test]
fn operations_about_keys_are_answered_here_and_all_others_by_the_upstream() {
    on_both(async |database| {
        let (stage, received, token) = stage(&database).await;
        let to = stage.gateway;
        let info = send(to, &token, &query("query { auth_info { tenant_id user_id } }"));
        let (own, user) = (&info["data"]["auth_info"]["tenant_id"], &info["data"]["auth_info"]["user_id"]);
        assert!(own.is_string() && user.is_string() && info.get("errors").is_none(), "{info}");
        let tenants = send(to, &token, &query("query { tenant(order_by: {slug: asc}) { id slug } }"));
        assert_eq!(tenants["data"]["tenant"], json!([{"id": own, "slug": "bench"}]));
        let create = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { id key } }";
        let created =
            send(to, &token, &with_input(create, &json!({"name": "marvin", "user_id": user, "expires_at": null})));
        let (id, key) = (&created["data"]["create_api_key"]["id"], created["data"]["create_api_key"]["key"].as_str());
        let key = key.unwrap_or_else(|| panic!("{created}"));
        let listed = send(to, key, &query("query { auth_api_key { id name expires_at } }"));
        assert!(listed.to_string().contains("marvin"), "{listed}");
        let switch = "mutation($input: switch_tenant_input!) { switch_tenant(input: $input) { access_token } }";
        let switched = send(to, key, &with_input(switch, &json!({"tenant_id": own})));
        assert_eq!(switched["data"]["switch_tenant"]["access_token"], Value::Null, "{switched}");
        assert!(received.take().is_empty(), "nothing about keys reaches the upstream");

        for text in [
            "query { hello }",
            "{ flow(where: {name: {_eq: \"tenant { id }\"}}) { id } }",
            "mutation { a: delete_flow { success } }",
        ] {
            assert_eq!(send(to, key, &query(text))["data"]["query"], text);
        }
        assert_eq!(received.take().len(), 3);
        // The tenant has another id there, in the variables and in the header.
        let poll = with_input(QUEUE, &json!({"labels": [], "tenant_id": own}));
        let expected = json!({"input": {"labels": [], "tenant_id": THERE}});
        let header = format!("X-PREFECT-TENANT-ID: {}", own.as_str().unwrap());
        let (status, text) = post(to, &[&bearer(key), &header], &poll.to_string());
        assert!(status == 200 && text.contains("flow_run_ids"), "{text}");
        let got = received.0.lock().unwrap().pop().unwrap();
        let variables = serde_json::from_slice::<Value>(&got.0).unwrap()["variables"].as_str().unwrap().to_owned();
        assert_eq!((serde_json::from_str::<Value>(&variables).unwrap(), got.1.as_str()), (expected, THERE));
        let foreign = format!("X-PREFECT-TENANT-ID: {THERE}");
        let (status, text) = post(to, &[&bearer(key), &foreign], &query("{ flow { id } }").to_string());
        assert!(status == 200 && text.contains("UNAUTHENTICATED"), "{text}");
        let both = send(to, key, &query("{ auth_info { user_id } flow { id } }"));
        assert_eq!(code(&both), "BAD_USER_INPUT");

        let delete = "mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }";
        let deleted = send(to, &token, &with_input(delete, &json!({"key_id": id})));
        assert_eq!(deleted["data"]["delete_api_key"]["success"], true, "{deleted}");
        for text in ["{ flow { id } }", "query { auth_info { tenant_id } }", "{ not graphql"] {
            assert_eq!(code(&send(to, key, &query(text))), "UNAUTHENTICATED", "{text}");
        }
        let (status, text) = post(to, &[], &query("{ flow { id } }").to_string());
        assert!(status == 200 && text.contains("UNAUTHENTICATED") && !text.contains("API_ERROR"), "{text}");
        assert!(received.take().is_empty(), "nothing of a refused request reaches the upstream");
    });
}

#[test]
fn a_batch_is_answered_in_its_order_by_both() {
    on_both(async |database| {
        let (stage, received, token) = stage(&database).await;
        let (to, own) = (stage.gateway, "query { auth_info { user_id } }");
        let batch =
            json!([query("{ a }"), query(own), query("{ b }"), query("{ auth_info { user_id } c }"), query(own)]);
        let answers = send(to, &token, &batch);
        assert_eq!((&answers[0]["data"]["query"], &answers[2]["data"]["query"]), (&json!("{ a }"), &json!("{ b }")));
        assert!(answers[1]["data"]["auth_info"]["user_id"].is_string(), "{answers}");
        assert_eq!(
            (answers[1].clone(), code(&answers[3]), answers.as_array().unwrap().len()),
            (answers[4].clone(), "BAD_USER_INPUT", 5)
        );
        let got = received.take();
        assert_eq!(got.iter().map(|batch| batch.as_array().unwrap().len()).collect::<Vec<_>>(), [2], "one request");
        assert_eq!(send(to, &token, &json!([query("{ a }")]))[0]["data"]["query"], "{ a }");
        assert_eq!(received.take().len(), 1);
        assert!(send(to, &token, &json!([query(own)]))[0]["data"]["auth_info"]["user_id"].is_string());
        assert!(received.take().is_empty());

        // An upstream that fails loses nothing of what Latchkey answers, unless clients repeat the whole.
        let broken = send(to, &token, &json!([query("{ broken }"), query(own)]));
        assert_eq!(code(&broken[0]), "UNAVAILABLE");
        assert!(broken[1]["data"]["auth_info"]["user_id"].is_string(), "{broken}");
        let down = json!([
            query("{ down }"),
            query("mutation { create_api_token(input: {name: \"x\", scope: \"USER\"}) { id } }")
        ]);
        assert_eq!(post(to, &[&bearer(&token)], &down.to_string()), (503, "down".to_owned()));
        let keys = admin(&database, &["list-keys", "--tenant", "bench"], "");
        assert_eq!(keys.lines().count(), 1, "{keys}");

        // The key that an operation revokes doesn't execute the next one.
        let delete = "mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }";
        let id = keys.split('\t').next().unwrap();
        let batch = json!([with_input(delete, &json!({"key_id": id})), query(own)]);
        let answers = send(to, &token, &batch);
        assert_eq!(
            (&answers[0]["data"]["delete_api_key"]["success"], code(&answers[1])),
            (&json!(true), "UNAUTHENTICATED")
        );
        assert_eq!(code(&send(to, &token, &json!([query("{ a }"), query(own)]))), "UNAUTHENTICATED");
        assert_eq!(post(to, &[&bearer("x")], "[").0, 200, "the key comes first");
    });
}

#[test]
fn a_read_only_key_sends_queries_only() {
    on_both(async |database| {
        let (stage, received, writer) = stage(&database).await;
        let to = stage.gateway;
        let reader = create("READ_ONLY_USER", &database);
        for text in ["{ flow { id } }", "query a { b: delete_flow { id } }", "# mutation\n{ flow { id } }"] {
            assert_eq!(send(to, &reader, &query(text))["data"]["query"], text);
        }
        assert!(send(to, &reader, &query("{ auth_info { user_id } }"))["data"]["auth_info"].is_object());
        received.take();
        let hidden =
            json!({"query": "query a { flow { id } } mutation b { delete_flow { success } }", "operationName": "b"});
        let unsaid = json!({"query": "query a { flow { id } } mutation b { delete_flow { success } }"});
        let named_a =
            json!({"query": "query a { flow { id } } mutation b { delete_flow { success } }", "operationName": "a"});
        let refused = [
            query("mutation { delete_flow { success } }"),
            query("mutation { flow: delete_flow { success } }"),
            query("mutation { ...f } fragment f on Mutation { delete_flow { success } }"),
            query("#\rmutation { delete_flow { success } }"),
            query("\u{feff}mutation{delete_flow{success}}"),
            query("\"\"\"{ a }\"\"\" mutation { delete_flow { success } }"),
            query("subscription { flow { id } }"),
            query("mutation { delete_flow"),
            query(&format!("{}{}", "{ a ".repeat(30), "}".repeat(30))),
            query(&format!("{{ a(b: \"{}\") }}", "x".repeat(40_000))),
            hidden,
            unsaid,
            named_a,
        ];
        for body in &refused {
            assert_eq!(code(&send(to, &reader, body)), "FORBIDDEN", "{body}");
            assert_eq!(code(&send(to, &reader, &json!([query("{ a }"), body]))[1]), "FORBIDDEN", "{body}");
        }
        let got = received.take();
        assert!(got.iter().all(|body| *body == json!([query("{ a }")])), "{got:?}");
        // What is refused doesn't end what is allowed, however long that takes.
        let slow = send(to, &reader, &json!([query("{ slow }"), query("mutation { delete_flow { success } }")]));
        assert_eq!((&slow[0]["data"]["query"], code(&slow[1])), (&json!("{ slow }"), "FORBIDDEN"));
        received.take();
        // What could say something else to the upstream isn't forwarded.
        let more = json!({"query": "{ a }", "extensions": {"persistedQuery": {"sha256Hash": "0"}}, "id": "x"});
        send(to, &reader, &more);
        assert_eq!(received.take(), [json!({"query": "{ a }"})]);
        for kind in [
            "application/graphql",
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data; boundary=x",
        ] {
            let (status, _) =
                post(to, &[&bearer(&reader), &format!("Content-Type: {kind}")], "mutation { delete_flow }");
            assert_eq!(status, 415, "{kind}");
        }
        for path in ["/?query=mutation%7Ba%7D", "/graphql?QUERY=x", "/?extensions=x", "/?a=b&id=x"] {
            assert_eq!(ask(to, &format!("GET {path}"), &[&bearer(&reader)]).0, 405, "{path}");
        }
        let twice = "{\"query\":\"{ a }\",\"query\":\"mutation { a }\"}";
        for body in [twice, "{}", "x", "", "[[]]"] {
            assert_eq!(post(to, &[&bearer(&reader)], body).0, 400, "{body}");
        }
        assert_eq!(ask(to, "DELETE /flows", &[&bearer(&reader)]).0, 403);
        assert!(received.take().is_empty());
        assert_eq!(ask(to, "GET /page?a=b", &[&bearer(&reader)]).0, 200);
        received.0.lock().unwrap().clear();

        // Whoever may change everything there may also send what Latchkey can't read.
        for body in refused.iter().take(10) {
            assert_eq!(send(to, &writer, body)["data"]["query"], body["query"]);
        }
    });
}

#[test]
fn bodies_of_five_megabytes_pass_and_their_key_is_checked_again_at_their_end() {
    on_both(async |database| {
        let (stage, received, token) = stage(&database).await;
        let to = stage.gateway;
        let logs = "mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }";
        let around = with_input(logs, &json!({"logs": ""})).to_string().len();
        let of_size = |size: usize| with_input(logs, &json!({"logs": "x".repeat(size - around)})).to_string();
        let (most, own) = (5 * 1_024 * 1_024, bearer(&token));
        let body = of_size(most);
        let (status, text) = post(to, &[&own], &body);
        assert_eq!((status, body.len()), (200, most), "{}", &text[..text.len().min(200)]);
        let got = received.0.lock().unwrap().pop().unwrap();
        assert!(got.0 == body.as_bytes(), "it arrives as it is");
        assert_eq!(post(to, &[&own], &of_size(most + 1)).0, 413);
        assert!(received.take().is_empty());

        let mut stream = connect(to);
        let body = of_size(1_000);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {to}\r\n{own}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let (first, rest) = body.split_at(500);
        write!(stream.get_mut(), "{head}{first}").unwrap();
        let key = admin(&database, &["list-keys", "--tenant", "bench"], "").split('\t').next().unwrap().to_owned();
        admin(&database, &["revoke-key", "--tenant", "bench", &key], "");
        // The server has heard of it once another request is refused.
        while post(to, &[&own], "{\"query\":\"{ auth_info { user_id } }\"}").1.contains("\"user_id\"") {}
        stream.get_mut().write_all(rest.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("UNAUTHENTICATED"), "{answer}");
        assert!(received.take().is_empty());
    });
}

#[test]
fn a_persons_pages_are_those_of_the_upstream() {
    on_both(async |database| {
        let (stage, received, _) = stage(&database).await;
        let to = stage.gateway;
        let mut browser = Browser::default();
        let with_code = enter(&mut browser, &stage, "/");
        assert_eq!(browser.get(to, &split_url(&with_code).1).0, 303);
        received.0.lock().unwrap().clear();
        let lines = ["Content-Type: application/json", "Sec-Fetch-Site: same-origin"];
        let body = query("query { tenant { id } }").to_string();
        let (status, _, text) = browser.send(to, "POST /graphql", &lines, &body);
        assert!(status == 200 && text.contains("tenant"), "{text}");
        assert_eq!(received.take(), [json!({"query": "query { tenant { id } }", "variables": "null"})]);
        let (status, ..) = browser.send(to, "POST /graphql", &["Content-Type: application/json"], &body);
        assert_eq!(status, 403, "from another site");
    });
}

#[test]
fn a_key_of_another_tenant_is_refused_and_a_server_belongs_to_one_tenant() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        admin(&database, &["create-tenant", "--name", "Other", "--slug", "other"], "");
        let account = admin(&database, &["create-service-account", "--tenant", "other", "--name", "O"], "");
        let foreign =
            admin(&database, &["create-key", "--tenant", "other", "--service-account", &account, "--name", "x"], "");
        let (upstream, received) = start_upstream().await;
        let stage = Stage::serve(&database, &format!("tenant = 'bench'\n{}", protocol(THERE)), upstream);
        assert!(send(stage.gateway, &token, &query("{ a }"))["data"].is_object());
        received.take();
        for text in ["{ a }", "{ auth_info { tenant_id } }"] {
            assert_eq!(code(&send(stage.gateway, &foreign, &query(text))), "UNAUTHENTICATED");
        }
        assert!(received.take().is_empty());
    });
    let place = Place::new();
    let entry = |name: &str, port: u16, upstream: &str, more: &str| {
        format!(
            "[[gateway]]\nname = '{name}'\nlisten = '127.0.0.1:{port}'\nupstream = '{upstream}'\ntenant = '{name}'\n{more}\n"
        )
    };
    let prefect = protocol(THERE);
    for (second, is_refused) in [
        (entry("b", 3_002, "http://LOCALHOST:4200/graphql", &prefect), true),
        (entry("b", 3_002, "http://localhost:4200", ""), true),
        (entry("b", 3_002, "http://localhost:4201", &prefect), false),
    ] {
        let file = place.write("latchkey.toml", &(entry("a", 3_001, "http://localhost:4200", &prefect) + &second));
        let output = latchkey().args(["config", "check", "--config", &file]).output().unwrap();
        assert_eq!(!output.status.success(), is_refused, "{second}: {}", stderr(&output));
        assert!(!is_refused || stderr(&output).contains("keeps no tenants apart"), "{}", stderr(&output));
    }
}

/// The upstream is another Latchkey with the backend for flow runs, which speaks the protocol and refuses a wrong tenant.
#[test]
fn a_run_is_created_and_offered_through_the_gateway() {
    on_both(async |database| {
        let (_, token) = fill(&database);
        let behind = Place::new();
        let (_, own_key) = fill(&behind.database);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--flow-runs", "--database-url", &behind.database];
        let upstream = start(latchkey().args(serve));
        let info = send(upstream.address, &own_key, &query("{ auth_info { tenant_id } }"));
        let there = info["data"]["auth_info"]["tenant_id"].as_str().unwrap().to_owned();
        let more = format!("{}\nupstream_authorization = 'Bearer {own_key}'", protocol(&there));
        let stage = Stage::serve(&database, &more, upstream.address);
        let to = stage.gateway;
        let own = send(to, &token, &query("{ auth_info { tenant_id } }"))["data"]["auth_info"]["tenant_id"].clone();
        assert_ne!(own, json!(there));
        let project = "mutation($input: create_project_input!) { create_project(input: $input) { id } }";
        let created =
            send(to, &token, &with_input(project, &json!({"name": "P", "description": null, "tenant_id": own})));
        assert!(created["data"]["create_project"]["id"].is_string(), "{created}");
        let register = "mutation($input: register_agent_input!) { register_agent(input: $input) { id } }";
        let input =
            json!({"type": "LocalAgent", "name": "agent", "labels": [], "tenant_id": own, "agent_config_id": null});
        let agent = send(to, &token, &with_input(register, &input))["data"]["register_agent"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        for id in [&own, &Value::Null] {
            let poll = with_input(QUEUE, &json!({"before": "2030-01-01T00:00:00Z", "labels": [], "tenant_id": id}));
            let lines = [
                bearer(&token),
                format!("X-PREFECT-AGENT-ID: {agent}"),
                format!("X-PREFECT-TENANT-ID: {}", own.as_str().unwrap()),
            ];
            let (_, text) = post(to, &[&lines[0], &lines[1], &lines[2]], &poll.to_string());
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap()["data"]["get_runs_in_queue"]["flow_run_ids"],
                json!([]),
                "{text}"
            );
        }
    });
}
