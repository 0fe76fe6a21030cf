//! The operations of existing clients: the command line and agents of Prefect 0.14 to 1.4, in the shapes that they
//! expect. Operations on tokens, which keys have replaced, are marked as deprecated.

mod filters;
mod mutation;
mod query;
pub(super) mod types;

pub use mutation::ClientMutation;
pub use query::ClientQuery;
