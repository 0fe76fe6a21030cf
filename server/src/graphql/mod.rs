//! The GraphQL API: guard, transport, schema. Snake case throughout, as the clients expect.

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
