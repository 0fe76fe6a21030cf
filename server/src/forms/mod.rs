//! The forms of one operation each.

pub(crate) mod accounts;
pub(crate) mod inventory;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod profile;
pub(crate) mod security;
pub(crate) mod tenants;
