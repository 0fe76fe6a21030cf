//! The operations of existing clients: the command line and agents of Prefect 0.14 to 1.4, in the shapes that they
//! expect. Operations on tokens, which keys have replaced, are marked as deprecated. Those on projects, flows and runs
//! (`flow_…`) are refused unless the built-in backend is on.

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

pub use flow_mutation::FlowMutation;
pub use flow_query::FlowQuery;
pub use mutation::ClientMutation;
pub use query::ClientQuery;
