//! API keys: the record and its states, acts on a key, limits, key policies, list queries and inputs.

pub mod act;
pub mod expiry;
pub mod exposure;
pub mod input;
pub mod key;
pub mod limits;
pub mod policy;
pub mod query;
pub mod rotation;
pub mod view;
