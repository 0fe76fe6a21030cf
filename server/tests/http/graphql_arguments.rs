//! Every argument of the schema with odd values: each gets an answer in the shape of the schema, and none a fault.

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, InputValueDefinition, ObjectType, Type, TypeDefinition, TypeKind, TypeSystemDefinition},
};
use serde_json::{Map, Value, json};

use crate::support::{Stage, on_both};

/// The types of the schema.
struct Schema(Vec<TypeDefinition>);

impl Schema {
    fn served() -> Self {
        let document = parse_schema(server::graphql::schema::sdl()).unwrap();
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        });
        Self(types.collect())
    }

    fn kind(&self, name: &str) -> Option<&TypeKind> {
        self.0.iter().find(|definition| definition.name.node == name).map(|definition| &definition.kind)
    }

    fn object(&self, name: &str) -> &ObjectType {
        let Some(TypeKind::Object(object)) = self.kind(name) else { panic!("no object {name}") };
        object
    }

    /// Returns a value of a type that is right in form.
    fn plausible(&self, ty: &Type) -> Value {
        let BaseType::Named(name) = &ty.base else { return json!([]) };
        match (name.as_str(), self.kind(name)) {
            ("Int", _) => json!(1),
            ("Boolean", _) => json!(true),
            ("DateTime", _) => json!("2027-06-01T00:00:00Z"),
            (_, Some(TypeKind::Enum(values))) => json!(values.values[0].node.value.node.as_str()),
            (_, Some(TypeKind::InputObject(object))) => {
                let required = object.fields.iter().filter(|field| is_required(&field.node));
                let fields =
                    required.map(|field| (field.node.name.node.to_string(), self.plausible(&field.node.ty.node)));
                Value::Object(fields.collect())
            }
            _ => json!("0192a3b4-c5d6-7e8f-9a0b-1c2d3e4f5a6b"),
        }
    }

    /// Returns odd values for an input: each alone, and in each field of an input object.
    fn odd(&self, ty: &Type) -> Vec<Value> {
        let mut values = vec![
            json!(null),
            json!(""),
            json!(" \t"),
            json!("\u{0}"),
            json!("a\u{0}b"),
            json!("\u{202e}\u{3164}\u{1f980}"),
            json!("x".repeat(20_000)),
            json!("%_\\'\"; --"),
            json!(0),
            json!(-1),
            json!(i64::from(i32::MAX) + 1),
            json!(u64::MAX),
            json!(1e300),
            json!(true),
            json!([]),
            json!([null]),
            json!([[["x"]]]),
            json!({}),
            json!({"x": {"y": []}}),
            json!("2027-02-01T00:00:60Z"),
            json!("9999-12-31T23:59:59Z"),
            json!("-0001-01-01T00:00:00Z"),
        ];
        if let BaseType::Named(name) = &ty.base
            && let Some(TypeKind::InputObject(object)) = self.kind(name)
        {
            let plausible = self.plausible(ty);
            for field in &object.fields {
                for value in self.odd(&field.node.ty.node) {
                    let mut fields = plausible.as_object().cloned().unwrap_or_default();
                    fields.insert(field.node.name.node.to_string(), value);
                    values.push(Value::Object(fields));
                }
                // Filters contain themselves.
                if name.ends_with("_bool_exp") {
                    break;
                }
            }
        }
        values
    }
}

fn is_required(input: &InputValueDefinition) -> bool {
    !input.ty.node.nullable && input.default_value.is_none()
}

#[test]
fn fields_that_can_fail_are_nullable_and_only_the_top_level_has_arguments() {
    let schema = Schema::served();
    for root in ["Query", "Mutation"] {
        for field in &schema.object(root).fields {
            assert!(field.node.ty.node.nullable, "{root}.{}", field.node.name.node);
        }
    }
    for field in ["second_factor", "calendar_feeds"] {
        let viewer = schema.object("viewer").fields.iter().find(|known| known.node.name.node == field).unwrap();
        assert!(viewer.node.ty.node.nullable, "{field}");
    }
    for definition in &schema.0 {
        let (name, TypeKind::Object(object)) = (definition.name.node.as_str(), &definition.kind) else { continue };
        let with_arguments = || object.fields.iter().filter(|field| !field.node.arguments.is_empty());
        // The clients of flow runs filter what is below a run or a project. Those fields only read, and may be null.
        if ["flow_run", "project"].contains(&name) {
            assert!(with_arguments().all(|field| field.node.ty.node.nullable), "{name}");
            continue;
        }
        assert!(with_arguments().next().is_none() || ["Query", "Mutation"].contains(&name), "{name}");
    }
}

#[test]
fn ids_times_and_closed_sets_have_types_of_their_own() {
    let schema = Schema::served();
    // In the operations of Prefect's clients, inputs keep the types that those declare their variables with.
    let documented = [
        "create_api_key_input",
        "delete_api_key_input",
        "create_api_token_input",
        "delete_api_token_input",
        "register_agent_input",
        "get_runs_in_queue_input",
        "switch_tenant_input",
        "refresh_token_input",
        "create_project_input",
        "create_flow_from_compressed_string_input",
        "create_flow_run_input",
        "cancel_flow_run_input",
        "set_flow_run_name_input",
        "set_task_run_name_input",
        "set_flow_run_state_input",
        "set_task_run_state_input",
        "get_or_create_task_run_info_input",
        "update_flow_run_heartbeat_input",
        "update_task_run_heartbeat_input",
        "run_log_input",
    ];
    // Their times have microseconds, and the clients define the types of states.
    let of_flows = [
        "project",
        "flow",
        "flow_run",
        "flow_run_state",
        "listed_flow_run",
        "task",
        "task_run",
        "log",
        "cancel_flow_run_payload",
    ];
    let base = |ty: &Type| ty.to_string().replace(['[', ']', '!'], "");
    let check = |owner: &str, name: &str, ty: &Type| {
        let (ty, is_id) = (base(ty), name == "id" || name.ends_with("_id") || name.ends_with("_ids"));
        assert!(!is_id || ["ID", "uuid", "uuid_comparison_exp"].contains(&ty.as_str()), "{owner}.{name}: {ty}");
        let is_time = ["at", "from", "until", "since", "created", "deadline"].contains(&name) || name.ends_with("_at");
        assert!(!is_time || ty == "DateTime", "{owner}.{name}: {ty}");
        let is_code =
            ["state", "kind", "sort", "direction", "role", "policy", "operation", "result", "show", "channel"];
        assert!(!is_code.contains(&name) || !["String", "Int"].contains(&ty.as_str()), "{owner}.{name}: {ty}");
    };
    for definition in &schema.0 {
        let owner = definition.name.node.as_str();
        match &definition.kind {
            TypeKind::Object(object) if !of_flows.contains(&owner) => {
                for field in &object.fields {
                    check(owner, &field.node.name.node, &field.node.ty.node);
                    for argument in &field.node.arguments {
                        check(&field.node.name.node, &argument.node.name.node, &argument.node.ty.node);
                    }
                }
            }
            TypeKind::InputObject(object) if !documented.contains(&owner) => {
                for field in object.fields.iter().filter(|_| !owner.ends_with("_order_by")) {
                    check(owner, &field.node.name.node, &field.node.ty.node);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn no_argument_causes_a_fault() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let schema = Schema::served();
        for root in ["Query", "Mutation"] {
            for field in &schema.object(root).fields {
                let field = &field.node;
                for argument in &field.arguments {
                    for value in schema.odd(&argument.node.ty.node) {
                        ask(
                            &stage,
                            &admin,
                            &schema,
                            (root, &field.name.node),
                            (&field.arguments, &argument.node),
                            value,
                        )
                        .await;
                    }
                }
            }
        }
    });
}

/// Calls a field with an odd value for one argument, and plausible values for the other required ones.
async fn ask(
    stage: &Stage,
    token: &str,
    schema: &Schema,
    (root, field): (&str, &str),
    (all, odd): (&[async_graphql::Positioned<InputValueDefinition>], &InputValueDefinition),
    value: Value,
) {
    let (mut declared, mut passed, mut variables) = (Vec::new(), Vec::new(), Map::new());
    for argument in all.iter().map(|argument| &argument.node) {
        let is_odd = argument.name == odd.name;
        if is_odd || is_required(argument) {
            let name = &argument.name.node;
            declared.push(format!("${name}: {}", argument.ty.node));
            passed.push(format!("{name}: ${name}"));
            let value = if is_odd { value.clone() } else { schema.plausible(&argument.ty.node) };
            variables.insert(name.to_string(), value);
        }
    }
    let definition = schema.object(root).fields.iter().find(|known| known.node.name.node == field).unwrap();
    let result = definition.node.ty.node.to_string().replace(['[', ']', '!'], "");
    let selection = if matches!(schema.kind(&result), Some(TypeKind::Object(_))) { "{ __typename }" } else { "" };
    let operation = root.to_lowercase();
    let query =
        format!("{operation}({}) {{ {field}({}) {selection} hi: __typename }}", declared.join(", "), passed.join(", "));
    let answer = stage.graphql(token, &query, Value::Object(variables)).await;
    let shown: String = format!("{field}({}: {value})", odd.name.node).chars().take(200).collect();
    assert_eq!(answer.status, 200, "{shown}: {}", answer.text);
    let answer = answer.json();
    for error in answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let code = error["extensions"]["code"].as_str().unwrap();
        assert!(!["INTERNAL", "UNAVAILABLE", "GRAPHQL_VALIDATION_FAILED"].contains(&code), "{shown}: {answer}");
    }
    if let Some(data) = answer.get("data") {
        assert_eq!((data.get(field).is_some(), &data["hi"]), (true, &json!(root)), "{shown}: {answer}");
    } else {
        assert!(answer["errors"].is_array(), "{shown}: {answer}");
    }
}
