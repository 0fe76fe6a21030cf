//! Service accounts: the record and its states, acts on an account, list queries and inputs.

pub mod account;
pub mod act;
pub mod input;
pub mod query;
