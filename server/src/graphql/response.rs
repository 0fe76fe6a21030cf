//! Completes the data of a response. async-graphql leaves a failed field out of its object, and orders fields by when
//! they finished.

use async_graphql::{
    PathSegment, ServerError, Value,
    parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};

/// The fields of an object in a response, in the order of the query.
#[derive(Debug, Default)]
pub(super) struct Shape(Vec<(String, Shape)>);

impl Shape {
    /// Returns the shape of an operation's data.
    pub(super) fn of(document: &ExecutableDocument, operation: &OperationDefinition) -> Self {
        let mut shape = Self::default();
        shape.add(document, &operation.selection_set.node);
        shape
    }

    /// Adds selections. The guard limits the fields after expansion, and rejects cycles.
    fn add(&mut self, document: &ExecutableDocument, selections: &SelectionSet) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    let position = self.0.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
                        self.0.push((key.to_owned(), Self::default()));
                        self.0.len() - 1
                    });
                    self.0[position].1.add(document, &field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.add(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    /// Puts the fields of the data in the order of the query, and sets those that failed to null. A test holds that all
    /// fields that can fail are nullable.
    pub(super) fn complete(&self, data: Value, errors: &[ServerError]) -> Value {
        let failed: Vec<&[PathSegment]> =
            errors.iter().map(|error| error.path.as_slice()).filter(|path| !path.is_empty()).collect();
        match data {
            // An object whose fields all failed, or were skipped.
            Value::Null => self.object(Value::Object([].into_iter().collect()), &failed),
            data => self.object(data, &failed),
        }
    }

    fn object(&self, data: Value, failed: &[&[PathSegment]]) -> Value {
        let mut fields = match data {
            Value::Object(fields) => fields,
            // Without anything selected in it, it is JSON or a list of scalars.
            Value::List(items) if !self.0.is_empty() => {
                let items = items.into_iter().enumerate();
                return Value::List(items.map(|(at, item)| self.object(item, &in_item(failed, at))).collect());
            }
            data => return data,
        };
        let mut ordered = Vec::with_capacity(fields.len());
        for (key, shape) in &self.0 {
            let here: Vec<&[PathSegment]> = failed.iter().filter_map(|path| below(path, key)).collect();
            if let Some((name, value)) = fields.swap_remove_entry(key.as_str()) {
                let value = if value == Value::Null && here.iter().any(|path| !path.is_empty()) {
                    shape.object(Value::Object([].into_iter().collect()), &here)
                } else {
                    shape.object(value, &here)
                };
                ordered.push((name, value));
            } else if !here.is_empty() {
                ordered.push((async_graphql::Name::new(key), Value::Null));
            }
        }
        Value::Object(ordered.into_iter().chain(fields).collect())
    }
}

/// Returns the rests of the paths that begin with an item of a list.
fn in_item<'p>(paths: &[&'p [PathSegment]], item: usize) -> Vec<&'p [PathSegment]> {
    let rest = |path: &&'p [PathSegment]| match path {
        [PathSegment::Index(first), rest @ ..] if *first == item => Some(rest),
        _ => None,
    };
    paths.iter().filter_map(rest).collect()
}

/// Returns the rest of a path that begins with a field.
fn below<'p>(path: &'p [PathSegment], key: &str) -> Option<&'p [PathSegment]> {
    match path {
        [PathSegment::Field(first), rest @ ..] if first == key => Some(rest),
        _ => None,
    }
}
