//! The GraphQL API: guard, transport and schema. Names are in snake case throughout, as clients expect.

pub(crate) mod answered;
mod audit_operation;
mod clients;
mod coercion;
mod context;
mod enums;
mod error;
pub mod guard;
mod inputs;
mod key_list;
mod media_type;
mod mutation;
mod query;
mod response;
mod scalars;
pub mod schema;
mod streaming;
pub(crate) mod transport;
mod types;
mod viewer;
