//! API keys: the record and its life, what can be done with one, the rules of a tenant for them, lists and inputs.

pub mod act;
pub mod expiry;
pub mod input;
pub mod key;
pub mod policy;
pub mod query;
pub mod rotation;
pub mod view;
