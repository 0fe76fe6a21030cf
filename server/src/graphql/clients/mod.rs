//! What existing clients ask for: the Prefect 0.14 to 1.4 command line and agents, in the shapes that they read. The
//! operations of tokens, which keys have replaced, are marked as deprecated.

mod filters;
mod mutation;
mod query;
mod types;

pub use mutation::ClientMutation;
pub use query::ClientQuery;
