//! Checks the variables and arguments of an operation before anything executes. async-graphql reads an argument when its
//! field executes, so an invalid one would be found only after earlier mutations had run.

use std::collections::HashSet;

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value, Variables,
    parser::types::{
        BaseType, Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
        Selection, SelectionSet, Type, VariableDefinition,
    },
};
use async_graphql_value::Value as InputValue;
use domain::{ApiError, ErrorCode, FieldError, secret::without_tokens};

use super::{
    error::{INVALID, server_error},
    inputs::{Findings, Input, Inputs, Problem, Use, base},
};

/// Checks the operation that will execute. Adapts the types of variables to the positions that they are used in, and
/// leaves everything else to the validation.
///
/// # Errors
/// An error for each variable and each argument with an invalid value.
pub(super) fn check(
    inputs: &Inputs,
    document: &mut ExecutableDocument,
    operation_name: Option<&str>,
    variables: &Variables,
) -> Result<(), Vec<ServerError>> {
    adapt_variables(inputs, document);
    let Some(operation) = selected(&document.operations, operation_name) else { return Ok(()) };
    let (mut errors, uses) = check_arguments(inputs, document, operation);
    let in_directives = variables_in_directives(document, operation);
    for definition in &operation.node.variable_definitions {
        let name = &definition.node.name.node;
        let uses: Vec<&Use> = uses.iter().filter(|found| found.variable == *name).collect();
        // Validation reports variables that aren't used.
        if !uses.is_empty() || in_directives.contains(name) {
            errors.extend(check_variable(inputs, definition, variables, &uses));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Returns the operation that will execute; `None` if the request doesn't say which one.
pub(super) fn selected<'d>(
    operations: &'d DocumentOperations,
    name: Option<&str>,
) -> Option<&'d Positioned<OperationDefinition>> {
    match (operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) => {
            operations.values().next().filter(|_| operations.len() == 1)
        }
    }
}

/// Changes the declared type of a variable to that of its positions if values of both are strings. Scripts declare ids,
/// times and codes as `String`, which were the types of this schema at first and still are in the operations of Prefect's
/// clients.
fn adapt_variables(inputs: &Inputs, document: &mut ExecutableDocument) {
    let uses: Vec<Vec<Use>> =
        document.operations.iter().map(|(_, operation)| check_arguments(inputs, document, operation).1).collect();
    let operations: Vec<&mut Positioned<OperationDefinition>> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for (operation, uses) in operations.into_iter().zip(uses) {
        for definition in &mut operation.node.variable_definitions {
            let name = definition.node.name.node.clone();
            let mut positions = uses.iter().filter(|found| found.variable == name).map(|found| base(&found.position));
            let Some(position) = positions.next() else { continue };
            let declared = base_mut(&mut definition.node.var_type.node);
            if inputs.is_text(position) && inputs.is_text(declared) && positions.all(|other| other == position) {
                *declared = position.clone();
            }
        }
    }
}

fn base_mut(ty: &mut Type) -> &mut Name {
    match &mut ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base_mut(inner),
    }
}

/// Checks the arguments that the query itself contains, at any depth. Returns their errors and the variables used in
/// arguments.
fn check_arguments(
    inputs: &Inputs,
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
) -> (Vec<ServerError>, Vec<Use>) {
    let (mut errors, mut uses) = (Vec::new(), Vec::new());
    for (field, expected) in fields_with_arguments(inputs, document, operation) {
        for (name, value) in &field.node.arguments {
            let Some(input) = expected.iter().find(|input| input.name() == name.node.as_str()) else { continue };
            let mut found = Findings::default();
            inputs.visit_input(input, &value.node, &name.node, &mut found);
            errors.extend(found.problems.into_iter().map(|problem| of_argument(problem, value.pos)));
            uses.extend(found.uses);
        }
    }
    (errors, uses)
}

/// Returns the fields of an operation, and the arguments that each may have; those of a fragment once. There are no types
/// that a fragment could choose between.
fn fields_with_arguments<'d>(
    inputs: &'d Inputs,
    document: &'d ExecutableDocument,
    operation: &'d Positioned<OperationDefinition>,
) -> Vec<(&'d Positioned<Field>, &'d [Input])> {
    let root = if operation.node.ty == OperationType::Mutation { "Mutation" } else { "Query" };
    let (mut fields, mut known) = (Vec::new(), HashSet::new());
    let mut open = vec![(root, &operation.node.selection_set.node)];
    while let Some((ty, selections)) = open.pop() {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    // Validation reports unknown fields.
                    let Some(output) = inputs.find_field(ty, &field.node.name.node) else { continue };
                    fields.push((field, output.arguments()));
                    open.push((output.ty(), &field.node.selection_set.node));
                }
                Selection::InlineFragment(fragment) => open.push((ty, &fragment.node.selection_set.node)),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = document.fragments.get(name).filter(|_| known.insert(name));
                    open.extend(fragment.map(|fragment| (ty, &fragment.node.selection_set.node)));
                }
            }
        }
    }
    fields
}

/// Returns the top-level fields of an operation, those of a fragment once. The guard has rejected cycles.
pub(super) fn top_fields<'d>(
    document: &'d ExecutableDocument,
    selections: &'d SelectionSet,
) -> impl Iterator<Item = &'d Positioned<Field>> {
    let (mut fields, mut known, mut open) = (Vec::new(), HashSet::new(), vec![selections]);
    while let Some(selections) = open.pop() {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(fragment) => open.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = document.fragments.get(name).filter(|_| known.insert(name));
                    open.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    fields.into_iter()
}

/// Returns the variables that `@skip` and `@include` use anywhere in an operation.
fn variables_in_directives<'d>(
    document: &'d ExecutableDocument,
    operation: &'d Positioned<OperationDefinition>,
) -> HashSet<&'d Name> {
    let (mut variables, mut known) = (HashSet::new(), HashSet::new());
    let mut open = vec![&operation.node.selection_set.node];
    while let Some(selections) = open.pop() {
        for selection in &selections.items {
            let directives: &[Positioned<Directive>] = match &selection.node {
                Selection::Field(field) => {
                    open.push(&field.node.selection_set.node);
                    &field.node.directives
                }
                Selection::InlineFragment(fragment) => {
                    open.push(&fragment.node.selection_set.node);
                    &fragment.node.directives
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = document.fragments.get(name).filter(|_| known.insert(name));
                    open.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    &spread.node.directives
                }
            };
            let values = directives.iter().flat_map(|directive| &directive.node.arguments);
            variables.extend(values.filter_map(|(_, value)| match &value.node {
                InputValue::Variable(name) => Some(name),
                _ => None,
            }));
        }
    }
    variables
}

/// Coerces a variable (GraphQL specification §6.1.2), and checks that it isn't null where it is used.
fn check_variable(
    inputs: &Inputs,
    definition: &Positioned<VariableDefinition>,
    variables: &Variables,
    uses: &[&Use],
) -> Vec<ServerError> {
    let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
    let default = definition.node.default_value.as_ref().map(|value| &value.node);
    let path = format!("${}", without_tokens(name));
    if let Some(wrong) = uses.iter().find(|found| !is_of_type(ty, &found.position)) {
        let message = format!("Variable {path} has the type {ty}, but its position the type {}.", wrong.position);
        return vec![server_error(INVALID, without_tokens(&message), Some(definition.pos))];
    }
    let mut found = Findings::default();
    match variables.get(name).or(default) {
        Some(Value::Null) => {
            let null_error = uses.iter().find_map(|found| found.null_error);
            if let Some(reason) = null_error.or((!ty.nullable).then_some("A value is required.")) {
                found.add(&path, reason);
            }
        }
        Some(value) => inputs.visit(ty, &value.clone().into_value(), &path, &mut found),
        None if ty.nullable => {}
        None => found.add(&path, "A value is required."),
    }
    found.problems.into_iter().map(|problem| of_variable(&problem, definition.pos)).collect()
}

/// Whether a variable's values are those of its position, apart from null.
fn is_of_type(variable: &Type, position: &Type) -> bool {
    match (&variable.base, &position.base) {
        (BaseType::Named(name), BaseType::Named(expected)) => name == expected,
        (BaseType::List(inner), BaseType::List(expected)) => is_of_type(inner, expected),
        _ => false,
    }
}

fn of_variable(problem: &Problem, pos: Pos) -> ServerError {
    bad_input(problem, format!("Variable {}: {}", problem.path, problem.reason), pos)
}

/// A value of the wrong kind in the query itself is a query that doesn't match the schema.
fn of_argument(problem: Problem, pos: Pos) -> ServerError {
    let message = format!("Argument {}: {}", problem.path, problem.reason);
    if problem.is_of_wrong_kind {
        return server_error(INVALID, message, Some(pos));
    }
    bad_input(&problem, message, pos)
}

/// The error names the last part of the path as its field, like the errors of use cases.
fn bad_input(problem: &Problem, message: String, pos: Pos) -> ServerError {
    let field = problem.path.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
    let field = FieldError { field: field.trim_start_matches('$').to_owned(), message: problem.reason.clone() };
    let error = ApiError { fields: vec![field], ..ApiError::new(ErrorCode::BadUserInput, message) };
    super::error::refuse(error).into_server_error(pos)
}
