//! The built-in backend for flow runs: rights, the life of a run, its limits, and who may report on it.

use chrono::TimeDelta;
use domain::{
    AgentId, AgentScope, ErrorCode, FlowId, FlowRunId, FlowTaskId, IssuedKey, ListFlowRuns, Owner, PageRequest, Role,
};
use serde_json::{Value, json};

use crate::{
    Actor, Client, CreateFlowProject, CreateFlowRun, FlowColumn, FlowFilter, FlowTest, FlowValue, LogLine,
    RegisterAgent, RegisterFlow, Services, Settings, TaskOfRun, flows::backend::KEPT_FOR, storage, tests::stage::*,
};

/// A tenant with the backend on, a flow of two tasks, and an agent of a service account.
struct Backend {
    stage: Stage,
    ada: Actor,
    bot: Owner,
    key: IssuedKey,
    agent: Actor,
    flow: FlowId,
}

impl Backend {
    async fn on(stage: Stage) -> Self {
        let settings = Settings { flow_runs: true, ..stage.settings() };
        let services = Services::open(&settings, stage.clock.clone()).await.unwrap();
        let stage = Stage { services, ..stage };
        let ada = stage.session(stage.admin).await;
        let bot = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let key = stage.add_key(&ada, bot, "main").await;
        let agent = register(&stage, &key, "one", &["vm"]).await;
        let project = CreateFlowProject { name: "Nightly".to_owned(), ..CreateFlowProject::default() };
        let project_id = stage.services.flows().create_project(&ada, &project).await.unwrap().unwrap();
        let flow = flow_of("etl", &["extract-1", "load-1"]);
        let flow = RegisterFlow { project_id, content: flow.to_string(), idempotency_key: Some("a".to_owned()) };
        let flow = stage.services.flows().register(&ada, &flow).await.unwrap();
        Self { stage, ada, bot, key, agent, flow }
    }

    fn flows(&self) -> crate::Flows<'_> {
        self.stage.services.flows()
    }

    /// Creates a run, a second after the one before it.
    async fn run(&self, input: CreateFlowRun) -> FlowRunId {
        self.stage.advance(TimeDelta::seconds(1));
        let input = CreateFlowRun { flow_id: Some(self.flow), ..input };
        self.flows().create_run(&self.ada, &input).await.unwrap()
    }

    async fn offered(&self, actor: &Actor, labels: &[&str]) -> Vec<FlowRunId> {
        let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
        self.flows().queue(actor, &labels, self.stage.services.now()).await.unwrap()
    }

    async fn report(&self, actor: &Actor, run: FlowRunId, state: &str) -> crate::Result<()> {
        self.flows().report_run_states(actor, &[(run, json!({ "type": state, "message": "m" }))]).await
    }

    async fn state(&self, run: FlowRunId) -> String {
        let runs = self.flows().runs(&self.ada, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap();
        runs[0].state.kind.as_str().to_owned()
    }

    /// The key's actor without an agent, as a flow's process is.
    async fn process(&self) -> Actor {
        self.stage.by_key(&self.key).await
    }
}

async fn register(stage: &Stage, key: &IssuedKey, name: &str, labels: &[&str]) -> Actor {
    let input = RegisterAgent {
        kind: "LocalAgent".to_owned(),
        name: Some(name.to_owned()),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        tenant_id: None,
        version: None,
    };
    let id = stage.services.agents().register(&stage.by_key(key).await, &input).await.unwrap();
    of_agent(stage, key, id).await
}

async fn of_agent(stage: &Stage, key: &IssuedKey, id: AgentId) -> Actor {
    let client = Client { agent_id: Some(id), ..browser() };
    stage.services.actors().from_bearer(key.token.expose(), client).await.unwrap()
}

fn flow_of(name: &str, slugs: &[&str]) -> Value {
    let task = |slug: &&str| json!({ "slug": slug, "name": "task", "type": "FunctionTask", "max_retries": 1 });
    json!({
        "name": name,
        "tasks": slugs.iter().map(task).collect::<Vec<_>>(),
        "edges": [{ "mapped": true, "downstream_task": { "slug": slugs.last() } }],
        "storage": { "type": "Local" },
        "run_config": { "type": "UniversalRun", "labels": ["vm"] },
        "__version__": "1.4.1",
    })
}

fn is(column: FlowColumn, id: uuid::Uuid) -> FlowFilter {
    FlowFilter::Is(column, FlowTest::Equal(FlowValue::Id(Some(id))))
}

fn line(message: &str) -> LogLine {
    LogLine {
        task_run_id: None,
        at: "2027-01-01T00:00:00Z".parse().unwrap(),
        name: "prefect.flow".to_owned(),
        level: "INFO".to_owned(),
        message: message.to_owned(),
    }
}

#[test]
fn an_agent_takes_a_run_and_reports_on_it_until_it_has_ended() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun { parameters: Some(json!({ "x": 1 })), ..CreateFlowRun::default() }).await;
        assert_eq!(b.offered(&b.agent, &["vm", "gpu"]).await, [run]);
        b.report(&b.agent, run, "Submitted").await.unwrap();
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [], "it waits no longer");

        let process = b.process().await;
        b.report(&process, run, "Running").await.unwrap();
        b.flows().beat(&process, run).await.unwrap();
        let tasks = b.flows().task_runs(&process, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap();
        let mut slugs: Vec<_> = tasks.iter().map(|task| task.slug.as_str()).collect();
        slugs.sort_unstable();
        assert_eq!(slugs, ["extract-1", "load-1"]);
        assert!(tasks.iter().all(|task| task.version == 0 && task.state.kind.as_str() == "Pending"));
        let part = TaskOfRun { run, task: tasks[0].task_id, map_index: 3 };
        let created = b.flows().task_run(&process, part).await.unwrap();
        assert_eq!(b.flows().task_run(&process, part).await.unwrap().id, created.id);
        assert_eq!((created.map_index, created.flow_run_id), (3, run));
        let state = json!({ "type": "Success", "result": { "any": ["thing"] } });
        b.flows().report_task_states(&process, &[(created.id, state.clone())]).await.unwrap();
        let stored = b.flows().task_run(&process, part).await.unwrap();
        assert_eq!((stored.version, serde_json::from_str::<Value>(&stored.state.json).unwrap()), (1, state));
        b.flows().beat_task(&process, created.id).await.unwrap();
        b.flows().rename_task_run(&process, created.id, "third").await.unwrap();

        let token = b.key.token.expose();
        b.flows().write_logs(&process, vec![(run, line("first")), (run, line(&format!("key {token}")))]).await.unwrap();
        b.report(&process, run, "Success").await.unwrap();
        b.report(&process, run, "Success").await.unwrap();
        assert_eq!(code(b.report(&process, run, "Running").await), ErrorCode::Conflict);
        assert_eq!(
            code(b.flows().report_task_states(&process, &[(created.id, json!({ "type": "Failed" }))]).await),
            ErrorCode::Conflict
        );

        let lines = b.flows().log(&b.ada, run, &FlowFilter::default(), false).await.unwrap();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].message == "first" && !lines[1].message.contains(token), "{lines:?}");
        let states = b.flows().states(&b.ada, run, &FlowFilter::default(), false).await.unwrap();
        let types: Vec<_> =
            states.iter().map(|state| serde_json::from_str::<Value>(&state.json).unwrap()["type"].clone()).collect();
        assert_eq!(types, ["Scheduled", "Submitted", "Running", "Success"]);

        let listed = b
            .flows()
            .list(&b.ada, &ListFlowRuns { scope: AgentScope::Owner(b.bot), ..ListFlowRuns::default() })
            .await
            .unwrap();
        let found = &listed.items[0];
        assert_eq!((found.flow.as_str(), found.project.as_str(), found.state.as_str()), ("etl", "Nightly", "Success"));
        assert_eq!(
            (found.agent.as_deref(), found.key.as_ref().map(|key| key.name.as_str())),
            (Some("one"), Some("main"))
        );
        assert!(found.started_at.is_some() && found.ended_at.is_some());
    });
}

#[test]
fn a_run_is_offered_to_agents_with_its_labels_once_it_is_due() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let labels = |labels: &[&str]| Some(labels.iter().map(|label| (*label).to_owned()).collect());
        let gpu = b.run(CreateFlowRun { labels: labels(&["gpu", "vm"]), ..CreateFlowRun::default() }).await;
        let any = b.run(CreateFlowRun { labels: labels(&[]), ..CreateFlowRun::default() }).await;
        let due = b.stage.services.now() + TimeDelta::hours(1);
        let later = b.run(CreateFlowRun { scheduled_at: Some(due), ..CreateFlowRun::default() }).await;
        assert_eq!(b.offered(&b.agent, &[]).await, [any]);
        assert_eq!(b.offered(&b.agent, &["vm", "gpu"]).await, [gpu, any]);
        b.stage.advance(TimeDelta::hours(1));
        let agent = b.process().await;
        assert_eq!(b.offered(&agent, &["vm"]).await, [any, later], "the flow's own label");
        assert_eq!(code(b.report(&b.agent, gpu, "Submitted").await), ErrorCode::Conflict, "the agent lacks a label");
    });
}

#[test]
fn a_run_is_offered_again_when_a_task_is_due_and_its_process_has_ended() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let other_key = b.stage.add_key(&b.ada, b.bot, "second").await;
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        let process = b.process().await;
        b.report(&process, run, "Running").await.unwrap();
        let tasks = b.flows().task_runs(&process, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap();
        let due = b.stage.services.now() + TimeDelta::minutes(15);
        let report =
            async |actor: &Actor, state: Value| b.flows().report_task_states(actor, &[(tasks[0].id, state)]).await;
        report(&process, json!({ "type": "Retrying", "start_time": due.to_rfc3339() })).await.unwrap();
        b.stage.advance(TimeDelta::minutes(14));
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [], "it isn't due");
        b.flows().beat(&process, run).await.unwrap();
        b.stage.advance(TimeDelta::minutes(1));
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [], "its process waits itself");
        b.stage.advance(TimeDelta::minutes(2));
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [run]);
        assert_eq!(b.offered(&b.agent, &[]).await, [], "without its label");
        let other = register(&b.stage, &other_key, "two", &["vm"]).await;
        assert_eq!(b.offered(&other, &["vm"]).await, []);

        let submitted = || json!({ "type": "Submitted", "state": { "type": "Retrying" } });
        report(&b.agent, submitted()).await.unwrap();
        let same_key = register(&b.stage, &b.key, "three", &["vm"]).await;
        assert_eq!(code(report(&same_key, submitted()).await), ErrorCode::Conflict, "one agent starts it");
        b.stage.advance(TimeDelta::minutes(5));
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [], "nothing waits any more");
        report(&process, json!({ "type": "Retrying", "start_time": due.to_rfc3339() })).await.unwrap();
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [run], "once more");
        b.report(&process, run, "Failed").await.unwrap();
        b.stage.advance(TimeDelta::minutes(5));
        assert_eq!(b.offered(&b.agent, &["vm"]).await, [], "it has ended");
    });
}

#[test]
fn agents_that_start_a_run_again_at_once_start_it_once() {
    on_both(async |stage| {
        let b = std::sync::Arc::new(Backend::on(stage).await);
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        let process = b.process().await;
        b.report(&process, run, "Running").await.unwrap();
        let task = b.flows().task_runs(&process, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap()[0].id;
        b.flows().report_task_states(&process, &[(task, json!({ "type": "Retrying" }))]).await.unwrap();
        let outcomes = at_once(8, |n| {
            let b = std::sync::Arc::clone(&b);
            async move {
                let agent = register(&b.stage, &b.key, &format!("agent {n}"), &["vm"]).await;
                b.flows().report_task_states(&agent, &[(task, json!({ "type": "Submitted" }))]).await.is_ok()
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|taken| **taken).count(), 1);
    });
}

/// Inserts `count` rows into a table, each a copy of its first row. `columns`: those that differ, with their values, in
/// which `i` is a number of the row and `random` an id; and those that are copied.
async fn multiply(stage: &Stage, table: &str, count: i64, differing: &[(&str, &str)], copied: &[&str]) {
    let is_sqlite = stage.database_url.starts_with("sqlite:");
    let random = if is_sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let names: Vec<&str> = differing.iter().map(|(name, _)| *name).chain(copied.iter().copied()).collect();
    let values: Vec<String> = differing
        .iter()
        .map(|(_, value)| value.replace("random", random))
        .chain(copied.iter().map(|name| (*name).to_owned()))
        .collect();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO {table} ({}) SELECT {} FROM n, (SELECT * FROM {table} LIMIT 1) AS o",
        names.join(", "),
        values.join(", ")
    );
    crate::testing::execute(&stage.services, &sql).await;
}

#[test]
fn a_tenant_has_ten_thousand_runs() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        b.run(CreateFlowRun::default()).await;
        let copied = [
            "tenant_id",
            "flow_id",
            "name",
            "version",
            "state",
            "state_json",
            "start_at",
            "scheduled_at",
            "parameters",
            "context",
            "run_config",
            "labels",
            "created_at",
            "updated_at",
            "log_bytes",
            "log_lines",
        ];
        multiply(&b.stage, "flow_runs", 9_998, &[("id", "random")], &copied).await;
        b.run(CreateFlowRun::default()).await;
        let input = CreateFlowRun { flow_id: Some(b.flow), ..CreateFlowRun::default() };
        assert_eq!(code(b.flows().create_run(&b.ada, &input).await), ErrorCode::Conflict);
        assert_eq!(b.offered(&b.agent, &["vm"]).await.len(), crate::MAX_OFFERED_RUNS);
        b.stage.advance(TimeDelta::days(30));
        storage::flow_runs::sweep(b.stage.services.db(), b.stage.services.now() - KEPT_FOR).await.unwrap();
        b.run(CreateFlowRun::default()).await;
    });
}

#[test]
fn a_tenant_has_a_hundred_projects_and_five_hundred_versions() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let project = async |name: &str| {
            let project = CreateFlowProject { name: name.to_owned(), ..CreateFlowProject::default() };
            b.flows().create_project(&b.ada, &project).await
        };
        let id = b.flows().projects(&b.ada, &FlowFilter::default(), &[], None).await.unwrap()[0].id;
        let register = async |name: &str| {
            let flow = flow_of(name, &["a-1"]).to_string();
            b.flows().register(&b.ada, &RegisterFlow { project_id: id, content: flow, idempotency_key: None }).await
        };
        multiply(
            &b.stage,
            "flow_projects",
            98,
            &[("id", "random"), ("name", "'project ' || i")],
            &["tenant_id", "created_at"],
        )
        .await;
        project("the hundredth").await.unwrap().unwrap();
        assert_eq!(code(project("one more").await), ErrorCode::Conflict);

        let copied = ["tenant_id", "project_id", "group_id", "version", "details", "content", "created_at"];
        multiply(&b.stage, "flows", 498, &[("id", "random"), ("name", "'flow ' || i")], &copied).await;
        register("the five hundredth").await.unwrap();
        assert_eq!(code(register("one more").await), ErrorCode::Conflict);
        assert_eq!(code(register("etl").await), ErrorCode::Conflict, "a version counts, too");
    });
}

#[test]
fn a_run_has_five_thousand_runs_of_tasks() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        let process = b.process().await;
        let tasks = b.flows().task_runs(&process, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap();
        let copied = ["flow_run_id", "task_id", "version", "state", "state_json", "updated_at"];
        multiply(&b.stage, "task_runs", 4_997, &[("id", "random"), ("map_index", "i + 9")], &copied).await;
        let part = |map_index| TaskOfRun { run, task: tasks[0].task_id, map_index };
        b.flows().task_run(&process, part(0)).await.unwrap();
        assert_eq!(code(b.flows().task_run(&process, part(1)).await), ErrorCode::Conflict);
        assert!(b.flows().task_run(&process, part(0)).await.is_ok(), "it exists");
    });
}

#[test]
fn a_run_is_taken_once_and_reported_only_with_the_key_that_took_it() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        let second_key = b.stage.add_key(&b.ada, b.bot, "second").await;
        let second = register(&b.stage, &second_key, "two", &["vm"]).await;
        let same_key = register(&b.stage, &b.key, "three", &["vm"]).await;
        for agent in [&b.agent, &second, &same_key] {
            assert_eq!(b.offered(agent, &["vm"]).await, [run]);
        }
        b.report(&b.agent, run, "Submitted").await.unwrap();
        for late in [&second, &same_key, &b.agent] {
            assert_eq!(code(b.report(late, run, "Submitted").await), ErrorCode::Conflict);
        }
        for other in [&second, &same_key, &b.stage.by_key(&second_key).await] {
            assert_eq!(code(b.report(other, run, "Failed").await), ErrorCode::Conflict);
        }
        let other = b.stage.by_key(&second_key).await;
        assert_eq!(code(b.flows().write_logs(&other, vec![(run, line("x"))]).await), ErrorCode::NotFound);
        assert_eq!(code(b.flows().beat(&other, run).await), ErrorCode::NotFound);
        let task = b.flows().task_runs(&other, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap().remove(0);
        assert_eq!(
            code(b.flows().report_task_states(&other, &[(task.id, json!({ "type": "Success" }))]).await),
            ErrorCode::NotFound
        );
        let of = TaskOfRun { run, task: task.task_id, map_index: 0 };
        assert_eq!(code(b.flows().task_run(&other, of).await), ErrorCode::NotFound);
        let foreign = TaskOfRun { task: FlowTaskId::default(), ..of };
        assert_eq!(code(b.flows().task_run(&b.agent, foreign).await), ErrorCode::NotFound);
        assert_eq!(b.state(run).await, "Submitted");
        b.report(&b.agent, run, "Failed").await.unwrap();
    });
}

#[test]
fn agents_that_report_at_once_take_a_run_once() {
    on_both(async |stage| {
        let b = std::sync::Arc::new(Backend::on(stage).await);
        let run = b.run(CreateFlowRun::default()).await;
        let outcomes = at_once(8, |n| {
            let b = std::sync::Arc::clone(&b);
            async move {
                let agent = register(&b.stage, &b.key, &format!("agent {n}"), &["vm"]).await;
                b.report(&agent, run, "Submitted").await.is_ok()
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|taken| **taken).count(), 1);
    });
}

#[test]
fn a_registration_is_repeated_by_its_key_and_a_new_one_is_a_new_version() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let projects = b.flows().projects(&b.ada, &FlowFilter::default(), &[], None).await.unwrap();
        let register = async |content: Value, key: &str| {
            let input = RegisterFlow {
                project_id: projects[0].id,
                content: content.to_string(),
                idempotency_key: Some(key.to_owned()),
            };
            b.flows().register(&b.ada, &input).await
        };
        assert_eq!(register(flow_of("etl", &["other-1"]), "a").await.unwrap(), b.flow);
        let second = register(flow_of("etl", &["other-1"]), "b").await.unwrap();
        assert_ne!(second, b.flow);
        let current = FlowFilter::Is(FlowColumn::FlowArchived, FlowTest::IsNull(true));
        let flows = b.flows().flows(&b.ada, &current, &[], None, false).await.unwrap();
        assert_eq!(
            (flows.len(), flows[0].id, flows[0].version, flows[0].core_version.as_deref()),
            (1, second, 2, Some("1.4.1"))
        );
        let all = b.flows().flows(&b.ada, &FlowFilter::default(), &[], None, false).await.unwrap();
        assert!(all.len() == 2 && all.iter().all(|flow| flow.group_id == b.flow.0));
        let first = b.flows().flows(&b.ada, &FlowFilter::default(), &[], None, true).await.unwrap();
        assert_eq!(first.len(), 1, "one a name");
        let tasks = b.flows().tasks(&b.ada, &is(FlowColumn::FlowId, second.0), &[], None).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&tasks[0].details).unwrap()["mapped"], true);

        let token = b.key.token.expose();
        for (content, field) in [
            (json!({ "name": " ", "tasks": [] }), "name"),
            (json!({ "name": "f", "tasks": [{ "slug": "a" }, { "slug": "a" }] }), "tasks"),
            (json!({ "name": "f", "run_config": { "env": { "KEY": token } } }), "serialized_flow"),
            (json!([]), "serialized_flow"),
            (json!({ "name": "f", "storage": "x".repeat(70_000) }), "serialized_flow"),
            (json!({ "name": "f", "tasks": "x".repeat(crate::MAX_FLOW_BYTES) }), "serialized_flow"),
        ] {
            let Err(crate::Error::Api(refusal)) = register(content, "c").await else { panic!("not refused: {field}") };
            assert_eq!(refusal.fields[0].field, field);
        }
        let again = CreateFlowProject { name: "Nightly".to_owned(), ..CreateFlowProject::default() };
        assert_eq!(b.flows().create_project(&b.ada, &again).await.unwrap(), None);
    });
}

#[test]
fn runs_are_created_once_a_key_and_refused_with_wrong_input() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let keyed = || CreateFlowRun { idempotency_key: Some("k".to_owned()), ..CreateFlowRun::default() };
        assert_eq!(b.run(keyed()).await, b.run(keyed()).await);
        assert_ne!(b.run(CreateFlowRun::default()).await, b.run(CreateFlowRun::default()).await);
        let wrong = [
            (CreateFlowRun { parameters: Some(json!([])), ..CreateFlowRun::default() }, "parameters"),
            (
                CreateFlowRun { context: Some(json!({ "k": b.key.token.expose() })), ..CreateFlowRun::default() },
                "context",
            ),
            (
                CreateFlowRun { run_config: Some(json!({ "x": "y".repeat(70_000) })), ..CreateFlowRun::default() },
                "run_config",
            ),
            (CreateFlowRun { labels: Some(vec![" ".to_owned()]), ..CreateFlowRun::default() }, "labels"),
            (CreateFlowRun { name: Some("a\nb".to_owned()), ..CreateFlowRun::default() }, "flow_run_name"),
            (
                CreateFlowRun {
                    scheduled_at: Some(b.stage.services.now() + TimeDelta::days(30)),
                    ..CreateFlowRun::default()
                },
                "scheduled_start_time",
            ),
        ];
        for (input, field) in wrong {
            let input = CreateFlowRun { flow_id: Some(b.flow), ..input };
            let Err(crate::Error::Api(refusal)) = b.flows().create_run(&b.ada, &input).await else { panic!("{field}") };
            assert_eq!(refusal.fields[0].field, field);
        }
        let unknown = CreateFlowRun { flow_id: Some(FlowId::default()), ..CreateFlowRun::default() };
        assert_eq!(code(b.flows().create_run(&b.ada, &unknown).await), ErrorCode::NotFound);
        let current = CreateFlowRun { group_id: Some(b.flow.0), ..CreateFlowRun::default() };
        assert!(b.flows().create_run(&b.ada, &current).await.is_ok());
    });
}

#[test]
fn a_waiting_run_is_cancelled_at_once_and_a_running_one_is_told_to_stop() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let (waiting, running) = (b.run(CreateFlowRun::default()).await, b.run(CreateFlowRun::default()).await);
        b.report(&b.agent, running, "Submitted").await.unwrap();
        assert_eq!(b.flows().cancel_run(&b.ada, waiting).await.unwrap().as_str(), "Cancelled");
        assert_eq!(b.flows().cancel_run(&b.ada, running).await.unwrap().as_str(), "Cancelling");
        assert_eq!(code(b.report(&b.agent, waiting, "Submitted").await), ErrorCode::Conflict);
        let process = b.process().await;
        b.report(&process, running, "Cancelled").await.unwrap();
        assert_eq!(b.flows().cancel_run(&b.ada, running).await.unwrap().as_str(), "Cancelled", "nothing changes");
        b.flows().rename_run(&b.ada, running, "stopped").await.unwrap();
    });
}

#[test]
fn only_whoever_may_create_keys_lets_agents_run_something() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let ben = b.stage.session(b.stage.add_user("ben@example.org", "acme", Role::User).await).await;
        let cleo = b.stage.session(b.stage.add_user("cleo@example.org", "acme", Role::ReadOnlyUser).await).await;
        let input = CreateFlowRun { flow_id: Some(b.flow), ..CreateFlowRun::default() };
        let project = CreateFlowProject { name: "Mine".to_owned(), ..CreateFlowProject::default() };
        let run = b.flows().create_run(&ben, &input).await.unwrap();
        assert_eq!(code(b.flows().create_run(&cleo, &input).await), ErrorCode::Forbidden);
        assert_eq!(code(b.flows().create_project(&cleo, &project).await), ErrorCode::Forbidden);
        assert_eq!(code(b.flows().cancel_run(&cleo, run).await), ErrorCode::Forbidden);
        assert_eq!(
            code(b.flows().queue(&ben, &[], b.stage.services.now()).await),
            ErrorCode::Forbidden,
            "without a key"
        );
        let scope = ListFlowRuns { scope: AgentScope::Owner(b.bot), ..ListFlowRuns::default() };
        assert_eq!(code(b.flows().list(&ben, &scope).await), ErrorCode::Forbidden);
        let elsewhere = CreateFlowProject { tenant_id: Some(domain::TenantId(uuid::Uuid::from_u128(7))), ..project };
        assert_eq!(code(b.flows().create_project(&b.ada, &elsewhere).await), ErrorCode::Unauthenticated);
    });
}

#[test]
fn another_tenant_finds_nothing() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        let services = &b.stage.services;
        let other = services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = b.stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = services.actors().from_session(eve, other, services.now(), browser()).await.unwrap();
        let key = b.stage.add_key(&eve, own(&eve), "laptop").await;
        let theirs = register(&b.stage, &key, "one", &["vm"]).await;
        assert_eq!(b.offered(&theirs, &["vm"]).await, []);
        assert_eq!(code(b.report(&theirs, run, "Submitted").await), ErrorCode::NotFound);
        assert!(b.flows().runs(&eve, &is(FlowColumn::RunId, run.0), &[], None).await.unwrap().is_empty());
        assert!(b.flows().flows(&eve, &FlowFilter::default(), &[], None, false).await.unwrap().is_empty());
        assert!(b.flows().projects(&eve, &FlowFilter::default(), &[], None).await.unwrap().is_empty());
        assert!(b.flows().states(&eve, run, &FlowFilter::default(), false).await.unwrap().is_empty());
        assert!(b.flows().list(&eve, &ListFlowRuns::default()).await.unwrap().items.is_empty());
        assert_eq!(code(b.flows().cancel_run(&eve, run).await), ErrorCode::NotFound);
        let input = CreateFlowRun { flow_id: Some(b.flow), ..CreateFlowRun::default() };
        assert_eq!(code(b.flows().create_run(&eve, &input).await), ErrorCode::NotFound);
    });
}

#[test]
fn a_log_is_cut_and_says_so() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        let process = b.process().await;
        let long = "x".repeat(400_000);
        for _ in 0..4 {
            b.flows().write_logs(&process, vec![(run, line(&long))]).await.unwrap();
        }
        let lines = b.flows().log(&b.ada, run, &FlowFilter::default(), false).await.unwrap();
        let lengths: Vec<_> = lines.iter().map(|line| line.message.len()).collect();
        assert_eq!(lengths[..2], [400_000, 400_000]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].message.contains("dropped the rest"), "{}", lines[2].message);
    });
}

#[test]
fn states_of_agents_make_no_audit_entries_but_what_people_do_does() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        let count = async |operation, id: uuid::Uuid| {
            storage::audit::count(b.stage.services.db(), operation, id).await.unwrap()
        };
        assert_eq!(count("create_flow_run", run.0).await, 1);
        assert_eq!(count("create_flow_from_compressed_string", b.flow.0).await, 1);
        assert_eq!(count("set_flow_run_states", run.0).await, 0);
    });
}

#[test]
fn runs_are_deleted_after_thirty_days_and_archived_flows_with_them() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let run = b.run(CreateFlowRun::default()).await;
        b.report(&b.agent, run, "Submitted").await.unwrap();
        b.flows().write_logs(&b.agent, vec![(run, line("x"))]).await.unwrap();
        let projects = b.flows().projects(&b.ada, &FlowFilter::default(), &[], None).await.unwrap();
        let next = RegisterFlow {
            project_id: projects[0].id,
            content: flow_of("etl", &["a-1"]).to_string(),
            idempotency_key: None,
        };
        b.flows().register(&b.ada, &next).await.unwrap();
        let db = b.stage.services.db();
        let flows = async || b.flows().flows(&b.ada, &FlowFilter::default(), &[], None, false).await.unwrap().len();
        let sweep = async |before| {
            storage::flow_runs::sweep(db, before).await.unwrap();
            storage::flows::sweep(db, before).await.unwrap();
        };
        sweep(b.stage.services.now()).await;
        assert_eq!(flows().await, 2);
        assert_eq!(b.flows().list(&b.ada, &ListFlowRuns::default()).await.unwrap().items.len(), 1);
        sweep(b.stage.services.now() + TimeDelta::seconds(1)).await;
        assert_eq!(flows().await, 1, "the current version stays");
        assert!(b.flows().list(&b.ada, &ListFlowRuns::default()).await.unwrap().items.is_empty());
    });
}

#[test]
fn the_list_of_runs_has_pages() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(b.run(CreateFlowRun::default()).await);
        }
        all.reverse();
        let input = |after| ListFlowRuns {
            scope: AgentScope::Tenant,
            page: PageRequest { limit: 2, after, ..PageRequest::default() },
        };
        let first = b.flows().list(&b.ada, &input(None)).await.unwrap();
        let second = b.flows().list(&b.ada, &input(first.next.clone())).await.unwrap();
        let ids: Vec<_> = first.items.iter().chain(&second.items).map(|run| run.id).collect();
        assert_eq!(ids, all);
        assert!(second.next.is_none() && second.items[0].key.is_none());
    });
}

#[test]
fn a_backend_that_is_off_refuses_everything() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let flows = stage.services.flows();
        assert!(!flows.is_on());
        let project = CreateFlowProject { name: "Nightly".to_owned(), ..CreateFlowProject::default() };
        assert_eq!(code(flows.create_project(&ada, &project).await), ErrorCode::Conflict);
        assert_eq!(code(flows.runs(&ada, &FlowFilter::default(), &[], None).await), ErrorCode::Conflict);
        assert_eq!(code(flows.list(&ada, &ListFlowRuns::default()).await), ErrorCode::Conflict);
        assert_eq!(code(flows.report_run_states(&ada, &[]).await), ErrorCode::Conflict);
    });
}

#[test]
fn a_filter_with_too_many_values_is_refused() {
    on_both(async |stage| {
        let b = Backend::on(stage).await;
        let ids = vec![FlowValue::Id(Some(uuid::Uuid::nil())); 1_001];
        let many = FlowFilter::Is(FlowColumn::RunId, FlowTest::OneOf(ids));
        assert_eq!(code(b.flows().runs(&b.ada, &many, &[], None).await), ErrorCode::BadUserInput);
    });
}
