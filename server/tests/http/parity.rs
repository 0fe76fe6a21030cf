//! What the dashboard can, GraphQL can; and the committed schema is the one that is served.

use domain::Operation;

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
        "the schema has changed: UPDATE_SCHEMA=1 cargo test -p server --test http, and read the difference"
    );
}

#[test]
fn every_operation_has_a_graphql_field() {
    let schema = server::graphql::schema::sdl();
    for operation in Operation::ALL {
        let word = operation.as_str();
        let found = schema.lines().any(|line| {
            line.trim_start().starts_with(&format!("{word}(")) || line.trim_start().starts_with(&format!("{word}:"))
        });
        assert!(found, "{word} is no field");
    }
}

#[test]
fn every_form_of_the_browser_is_an_operation_that_graphql_has() {
    let schema = server::graphql::schema::sdl();
    let mutations = schema.split("type Mutation {").nth(1).unwrap().split("\n}").next().unwrap();
    for (path, operation) in server::router::form_operations() {
        let word = operation.as_str();
        let is_field = ["(", ":"].iter().any(|end| mutations.contains(&format!("\t{word}{end}")));
        assert!(is_field, "{path} does {word}, which is no mutation");
    }
}
