//! The types of arguments and variables in a schema, and whether a value is one of them.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{
        BaseType, InputValueDefinition, ServiceDocument, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
    },
};
use async_graphql_value::Value;
use domain::{api_key::expiry::ExpiryError, secret::without_tokens, time::parse_instant};

/// Inputs that may be left out, but not set to null: `(input type, field, message)`. A script that sends null for a
/// role that it failed to look up must not create an administrator.
const NEVER_NULL: [(&str, &str, &str); 1] =
    [("create_service_account_input", "role", "Choose a role, or leave out the field for TENANT_ADMIN.")];

/// Scalars that are sent as strings.
const TEXT_SCALARS: [&str; 5] = ["DateTime", "ID", "String", "timestamptz", "uuid"];

/// The inputs that a schema accepts.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    types: HashMap<String, Kind>,
    /// The fields of each type of objects in responses.
    objects: HashMap<String, HashMap<String, Output>>,
}

/// A field of an object in a response.
#[derive(Debug)]
pub(super) struct Output {
    arguments: Vec<Input>,
    /// The name of the type of its values, in all lists.
    ty: String,
}

impl Output {
    /// The arguments.
    pub(super) fn arguments(&self) -> &[Input] {
        &self.arguments
    }

    /// The name of the type of its values, in all lists.
    pub(super) fn ty(&self) -> &str {
        &self.ty
    }
}

/// The values of a type.
#[derive(Debug)]
enum Kind {
    Int,
    Boolean,
    Text,
    Id,
    Instant,
    /// Any JSON.
    Any,
    Enum(Vec<String>),
    Object(Vec<Input>),
}

/// An argument, or a field of an input object.
#[derive(Debug)]
pub(super) struct Input {
    name: String,
    ty: Type,
    has_default: bool,
    /// The error for an explicit null, if the type allows null and the operation doesn't.
    null_error: Option<&'static str>,
}

impl Input {
    fn of(definition: &Positioned<InputValueDefinition>, owner: &str) -> Self {
        let definition = &definition.node;
        let name = definition.name.node.to_string();
        let null_error = NEVER_NULL.into_iter().find(|(input, field, _)| (*input, *field) == (owner, &*name));
        Self {
            ty: definition.ty.node.clone(),
            has_default: definition.default_value.is_some(),
            null_error: null_error.map(|(_, _, message)| message),
            name,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn refuses_null(&self) -> Option<&'static str> {
        const REQUIRED: &str = "A value is required.";
        self.null_error.or((!self.ty.nullable).then_some(REQUIRED))
    }
}

/// A variable in the position of an argument, or of a part of one.
pub(super) struct Use {
    pub(super) variable: Name,
    pub(super) position: Type,
    /// The error for a variable that is null.
    pub(super) null_error: Option<&'static str>,
}

/// An invalid value. The text never quotes it, because clients put tokens in the wrong place.
pub(super) struct Problem {
    /// The names on the way to the value, like `input.days`.
    pub(super) path: String,
    pub(super) reason: String,
    /// Whether the value isn't even of the type's kind, which only a wrong query or client sends.
    pub(super) is_of_wrong_kind: bool,
}

/// What a walk through values finds.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) uses: Vec<Use>,
}

impl Findings {
    pub(super) fn add(&mut self, path: &str, reason: impl Into<String>) {
        self.problems.push(Problem { path: path.to_owned(), reason: reason.into(), is_of_wrong_kind: false });
    }

    fn add_wrong_kind(&mut self, path: &str, expected: impl std::fmt::Display) {
        let reason = format!("Expected a value of type {expected}.");
        self.problems.push(Problem { path: path.to_owned(), reason, is_of_wrong_kind: true });
    }
}

impl Inputs {
    /// Reads the definition of a schema.
    pub(super) fn of(schema: &ServiceDocument) -> Self {
        let mut this = Self::default();
        for name in ["Int", "Boolean", "String", "ID"] {
            this.add_scalar(name);
        }
        for definition in &schema.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                this.add(&definition.node);
            }
        }
        this
    }

    fn add(&mut self, definition: &TypeDefinition) {
        let name = definition.name.node.as_str();
        match &definition.kind {
            TypeKind::Scalar => self.add_scalar(name),
            TypeKind::Enum(definition) => {
                let values = definition.values.iter().map(|value| value.node.value.node.to_string()).collect();
                self.types.insert(name.to_owned(), Kind::Enum(values));
            }
            TypeKind::InputObject(definition) => {
                let fields = definition.fields.iter().map(|field| Input::of(field, name)).collect();
                self.types.insert(name.to_owned(), Kind::Object(fields));
            }
            TypeKind::Object(definition) => {
                let fields = definition.fields.iter().map(|field| {
                    let arguments = field.node.arguments.iter().map(|argument| Input::of(argument, name));
                    let output = Output { arguments: arguments.collect(), ty: base(&field.node.ty.node).to_string() };
                    (field.node.name.node.to_string(), output)
                });
                self.objects.insert(name.to_owned(), fields.collect());
            }
            TypeKind::Interface(_) | TypeKind::Union(_) => {}
        }
    }

    fn add_scalar(&mut self, name: &str) {
        let kind = match name {
            "Int" => Kind::Int,
            "Boolean" => Kind::Boolean,
            "ID" => Kind::Id,
            "DateTime" | "timestamptz" => Kind::Instant,
            "JSON" => Kind::Any,
            // `String` and `uuid`, whose malformed values equal no id.
            _ => Kind::Text,
        };
        self.types.insert(name.to_owned(), kind);
    }

    /// Finds a field of a type of objects.
    pub(super) fn find_field(&self, ty: &str, field: &str) -> Option<&Output> {
        self.objects.get(ty)?.get(field)
    }

    /// Whether values of a named type are strings in JSON.
    pub(super) fn is_text(&self, name: &str) -> bool {
        TEXT_SCALARS.contains(&name) || matches!(self.types.get(name), Some(Kind::Enum(_)))
    }

    /// Checks the value of an argument or of an input object's field.
    pub(super) fn visit_input(&self, input: &Input, value: &Value, path: &str, found: &mut Findings) {
        if *value == Value::Null
            && let Some(reason) = input.refuses_null()
        {
            found.add(path, reason);
        } else if let Value::Variable(variable) = value {
            let null_error = input.refuses_null();
            found.uses.push(Use { variable: variable.clone(), position: input.ty.clone(), null_error });
        } else {
            self.visit(&input.ty, value, path, found);
        }
    }

    /// Checks a value of a type. A single value is accepted for a list of it (input coercion of lists).
    pub(super) fn visit(&self, ty: &Type, value: &Value, path: &str, found: &mut Findings) {
        match (value, &ty.base) {
            (Value::Variable(variable), _) => {
                let null_error = (!ty.nullable).then_some("A value is required.");
                found.uses.push(Use { variable: variable.clone(), position: ty.clone(), null_error });
            }
            (Value::Null, _) if ty.nullable => {}
            (Value::Null, _) => found.add(path, "A value is required."),
            (Value::List(items), BaseType::List(inner)) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(inner, item, &format!("{path}.{index}"), found);
                }
            }
            (_, BaseType::List(inner)) => self.visit(inner, value, path, found),
            (_, BaseType::Named(name)) => match self.types.get(name.as_str()) {
                Some(Kind::Object(fields)) => self.visit_object(fields, name, value, path, found),
                Some(kind) => kind.check(name, value, path, found),
                // Validation reports unknown types.
                None => {}
            },
        }
    }

    fn visit_object(&self, fields: &[Input], name: &Name, value: &Value, path: &str, found: &mut Findings) {
        let Value::Object(values) = value else { return found.add_wrong_kind(path, name) };
        for given in values.keys().filter(|given| fields.iter().all(|field| field.name != given.as_str())) {
            let reason = format!("The type {name} has no such field.");
            let path = format!("{path}.{}", without_tokens(given));
            found.problems.push(Problem { path, reason, is_of_wrong_kind: true });
        }
        for field in fields {
            let path = format!("{path}.{}", field.name);
            match values.get(field.name.as_str()) {
                Some(value) => self.visit_input(field, value, &path, found),
                None if field.ty.nullable || field.has_default => {}
                None => found.add(&path, "A value is required."),
            }
        }
    }
}

impl Kind {
    /// Checks a value that isn't null. In JSON, the value of an enum is a string; it is accepted in a query, too.
    fn check(&self, name: &str, value: &Value, path: &str, found: &mut Findings) {
        match (self, value) {
            (Self::Int, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                if number.as_i64().is_none_or(|number| i32::try_from(number).is_err()) {
                    found.add(path, format!("Choose a whole number up to {}.", i32::MAX));
                }
            }
            (Self::Any, _) | (Self::Boolean, Value::Boolean(_)) | (Self::Text | Self::Id, Value::String(_)) => {}
            (Self::Id, Value::Number(number)) if number.is_i64() => {}
            (Self::Instant, Value::String(text)) => {
                if parse_instant(text).is_none() {
                    found.add(path, ExpiryError::Malformed.to_string());
                }
            }
            (Self::Enum(values), Value::String(code)) => check_code(values, code, path, found),
            (Self::Enum(values), Value::Enum(code)) => check_code(values, code, path, found),
            _ => found.add_wrong_kind(path, name),
        }
    }
}

/// Returns the name of the type in all lists.
pub(super) fn base(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

fn check_code(values: &[String], code: &str, path: &str, found: &mut Findings) {
    if values.iter().all(|value| value != code) {
        found.add(path, format!("Choose one of {}.", values.join(", ")));
    }
}
