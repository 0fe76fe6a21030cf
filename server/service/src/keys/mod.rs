//! API keys: creating, rotating, verifying and ending them, the tenant's rules for them, and how they are used.

pub(crate) mod agents;
pub(crate) mod api_keys;
pub(crate) mod expiry_calendar;
pub(crate) mod expiry_mail;
pub(crate) mod inventory;
pub(crate) mod issue;
pub(crate) mod key_policies;
pub(crate) mod roll;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod verification;
