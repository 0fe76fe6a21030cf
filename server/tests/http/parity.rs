//! Every operation has its rights, its GraphQL field and its way from the dashboard, and the committed schema is the one
//! that is served.

use domain::Operation;
use service::testing::rights::TABLE;

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let served = server::graphql::schema::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == served,
        "the schema has changed: run UPDATE_SCHEMA=1 cargo test -p server --test http and review the diff"
    );
}

#[test]
fn every_operation_is_in_the_rights_table_once() {
    for operation in Operation::ALL {
        let places = TABLE.iter().flat_map(|(operations, _)| operations.iter()).filter(|one| *one == operation);
        assert_eq!(places.count(), 1, "{operation:?}");
    }
}

#[test]
fn every_operation_has_a_graphql_field() {
    let schema = server::graphql::schema::sdl();
    for operation in Operation::ALL {
        let word = operation.as_str();
        let found = schema.lines().any(|line| {
            line.trim_start().starts_with(&format!("{word}(")) || line.trim_start().starts_with(&format!("{word}:"))
        });
        assert!(found, "no field {word}");
    }
}

/// The operations that the dashboard doesn't offer, with the reason.
const NOT_OF_THE_DASHBOARD: [(Operation, &str); 8] = [
    (Operation::RegisterAgent, "by agents, with a key"),
    (Operation::PollQueue, "by agents, with a key"),
    (Operation::ReportFlowRun, "by agents and flows, with a key"),
    (Operation::CreateFlowProject, "by the clients' command line"),
    (Operation::RegisterFlow, "by the clients' command line"),
    (Operation::CreateFlowRun, "by the clients' command line"),
    (Operation::CancelFlowRun, "by the clients' command line"),
    (Operation::ReadFlows, "by the clients' command line and agents"),
];

#[test]
fn the_server_functions_and_the_plain_forms_together_are_the_operations_of_the_dashboard() {
    let functions: Vec<&str> = server::act::functions().collect();
    for operation in Operation::ALL {
        let is_function = functions.contains(&operation.as_str());
        let is_plain = server::router::PLAIN_FORMS.contains(operation);
        let is_elsewhere = NOT_OF_THE_DASHBOARD.iter().any(|(other, _)| other == operation);
        let ways = [is_function, is_plain, is_elsewhere].into_iter().filter(|way| *way).count();
        assert_eq!(ways, 1, "{operation:?}");
    }
    assert!(functions.iter().all(|name| Operation::from_code(name).is_some()), "{functions:?}");
}
