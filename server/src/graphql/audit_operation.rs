//! The actions of the audit log as an enum, built from the table of the domain.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, InputType, InputValueError, InputValueResult, Name, OutputType, Positioned, ServerResult,
    Value,
    parser::types::Field,
    registry::{MetaEnumValue, MetaType, MetaTypeId, Registry},
};
use domain::operation::Action;

/// The code of an action. Implemented without `derive(Enum)`, which would need the table a second time.
#[derive(Clone, Copy, Debug)]
pub struct AuditOperation(&'static Action);

const NAME: &str = "audit_operation";

impl AuditOperation {
    /// Returns the action with a code; `None` for a code that a later version wrote.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        Action::from_code(code).map(Self)
    }

    pub(super) fn code(self) -> &'static str {
        self.0.code
    }
}

fn create_type_info(registry: &mut Registry) -> String {
    registry.create_input_type::<AuditOperation, _>(MetaTypeId::Enum, |_| MetaType::Enum {
        name: NAME.to_owned(),
        description: Some("An action in the audit log: a field of this schema, or an act outside it.".to_owned()),
        enum_values: Action::ALL.iter().map(|action| (action.code.to_owned(), value(action))).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: Some(std::any::type_name::<AuditOperation>()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    })
}

fn value(action: &Action) -> MetaEnumValue {
    MetaEnumValue {
        name: action.code.to_owned(),
        description: Some(format!("{}.", action.label)),
        deprecation: async_graphql::registry::Deprecation::NoDeprecated,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        directive_invocations: Vec::new(),
    }
}

impl InputType for AuditOperation {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(NAME)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let action = match &value {
            Some(Value::Enum(code)) => Self::from_code(code),
            Some(Value::String(code)) => Self::from_code(code),
            _ => None,
        };
        action.ok_or_else(|| InputValueError::custom("Choose an action of the audit log."))
    }

    fn to_value(&self) -> Value {
        Value::Enum(Name::new(self.code()))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }
}

impl OutputType for AuditOperation {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(NAME)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Enum(Name::new(self.code())))
    }
}
