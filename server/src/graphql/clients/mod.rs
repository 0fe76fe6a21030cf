//! The operations of existing clients: the command line and agents of Prefect 0.14 to 1.4, in the shapes that they
//! expect. Operations on tokens, which keys have replaced, are marked as deprecated. Those on projects, flows and runs
//! (`flow_…`) are refused unless the built-in backend is on.

use async_graphql::parser::types::OperationType;

mod compressed;
mod filters;
mod flow_filters;
mod flow_inputs;
mod flow_mutation;
mod flow_query;
pub(super) mod flow_types;
mod mutation;
mod query;
pub(super) mod types;

/// The operations that Latchkey answers itself in front of a server that has all others: those about keys, and about who
/// asks in which tenant. Agents are known to the server that has their runs.
pub(super) const ABOUT_KEYS: [(OperationType, &str); 11] = [
    (OperationType::Query, "auth_info"),
    (OperationType::Query, "auth_api_key"),
    (OperationType::Query, "api_token"),
    (OperationType::Query, "tenant"),
    (OperationType::Query, "user"),
    (OperationType::Mutation, "create_api_key"),
    (OperationType::Mutation, "delete_api_key"),
    (OperationType::Mutation, "create_api_token"),
    (OperationType::Mutation, "delete_api_token"),
    (OperationType::Mutation, "switch_tenant"),
    (OperationType::Mutation, "refresh_token"),
];

pub use flow_mutation::FlowMutation;
pub use flow_query::FlowQuery;
pub use mutation::ClientMutation;
pub use query::ClientQuery;
