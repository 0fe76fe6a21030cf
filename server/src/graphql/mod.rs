//! The GraphQL API: guard, transport and schema. Names are in snake case throughout, as clients expect.

mod clients;
mod context;
mod error;
pub mod guard;
mod mutation;
mod query;
pub mod schema;
pub(crate) mod transport;
mod types;
mod viewer;
