//! What a GraphQL request does and who has the answer, found out by parsing it: for a gateway, which answers operations about
//! keys itself and forwards all others.

use async_graphql::parser::types::{ExecutableDocument, OperationType};

use super::{clients::ABOUT_KEYS, coercion, guard};

/// Who has the answer to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    /// Latchkey.
    Latchkey,
    /// The server behind the gateway.
    Upstream,
    /// Each of them has the answer to a part.
    Both,
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Who has the answer to the operation that will execute.
    pub(crate) answered_by: AnsweredBy,
    /// Whether the query contains nothing but queries, whichever of its operations executes.
    pub(crate) only_reads: bool,
    /// The top-level fields of the operation that will execute. Empty if the request doesn't say which one.
    pub(crate) fields: Vec<String>,
}

/// Parses the query of a request. `None` if it isn't GraphQL, or exceeds a limit.
pub(crate) fn judge(query: &str, operation_name: Option<&str>) -> Option<Judged> {
    guard::scan_within(query, guard::MAX_FLOW_QUERY_BYTES).ok()?;
    let document = async_graphql::parser::parse_query(query).ok()?;
    guard::count(&document).ok()?;
    let only_reads = document.operations.iter().all(|(_, operation)| operation.node.ty == OperationType::Query);
    let (answered_by, fields) = fields_of(&document, operation_name.filter(|name| !name.is_empty()));
    Some(Judged { answered_by, only_reads, fields })
}

fn fields_of(document: &ExecutableDocument, operation_name: Option<&str>) -> (AnsweredBy, Vec<String>) {
    let Some(operation) = coercion::selected(&document.operations, operation_name) else {
        return (AnsweredBy::Upstream, Vec::new());
    };
    let fields = coercion::top_fields(document, &operation.node.selection_set.node);
    let fields: Vec<String> = fields.map(|field| field.node.name.node.to_string()).collect();
    // Both can describe their schema.
    let named = || fields.iter().filter(|field| !field.starts_with("__"));
    let is_own = |field: &&String| ABOUT_KEYS.contains(&(operation.node.ty, field.as_str()));
    let answered_by = match (named().any(|field| is_own(&field)), named().all(|field| is_own(&field))) {
        (true, true) => AnsweredBy::Latchkey,
        (true, false) => AnsweredBy::Both,
        (false, _) => AnsweredBy::Upstream,
    };
    (answered_by, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(query: &str, name: Option<&str>) -> Option<(AnsweredBy, bool)> {
        judge(query, name).map(|judged| (judged.answered_by, judged.only_reads))
    }

    #[test]
    fn fields_are_judged_by_their_names_and_not_by_their_text() {
        use AnsweredBy::{Both, Latchkey, Upstream};
        for (query, expected) in [
            ("{ auth_info { tenant_id } }", (Latchkey, true)),
            ("query { tenant { id slug } __typename }", (Latchkey, true)),
            ("mutation { create_api_key(input: {}) { key } }", (Latchkey, false)),
            ("{ flow { id } }", (Upstream, true)),
            ("{ __schema { types { name } } }", (Upstream, true)),
            ("{ flow { id auth_info { tenant_id } } }", (Upstream, true)),
            ("# mutation {\n{ flow(where: {name: {_eq: \"mutation { delete_flow }\"}}) { id } }", (Upstream, true)),
            ("mutation { auth_info: delete_flow(input: {}) { success } }", (Upstream, false)),
            (
                "mutation { ... on Mutation { ...f } } fragment f on Mutation { delete_flow { success } }",
                (Upstream, false),
            ),
            ("query { ...f } fragment f on Query { auth_info { user_id } }", (Latchkey, true)),
            ("{ a: auth_info { user_id } flow { id } }", (Both, true)),
            ("mutation { auth_info { user_id } }", (Upstream, false)),
            ("subscription { auth_info { user_id } }", (Upstream, false)),
        ] {
            assert_eq!(judged(query, None), Some(expected), "{query}");
        }
    }

    #[test]
    fn every_operation_of_a_document_counts_as_what_it_may_change() {
        let both = "query a { auth_info { user_id } } mutation b { delete_flow { success } }";
        assert_eq!(judged(both, Some("a")), Some((AnsweredBy::Latchkey, false)));
        assert_eq!(judged(both, Some("b")), Some((AnsweredBy::Upstream, false)));
        for name in [None, Some(""), Some("c")] {
            assert_eq!(judged(both, name), Some((AnsweredBy::Upstream, false)), "{name:?}");
        }
        for unreadable in ["", "query", "{ a", "mutation", "{ flow { id } } }", &"{ a ".repeat(30)] {
            assert_eq!(judged(unreadable, None), None, "{unreadable}");
        }
    }

    #[test]
    fn the_schema_has_every_operation_about_keys() {
        let schema = crate::graphql::schema::sdl();
        for (_, field) in ABOUT_KEYS {
            assert!(schema.contains(&format!("\n\t{field}:")) || schema.contains(&format!("\n\t{field}(")), "{field}");
        }
    }
}
