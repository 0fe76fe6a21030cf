//! Service accounts: the record and its life, what can be done with one, lists and inputs.

pub mod account;
pub mod act;
pub mod input;
pub mod query;
