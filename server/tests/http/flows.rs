//! The built-in backend for flow runs: the requests of the Prefect clients in the order of a first run, and its limits.

use std::io::Write as _;

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Stage, on_both};

/// Sends a query as those clients do: with the variables as a string.
async fn send(stage: &Stage, path: &str, token: &str, query: &str, variables: &Value, agent: Option<&str>) -> Answer {
    let body = json!({"query": query, "variables": variables.to_string()}).to_string();
    let mut request = Request::post(path)
        .header("content-type", "application/json")
        .header("x-prefect-core-version", "1.4.1")
        .header("authorization", format!("Bearer {token}"));
    if let Some(agent) = agent {
        request = request.header("x-prefect-agent-id", agent);
    }
    stage.send(request.body(Body::from(body)).unwrap()).await
}

/// A client with a key.
struct Client<'a> {
    stage: &'a Stage,
    token: String,
    agent: Option<String>,
}

impl Client<'_> {
    async fn answer(&self, query: &str, variables: Value) -> Value {
        let answer = send(self.stage, "/", &self.token, query, &variables, self.agent.as_deref()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!(!answer.text.contains("API_ERROR"), "clients would retry");
        answer.json()
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.answer(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    async fn refusal(&self, query: &str, variables: Value) -> (String, String) {
        let answer = self.answer(query, variables).await;
        let error = &answer["errors"][0];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{query}: {answer}")).to_owned();
        (text(&error["extensions"]["code"]), text(&error["message"]))
    }
}

fn compressed(bytes: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    BASE64_STANDARD.encode(encoder.finish().unwrap())
}

fn flow() -> Value {
    json!({
        "name": "etl",
        "type": "prefect.core.flow.Flow",
        "schedule": null,
        "parameters": [],
        "tasks": [
            {"slug": "extract-1", "name": "extract", "type": "FunctionTask", "max_retries": 2, "retry_delay": 10.0},
            {"slug": "load-1", "name": "load", "type": "FunctionTask"},
        ],
        "edges": [{"mapped": true, "downstream_task": {"slug": "load-1"}}],
        "reference_tasks": [],
        "run_config": {"type": "UniversalRun", "labels": ["vm"], "env": null},
        "storage": {"type": "Local", "path": "/flows/etl.py"},
        "__version__": "1.4.1",
    })
}

const CREATE_PROJECT: &str = "mutation($input: create_project_input!) { create_project(input: $input) { id } }";
const REGISTER: &str = "mutation($input: create_flow_from_compressed_string_input!) { create_flow_from_compressed_string(input: $input) { id } }";
const CREATE_RUN: &str = "mutation($input: create_flow_run_input!) { create_flow_run(input: $input) { id } }";
const REGISTER_AGENT: &str = "mutation($input: register_agent_input!) { register_agent(input: $input) { id } }";
const POLL: &str = "mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }";
const SET_RUN: &str = "mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { status id message } } }";
const SET_TASK: &str = "mutation($input: set_task_run_states_input!) { set_task_run_states(input: $input) { states { message id status } } }";
const LOGS: &str = "mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }";

async fn add_flow(user: &Client<'_>) -> (String, String) {
    let tenant = user.ask("query { auth_info { tenant_id } }", Value::Null).await["auth_info"]["tenant_id"].clone();
    let project = json!({"input": {"name": "P", "description": null, "tenant_id": tenant}});
    let project = user.ask(CREATE_PROJECT, project).await["create_project"]["id"].as_str().unwrap().to_owned();
    let input = json!({"input": {"project_id": project, "serialized_flow": compressed(flow().to_string().as_bytes()),
        "set_schedule_active": true, "idempotency_key": "aa"}});
    let flow = user.ask(REGISTER, input).await["create_flow_from_compressed_string"]["id"].as_str().unwrap().to_owned();
    (project, flow)
}

async fn add_run(user: &Client<'_>, flow: &str) -> String {
    let input = json!({"input": {"flow_id": flow, "parameters": {"x": [1.5, null]}, "context": {}}});
    user.ask(CREATE_RUN, input).await["create_flow_run"]["id"].as_str().unwrap().to_owned()
}

async fn start_agent<'a>(stage: &'a Stage, token: &str, name: &str) -> Client<'a> {
    let mut agent = Client { stage, token: token.to_owned(), agent: None };
    let input = json!({"input": {"type": "LocalAgent", "name": name, "labels": ["vm"], "tenant_id": null, "agent_config_id": null}});
    let id = agent.ask(REGISTER_AGENT, input).await["register_agent"]["id"].as_str().unwrap().to_owned();
    agent.agent = Some(id);
    agent
}

fn state_of(id: &str, field: &str, state: &str) -> Value {
    json!({"input": {"states": [{"state": {"type": state, "message": "m", "context": {"tags": []}, "__version__": "1.4.1"},
        field: id, "version": 1}]}})
}

#[test]
fn a_project_and_a_flow_are_registered_in_the_words_of_the_clients() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (project, flow) = add_flow(&user).await;
        let again = json!({"input": {"name": "P", "description": null}});
        assert_eq!(user.refusal(CREATE_PROJECT, again).await.1, "Uniqueness violation.");
        let found = user.ask(r#"query { project(where: { name: { _eq: "P" } }) { id } }"#, Value::Null).await;
        assert_eq!(found["project"], json!([{"id": project}]));
        let latest = format!(
            r#"query {{ flow(where: {{ _and: {{ name: {{ _eq: "etl" }}, project: {{ id: {{ _eq: "{project}" }} }} }} }}, order_by: {{ version: desc }}, limit: 1) {{ version id }} }}"#
        );
        assert_eq!(user.ask(&latest, Value::Null).await["flow"], json!([{"version": 1, "id": flow}]));
        let by_name = r#"query { flow(where: { name: { _eq: "etl" }, archived: { _eq: false }, project: { name: { _eq: "P" } } }, order_by: { created: desc }) {
            id settings run_config serialized_flow name archived project { name } core_version storage flow_group { labels } } }"#;
        let seen = user.ask(by_name, Value::Null).await["flow"][0].clone();
        assert_eq!(seen["serialized_flow"], self::flow());
        assert_eq!((&seen["storage"], &seen["archived"]), (&self::flow()["storage"], &json!(false)));
        assert_eq!(
            (&seen["settings"]["heartbeat_enabled"], &seen["flow_group"]["labels"]),
            (&json!(true), &Value::Null)
        );
        let older = r#"query { flow(where: { _and: { name: { _eq: "etl" }, version: { _eq: null }, project: { name: { _eq: "P" } } } }, order_by: { name: asc, version: desc }, distinct_on: name) { id } }"#;
        assert_eq!(user.ask(older, Value::Null).await["flow"], json!([{"id": flow}]));
    });
}

#[test]
fn a_run_is_taken_and_reported_in_the_words_of_the_clients() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (project, flow) = add_flow(&user).await;
        let run = add_run(&user, &flow).await;
        let shown = format!(
            r#"query {{ flow_run(where: {{ id: {{ _eq: "{run}" }} }}) {{ id name flow_id serialized_state states {{ serialized_state timestamp }} labels parameters context updated run_config }} }}"#
        );
        let seen = user.ask(&shown, Value::Null).await["flow_run"][0].clone();
        assert_eq!(
            (&seen["parameters"], &seen["labels"], &seen["context"]),
            (&json!({"x": [1.5, null]}), &json!(["vm"]), &json!({}))
        );
        assert_eq!(seen["serialized_state"]["type"], "Scheduled");
        assert_eq!(seen["states"].as_array().unwrap().len(), 1);

        let (account, token) = stage.key_of_account("bot").await;
        let agent = start_agent(&stage, &token, "agent").await;
        let poll = |labels: Value| json!({"input": {"before": "2027-01-01T00:00:10.000000+00:00", "labels": labels, "tenant_id": null}});
        assert_eq!(agent.ask(POLL, poll(json!([]))).await["get_runs_in_queue"]["flow_run_ids"], json!([]));
        assert_eq!(agent.ask(POLL, poll(json!(["vm"]))).await["get_runs_in_queue"]["flow_run_ids"], json!([run]));
        let metadata = format!(
            r#"query {{ flow_run(where: {{ id: {{ _in: ["{run}"] }}, _or: [{{ state: {{ _eq: "Scheduled" }} }}, {{ state: {{ _eq: "Running" }}, task_runs: {{ state_start_time: {{ _lte: "2027-01-01T00:00:00.000000+00:00" }} }} }}] }}) {{
                id version state serialized_state parameters scheduled_start_time run_config name
                flow {{ storage id name environment core_version version }}
                task_runs(where: {{ state_start_time: {{ _lte: "2027-01-01T00:00:00.000000+00:00" }} }}) {{ serialized_state id version task_id }} }} }}"#
        );
        let seen = agent.ask(&metadata, Value::Null).await["flow_run"][0].clone();
        assert_eq!(
            (&seen["state"], &seen["version"], &seen["flow"]["id"]),
            (&json!("Scheduled"), &json!(1), &json!(flow))
        );
        assert_eq!((&seen["task_runs"], &seen["run_config"]["type"]), (&json!([]), &json!("UniversalRun")));
        let accepted = agent.ask(SET_RUN, state_of(&run, "flow_run_id", "Submitted")).await;
        assert_eq!(
            accepted["set_flow_run_states"]["states"],
            json!([{"status": "SUCCESS", "id": run, "message": null}])
        );
        assert_eq!(agent.ask(&metadata, Value::Null).await["flow_run"], json!([]), "it waits no longer");

        let process = Client { stage: &stage, token: token.clone(), agent: None };
        let by_id = format!(
            r#"query {{ flow_run_by_pk(id: "{run}") {{ id name flow_id parameters context version scheduled_start_time serialized_state
                task_runs(where: {{ map_index: {{ _eq: -1 }} }}) {{ id task {{ id slug }} version serialized_state }} flow {{ project {{ name id }} settings }} }} }}"#
        );
        let seen = process.ask(&by_id, Value::Null).await["flow_run_by_pk"].clone();
        assert_eq!((&seen["version"], &seen["flow"]["project"]), (&json!(2), &json!({"name": "P", "id": project})));
        let tasks = seen["task_runs"].as_array().unwrap();
        assert_eq!(tasks.len(), 2);
        let (task_run, task) = (tasks[0]["id"].as_str().unwrap(), tasks[0]["task"]["id"].as_str().unwrap());
        process.ask(SET_RUN, state_of(&run, "flow_run_id", "Running")).await;
        let beat =
            format!(r#"mutation {{ update_flow_run_heartbeat(input: {{ flow_run_id: "{run}" }}) {{ success }} }}"#);
        assert_eq!(process.ask(&beat, Value::Null).await["update_flow_run_heartbeat"]["success"], true);
        let info = format!(
            r#"mutation {{ get_or_create_task_run_info(input: {{ flow_run_id: "{run}", task_id: "{task}", map_index: -1 }}) {{ id version serialized_state }} }}"#
        );
        let seen = process.ask(&info, Value::Null).await["get_or_create_task_run_info"].clone();
        assert_eq!(
            (&seen["id"], &seen["version"], &seen["serialized_state"]["type"]),
            (&json!(task_run), &json!(0), &json!("Pending"))
        );
        let beat = format!(
            r#"mutation {{ update_task_run_heartbeat(input: {{ task_run_id: "{task_run}" }}) {{ success }} }}"#
        );
        assert_eq!(process.ask(&beat, Value::Null).await["update_task_run_heartbeat"]["success"], true);
        process.ask(SET_TASK, state_of(task_run, "task_run_id", "Success")).await;
        let lines = json!({"input": {"logs": [
            {"flow_run_id": run, "task_run_id": task_run, "timestamp": "2027-01-01T00:00:01.5+00:00", "name": "prefect.task", "message": "hello", "level": "INFO"},
            {"flow_run_id": run, "timestamp": "2027-01-01T00:00:00+00:00", "name": "agent", "message": "first", "level": "DEBUG", "info": {"a": 1}},
        ]}});
        assert_eq!(process.ask(LOGS, lines).await["write_run_logs"]["success"], true);
        process.ask(SET_RUN, state_of(&run, "flow_run_id", "Success")).await;

        let watched = format!(
            r#"query {{ flow_run(where: {{ id: {{ _eq: "{run}" }} }}) {{ state logs(order_by: {{ timestamp: asc }}, where: {{ _and: [{{ timestamp: {{ _lte: "2027-01-02T00:00:00+00:00" }} }}, {{}}] }}) {{ timestamp message level }} }} }}"#
        );
        let seen = user.ask(&watched, Value::Null).await["flow_run"][0].clone();
        assert_eq!(seen["state"], "Success");
        assert_eq!(seen["logs"][0]["message"], "first");
        assert_eq!(
            seen["logs"][1],
            json!({"timestamp": "2027-01-01T00:00:01.500000+00:00", "message": "hello", "level": "INFO"})
        );
        let views = format!(
            r#"query {{ task_run(where: {{ flow_run_id: {{ _eq: "{run}" }}, id: {{ _nin: [] }} }}) {{ id name task {{ id slug }} map_index serialized_state flow_run_id }} }}"#
        );
        assert_eq!(user.ask(&views, Value::Null).await["task_run"].as_array().unwrap().len(), 2);
        let listed = format!(
            r#"{{ flow_runs(owner_id: "{account}") {{ items {{ id flow project state agent api_key_name started ended }} next }} }}"#
        );
        let row = user.ask(&listed, Value::Null).await["flow_runs"]["items"][0].clone();
        assert_eq!(
            (&row["id"], &row["flow"], &row["state"], &row["agent"], &row["api_key_name"]),
            (&json!(run), &json!("etl"), &json!("Success"), &json!("agent"), &json!("main"))
        );
    });
}

#[test]
fn the_commands_that_show_something_get_what_they_ask_for() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (_, flow) = add_flow(&user).await;
        let run = add_run(&user, &flow).await;
        let projects = user.ask("query { project(where: { _and: { name: { _eq: null } } }, order_by: { name: asc }) { name created description flows_aggregate(distinct_on: name) { aggregate { count } } } }", Value::Null).await;
        assert_eq!(projects["project"][0]["flows_aggregate"]["aggregate"]["count"], 1);
        let tasks = user.ask(r#"query { task(where: { _and: { name: { _eq: null }, flow: { name: { _eq: "etl" }, version: { _eq: null }, project: { name: { _eq: null } } } } }, limit: 10, order_by: { created: desc }) { name created flow { name version } mapped type } }"#, Value::Null).await;
        let mut names: Vec<_> = tasks["task"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| (task["name"].to_string(), task["mapped"].clone()))
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(names, [("\"extract\"".to_owned(), json!(false)), ("\"load\"".to_owned(), json!(true))]);
        let described = user.ask(r#"query { flow(where: { _and: { name: { _eq: "etl" } } }, order_by: { name: asc, version: desc }, distinct_on: name) { name version description parameters tasks { name created slug description type max_retries retry_delay mapped } } }"#, Value::Null).await;
        assert_eq!(described["flow"][0]["tasks"].as_array().unwrap().len(), 2);
        let runs = user.ask(r#"query { flow_run(where: { flow: { _and: { name: { _eq: "etl" }, project: { name: { _eq: "P" } } } } }, limit: 10, order_by: { created: desc }) { flow { name } id created state name start_time auto_scheduled end_time } }"#, Value::Null).await;
        assert_eq!(runs["flow_run"][0]["id"], json!(run));
        let scheduled = format!(
            r#"query {{ flow_run(where: {{ id: {{ _eq: "{run}" }} }}) {{ scheduled_start_time states(where: {{ state: {{ _eq: "Scheduled" }} }}) {{ start_time created }} }} }}"#
        );
        assert!(user.ask(&scheduled, Value::Null).await["flow_run"][0]["states"][0]["start_time"].is_string());
        let retries = format!(
            r#"query {{ task_run(where: {{ state_start_time: {{ _is_null: false }}, flow_run_id: {{ _eq: "{run}" }}, flow_run: {{ state: {{ _eq: "Running" }} }} }}) {{ state_start_time }} }}"#
        );
        assert_eq!(user.ask(&retries, Value::Null).await["task_run"], json!([]));
        let cancel = "mutation($input: cancel_flow_run_input!) { cancel_flow_run(input: $input) { state } }";
        assert_eq!(
            user.ask(cancel, json!({"input": {"flow_run_id": run}})).await["cancel_flow_run"]["state"],
            "Cancelled"
        );
    });
}

#[test]
fn an_agent_that_comes_too_late_is_told_so_in_words_that_it_understands() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (_, flow) = add_flow(&user).await;
        let run = add_run(&user, &flow).await;
        let (_, token) = stage.key_of_account("bot").await;
        let (first, second) = (start_agent(&stage, &token, "one").await, start_agent(&stage, &token, "two").await);
        first.ask(SET_RUN, state_of(&run, "flow_run_id", "Submitted")).await;
        for state in ["Submitted", "Failed"] {
            let (code, message) = second.refusal(SET_RUN, state_of(&run, "flow_run_id", state)).await;
            assert_eq!(code, "CONFLICT");
            assert!(message.starts_with("State update failed: "), "{message}");
        }
        let seen = format!(r#"query {{ flow_run_by_pk(id: "{run}") {{ state }} }}"#);
        assert_eq!(first.ask(&seen, Value::Null).await["flow_run_by_pk"]["state"], "Submitted");
    });
}

#[test]
fn other_shapes_of_filters_are_errors_of_the_query() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        for filter in [
            r#"name: { _like: "x" }"#,
            r#"name: { _gt: "x" }"#,
            r#"_not: { name: { _eq: "x" } }"#,
            r#"parameters: { _eq: "x" }"#,
            r#"flow: { tasks: { name: { _eq: "x" } } }"#,
            "state: { _eq: 1 }",
        ] {
            let query = format!("query {{ flow_run(where: {{ {filter} }}) {{ id }} }}");
            assert_eq!(user.refusal(&query, Value::Null).await.0, "GRAPHQL_VALIDATION_FAILED", "{filter}");
        }
        let malformed = r#"query { flow_run(where: { id: { _eq: "x" }, name: { _eq: null } }) { id } }"#;
        assert_eq!(user.ask(malformed, Value::Null).await["flow_run"], json!([]));
        assert_eq!(
            user.ask(r#"query { flow_run_by_pk(id: "x") { id } }"#, Value::Null).await["flow_run_by_pk"],
            Value::Null
        );
    });
}

#[test]
fn a_malformed_value_at_any_depth_is_an_error_of_the_client() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (_, flow) = add_flow(&user).await;
        add_run(&user, &flow).await;
        let logs = "query($t: timestamptz) { flow_run { id logs(where: { _and: [{ timestamp: { _lte: $t } }] }) { message } } }";
        let tasks = "query($x: Int) { flow_run { ...f } } fragment f on flow_run { task_runs(where: { map_index: { _eq: $x } }) { id } }";
        let whole = "query($w: flow_run_bool_exp) { flow_run(where: $w) { id } }";
        for (query, variables) in [
            (logs, json!({"t": "yesterday"})),
            (logs, json!({"t": 1})),
            (logs, json!({"t": {}})),
            (tasks, json!({"x": "one"})),
            (tasks, json!({"x": [[]]})),
            (whole, json!({"w": {"id": {"_eq": {"a": 1}}}})),
            (whole, json!({"w": {"_or": [{"_and": {"name": 1}}]}})),
            (whole, json!({"w": "x"})),
        ] {
            assert_eq!(user.refusal(query, variables.clone()).await.0, "BAD_USER_INPUT", "{query} {variables}");
        }
        for query in [
            r#"{ flow_run { logs(where: { timestamp: { _lte: "yesterday" } }) { message } } }"#,
            r#"{ flow_run { task_runs(where: { map_index: { _eq: "one" } }) { id } } }"#,
            r#"{ flow_run { states(where: { state: { _like: "x" } }) { timestamp } } }"#,
            "{ flow_run { task_runs(where: 1) { id } } }",
        ] {
            let code = user.refusal(query, Value::Null).await.0;
            assert!(code == "BAD_USER_INPUT" || code == "GRAPHQL_VALIDATION_FAILED", "{query}: {code}");
        }
        assert!(user.ask(logs, json!({"t": null})).await["flow_run"][0]["id"].is_string());
    });
}

#[test]
fn a_flow_that_cannot_be_read_is_refused() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (project, _) = add_flow(&user).await;
        let bomb = compressed(&vec![b' '; 64 << 20]);
        for bad in [bomb.as_str(), "no base64!", "aGVsbG8=", &compressed(b"[]"), &compressed(b"\xff")] {
            let input = json!({"input": {"project_id": project, "serialized_flow": bad}});
            assert_eq!(user.refusal(REGISTER, input).await.0, "BAD_USER_INPUT");
        }
        let elsewhere = json!({"input": {"project_id": null, "serialized_flow": compressed(b"{}")}});
        assert_eq!(user.refusal(REGISTER, elsewhere).await.0, "NOT_FOUND");
    });
}

#[test]
fn long_bodies_and_queries_are_accepted_with_a_key_only_while_the_backend_is_on() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let long = json!({"unused": "x".repeat(200_000)});
        let status = async |stage: &Stage, token: &str, variables: &Value| {
            send(stage, "/graphql", token, "{ hello }", variables, None).await.status
        };
        assert_eq!(status(&stage, &token, &long).await, StatusCode::PAYLOAD_TOO_LARGE);
        let query = format!("{{ hello }} # {}", "x".repeat(20_000));
        assert_eq!(send(&stage, "/", &token, &query, &Value::Null, None).await.status, StatusCode::BAD_REQUEST);

        let stage = stage.with_flow_runs().await;
        assert_eq!(status(&stage, &token, &long).await, StatusCode::OK);
        assert_eq!(status(&stage, "", &long).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(status(&stage, "lku_wrong", &long).await, StatusCode::PAYLOAD_TOO_LARGE);
        let longer = json!({"unused": "x".repeat(6 << 20)});
        assert_eq!(status(&stage, &token, &longer).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(send(&stage, "/", &token, &query, &Value::Null, None).await.status, StatusCode::OK);
        let query = format!("{{ hello }} # {}", "x".repeat(40_000));
        assert_eq!(send(&stage, "/", &token, &query, &Value::Null, None).await.status, StatusCode::BAD_REQUEST);
        let cookie = stage.sign_in().await;
        let body = json!({"query": "{ hello }", "variables": long}).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", cookie);
        let answer = stage.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "by a session");
    });
}

#[test]
fn nothing_is_there_while_the_backend_is_off() {
    on_both(async |stage: Stage| {
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (_, token) = stage.key_of_account("bot").await;
        let agent = start_agent(&stage, &token, "agent").await;
        let polled = agent.ask(POLL, json!({"input": {"before": "x", "labels": null}})).await;
        assert_eq!(polled["get_runs_in_queue"]["flow_run_ids"], json!([]));
        let (code, message) = user.refusal(CREATE_PROJECT, json!({"input": {"name": "P"}})).await;
        assert_eq!(code, "CONFLICT");
        assert!(message.contains("--flow-runs"), "{message}");
        assert_eq!(user.refusal("query { flow_run { id } }", Value::Null).await.0, "CONFLICT");
        assert_eq!(user.refusal("query { flow_runs { items { id } } }", Value::Null).await.0, "CONFLICT");
    });
}

#[test]
fn a_revoked_key_reports_nothing_more() {
    on_both(async |stage: Stage| {
        let stage = stage.with_flow_runs().await;
        let user = Client { stage: &stage, token: stage.key_of_ada().await, agent: None };
        let (_, flow) = add_flow(&user).await;
        let run = add_run(&user, &flow).await;
        let (_, token) = stage.key_of_account("bot").await;
        let agent = start_agent(&stage, &token, "one").await;
        agent.ask(SET_RUN, state_of(&run, "flow_run_id", "Submitted")).await;
        let listed = user.ask("{ auth_api_key { id name } }", Value::Null).await["auth_api_key"].clone();
        let key = listed.as_array().unwrap().iter().find(|key| key["name"] == "main").unwrap()["id"].clone();
        let revoke = "mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }";
        assert_eq!(user.ask(revoke, json!({"input": {"key_id": key}})).await["delete_api_key"]["success"], true);
        let process = Client { stage: &stage, token, agent: None };
        let poll = json!({"input": {"labels": ["vm"]}});
        assert_eq!(agent.refusal(POLL, poll).await.0, "UNAUTHENTICATED");
        assert_eq!(process.refusal(SET_RUN, state_of(&run, "flow_run_id", "Running")).await.0, "UNAUTHENTICATED");
        let line = json!({"input": {"logs": [{"flow_run_id": run, "message": "x"}]}});
        assert_eq!(process.refusal(LOGS, line).await.0, "UNAUTHENTICATED");
    });
}
