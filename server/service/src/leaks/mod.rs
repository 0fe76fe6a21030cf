//! Leaked keys: reports of tokens that were found where others can read them.

pub(crate) mod exposing;
pub(crate) mod limits;
mod mails;
pub(crate) mod reports;
